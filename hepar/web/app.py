"""One way to make and run an app, so that knowing one service is knowing all."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress

import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.middleware import Middleware

from hepar import __version__
from hepar.contracts.base import RESEARCH_USE_NOTICE
from hepar.core.logs import configure_logging
from hepar.core.metrics import serve_metrics
from hepar.core.settings import ServiceSettings
from hepar.core.tracing import configure_tracing
from hepar.web.docs_pages import install_docs_pages
from hepar.web.guard import Guard
from hepar.web.problems import install_problem_handlers
from hepar.web.server import DrainingServer, HeaderTimeoutProtocol

_log = logging.getLogger(__name__)

_NOT_STARTED = 3  # as uvicorn itself ends
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]
ReadinessCheck = Callable[[], Awaitable[dict[str, bool]]]


def new_app(
    title: str,
    summary: str,
    settings: ServiceSettings,
    lifespan: Lifespan,
    upload_paths: frozenset[str] = frozenset(),
    *,
    document: str = "/openapi.json",
    finishes: bool = False,
    inside: Sequence[Middleware] = (),
) -> FastAPI:
    """A FastAPI app with our errors, limits and documentation pages. `app.state.readiness` is set by its lifespan.

    upload_paths: routes that read large bodies themselves.  document: path of the OpenAPI document.
    finishes: what a client began ends although it has gone (Guard).
    inside: middleware behind the guard, outermost first.
    """
    app = FastAPI(
        title=title,
        summary=summary,
        description=RESEARCH_USE_NOTICE,
        version=__version__,
        license_info={"name": "AGPL-3.0-or-later", "identifier": "AGPL-3.0-or-later"},
        lifespan=lifespan,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # hepar.core.tracing: no query, no message
        openapi_url=document,
        docs_url=None,
        generate_unique_id_function=lambda route: route.name,
        redoc_url=None,
    )
    app.state.ready = None
    app.state.draining = False
    install_problem_handlers(app)
    install_docs_pages(app, document, pages=settings.docs)
    for middleware in reversed(inside):
        app.add_middleware(middleware.cls, *middleware.args, **middleware.kwargs)
    app.add_middleware(
        Guard,
        hosts=frozenset(settings.hosts),
        concurrent_max=settings.concurrent_max,
        upload_paths=upload_paths,
        finishes=finishes,
    )

    @app.get("/healthz", summary="Is this process alive?", tags=["health"])
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz", summary="Can this service answer now?", tags=["health"])
    async def readyz() -> JSONResponse:
        check: ReadinessCheck = app.state.readiness
        parts = {"draining": False} if app.state.draining else await check()
        ready = all(parts.values())
        if ready is not app.state.ready:
            app.state.ready = ready
            _log.info("ready" if ready else "not ready", extra={"parts": parts})
        return JSONResponse({"ready": ready, "parts": parts}, 200 if ready else 503)

    return app


def run_app(name: str, app: FastAPI, settings: ServiceSettings, trusted_proxies: Sequence[str] = ()) -> None:
    """Serves until SIGTERM or Ctrl-C; requests under way get `drain_timeout_s` to finish.

    trusted_proxies: addresses whose X-Forwarded-For and -Proto tell who the client is.
    """
    configure_logging(name, settings.log_level)
    configure_tracing(name)
    serve_metrics(settings.host, settings.metrics_port)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=HeaderTimeoutProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=list(trusted_proxies),
        timeout_keep_alive=settings.keep_alive_s,
        timeout_graceful_shutdown=settings.drain_timeout_s,
    )
    server = DrainingServer(config, app, settings.drain_delay_s)
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        raise SystemExit(_NOT_STARTED)
