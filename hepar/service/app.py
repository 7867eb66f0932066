"""One way to make and run an app, so that knowing one service is knowing all."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse

from hepar import __version__
from hepar.contracts.base import RESEARCH_USE_NOTICE
from hepar.service.guard import Guard
from hepar.service.logs import configure_logging
from hepar.service.problems import install_problem_handlers
from hepar.service.settings import ServiceSettings

_log = logging.getLogger(__name__)

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]
ReadinessCheck = Callable[[], Awaitable[dict[str, bool]]]


def new_app(
    title: str,
    summary: str,
    settings: ServiceSettings,
    lifespan: Lifespan,
    upload_paths: frozenset[str] = frozenset(),
) -> FastAPI:
    """A FastAPI app with our errors and limits. `app.state.readiness` is set by its lifespan.

    upload_paths: routes that read large bodies themselves.
    """
    app = FastAPI(
        title=title,
        summary=summary,
        description=RESEARCH_USE_NOTICE,
        version=__version__,
        license_info={"name": "AGPL-3.0-or-later", "identifier": "AGPL-3.0-or-later"},
        lifespan=lifespan,
    )
    app.state.ready = None
    install_problem_handlers(app)
    app.add_middleware(
        Guard,
        hosts=frozenset(settings.hosts),
        concurrent_max=settings.concurrent_max,
        upload_paths=upload_paths,
    )

    @app.get("/healthz", summary="Is this process alive?", tags=["health"])
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz", summary="Can this service answer now?", tags=["health"])
    async def readyz() -> JSONResponse:
        check: ReadinessCheck = app.state.readiness
        parts = await check()
        ready = all(parts.values())
        if ready is not app.state.ready:
            app.state.ready = ready
            _log.info("ready" if ready else "not ready", extra={"parts": parts})
        return JSONResponse({"ready": ready, "parts": parts}, 200 if ready else 503)

    return app


def run_app(name: str, app: FastAPI, settings: ServiceSettings) -> None:
    """Serves until SIGTERM or Ctrl-C; requests under way get `drain_timeout_s` to finish."""
    configure_logging(name, settings.log_level)
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=settings.drain_timeout_s,
    )
