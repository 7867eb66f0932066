"""/healthz and /readyz: the same for all services."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable

from fastapi import FastAPI
from fastapi.responses import JSONResponse

from hepar.contracts.health import Health, Readiness
from hepar.web.openapi import HEALTH_TAG

_log = logging.getLogger(__name__)

READINESS_S = 1.0
"""As long as a check is valid. Anybody may ask for it, and it asks other services."""
ReadinessCheck = Callable[[], Awaitable[dict[str, bool]]]


class _SharedCheck:
    """Parallel callers wait for one check, and later ones get its result for READINESS_S."""

    def __init__(self) -> None:
        self._checking = asyncio.Lock()
        self._checked_at = -math.inf
        self._parts: dict[str, bool] = {}

    async def parts(self, check: ReadinessCheck) -> dict[str, bool]:
        async with self._checking:
            if time.monotonic() - self._checked_at >= READINESS_S:
                self._parts = await check()
                self._checked_at = time.monotonic()
            return self._parts


def install_health_routes(app: FastAPI) -> None:
    """`app.state.readiness` is the check; `app.state.draining` makes the service not ready."""
    app.state.ready = None
    app.state.draining = False
    shared = _SharedCheck()

    @app.get("/healthz", summary="Is this process alive?", tags=[HEALTH_TAG])
    async def healthz() -> Health:
        """Answers as soon as the process runs, whatever state the rest of the system is in."""
        return Health()

    @app.get(
        "/readyz",
        summary="Can this service answer now?",
        tags=[HEALTH_TAG],
        response_model=Readiness,
        responses={503: {"model": Readiness, "description": "Not now: `parts` names what is missing"}},
    )
    async def readyz() -> JSONResponse:
        """Asks the parts that the service depends on, at most once a second. A process that is about to stop is not
        ready.
        """
        parts = {"draining": False} if app.state.draining else await shared.parts(app.state.readiness)
        ready = all(parts.values())
        if ready is not app.state.ready:
            app.state.ready = ready
            _log.info("ready" if ready else "not ready", extra={"parts": parts})
        return JSONResponse({"ready": ready, "parts": parts}, 200 if ready else 503)
