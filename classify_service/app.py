"""classify_service: wiring."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from classify_service.api import UPLOAD_PATHS, router
from classify_service.ensemble import Classifiers
from classify_service.settings import ClassifySettings
from hepar.serving.model_service import models_on_triton
from hepar.web.app import new_app


def create_app(settings: ClassifySettings) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with models_on_triton(app, settings, "classification") as (triton, models, check):
            app.state.classifiers = classifiers = Classifiers(triton, models, check, settings.quorum)
            app.state.readiness = classifiers.readiness
            yield

    app = new_app("Hepar classify_service", "One image, one calibrated vote", settings, lifespan, UPLOAD_PATHS)
    app.include_router(router)
    return app
