"""detect_service: wiring."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from detect_service.api import UPLOAD_PATHS, router
from detect_service.detectors import Detectors
from detect_service.settings import DetectSettings
from hepar.serving.model_service import models_on_triton
from hepar.web.app import new_app


def create_app(settings: DetectSettings) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with models_on_triton(app, settings, "detection") as (triton, models, check):
            app.state.detectors = detectors = Detectors(triton, models, check, settings.quorum, settings.fusion_overlap)
            app.state.readiness = detectors.readiness
            yield

    app = new_app("Hepar detect_service", "One image, one fused set of boxes", settings, lifespan, UPLOAD_PATHS)
    app.include_router(router)
    return app
