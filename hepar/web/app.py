"""Creates and runs the FastAPI app of a service: the same for all services."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial

import uvicorn
from fastapi import Depends, FastAPI
from fastapi.routing import iter_route_contexts
from starlette.middleware import Middleware

from hepar import __version__
from hepar.contracts.base import RESEARCH_USE_NOTICE
from hepar.core.logs import configure_logging
from hepar.core.metrics import serve_metrics
from hepar.core.settings import ServiceSettings
from hepar.core.tracing import configure_tracing
from hepar.web.connection_limits import ConnectionLimits
from hepar.web.docs_pages import install_docs_pages
from hepar.web.guard import RequestGuard
from hepar.web.health import install_health_routes
from hepar.web.in_flight import ALL, InFlightLimit, Shares
from hepar.web.openapi import DescribedApp
from hepar.web.problems import install_problem_handlers
from hepar.web.protocol import HttpProtocol
from hepar.web.query import refuse_unknown_query
from hepar.web.request_body import SmallBodies
from hepar.web.server import DrainingServer, allow_open_files

_FILES_PER_CONNECTION = 4  # its own, those of the calls behind it, and the process's other files
_NOT_STARTED = 3  # as uvicorn itself ends
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def new_app(
    title: str,
    summary: str,
    settings: ServiceSettings,
    lifespan: Lifespan,
    upload_paths: frozenset[str] = frozenset(),
    *,
    document: str = "/openapi.json",
    complete_after_disconnect: bool = False,
    upload_s: Mapping[str, float] | None = None,
    before_body: Sequence[Middleware] = (),
    shares: Shares | None = None,
    inside: Sequence[Middleware] = (),
) -> FastAPI:
    """A FastAPI app with Hepar's errors, limits and documentation pages. Its lifespan sets `app.state.readiness`.

    upload_paths: routes that read large bodies themselves.  document: path of the OpenAPI document.
    complete_after_disconnect: a request runs to its end although its client is gone (RequestGuard).
    upload_s: the longest time of a body by path, where it is not that of an image.
    before_body: middleware between the guard and the reading of small bodies, outermost first.
    shares: what a request takes part of while it is served; by default, of all requests together.
    inside: middleware behind all limits, outermost first.
    """
    hosts = frozenset(settings.hosts)
    layers = [
        Middleware(RequestGuard, hosts, complete_after_disconnect=complete_after_disconnect, upload_s=upload_s),
        *before_body,
        Middleware(SmallBodies, upload_paths),  # a body that is still arriving takes no part of the capacity
        Middleware(InFlightLimit, shares or (lambda _: {ALL: settings.concurrent_max})),
        *inside,
    ]
    app = DescribedApp(
        title=title,
        summary=summary,
        description=RESEARCH_USE_NOTICE,
        version=__version__,
        license_info={"name": "AGPL-3.0-or-later", "identifier": "AGPL-3.0-or-later"},
        lifespan=_with_built_routes(lifespan),
        telemetry={"tracing": False, "metrics": False, "logs": False},  # hepar.core.tracing: no query, no message
        openapi_url=document,
        docs_url=None,
        generate_unique_id_function=lambda route: route.name,
        redoc_url=None,
        dependencies=[Depends(refuse_unknown_query)],
        middleware=layers,
    )
    install_problem_handlers(app)
    install_docs_pages(app, document, pages=settings.docs)
    install_health_routes(app)
    return app


def _with_built_routes(lifespan: Lifespan) -> Lifespan:
    @asynccontextmanager
    async def lifespan_with_routes(app: FastAPI) -> AsyncIterator[None]:
        for _ in iter_route_contexts(app.routes):  # FastAPI would build each route in its first request
            pass
        app.openapi()  # refuse_unknown_query reads it
        async with lifespan(app):
            yield

    return lifespan_with_routes


def run_app(
    name: str,
    app: FastAPI,
    settings: ServiceSettings,
    trusted_proxies: Sequence[str] = (),
    address_connections_max: int | None = None,
) -> None:
    """Serves until SIGTERM or Ctrl-C; requests in flight get `drain_timeout_s` to finish.

    trusted_proxies: addresses whose X-Forwarded-For and X-Forwarded-Proto headers are believed.
    address_connections_max: connections of any other address.
    """
    configure_logging(name, settings.log_level)
    configure_tracing(name)
    serve_metrics(settings.host, settings.metrics_port)
    allow_open_files(settings.connections_max * _FILES_PER_CONNECTION)
    limits = ConnectionLimits(settings.connections_max, address_connections_max, trusted_proxies)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=partial(HttpProtocol, limits=limits),  # type: ignore[arg-type]  # called as a class is
        ws="none",
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
