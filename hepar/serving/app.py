"""The app of a model service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from hepar.contracts.cards import Task
from hepar.core.combined_model import COMBINED_TASK
from hepar.inference import CombinedCalls, ModelRepositoryWatcher, TritonClient
from hepar.serving.decode_workers import ImageDecoder
from hepar.serving.model_service import ModelBackend, ModelService, Options, Output, Result
from hepar.serving.routes import IMAGE_SCOPE_REQUIRED, SLICES_SCOPE_REQUIRED
from hepar.serving.scope_check import ScopeCheck
from hepar.serving.segmenter import Segmenter
from hepar.serving.settings import ModelServiceSettings
from hepar.serving.upload_memory import UploadMemory
from hepar.web.access_tokens import TokenRules
from hepar.web.app import new_app
from hepar.web.token_verifier import token_verifier


class NoModels(Exception):
    """The model repository has no card for this task; the message names the repository."""


def new_model_service_app(
    title: str,
    summary: str,
    settings: ModelServiceSettings,
    router: APIRouter,
    internal_router: APIRouter,
    upload_paths: frozenset[str],
    task: Task,
    make_service: Callable[[ModelBackend], ModelService[Options, Output, Result]],
) -> FastAPI:
    """`app.state.service` is the service while the app runs. Its start raises NoModels and BrokenCard.

    internal_router: routes for the study worker alone, which no document describes.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.settings = settings
        rules = TokenRules(settings.issuer, settings.audience)
        verified = token_verifier(settings.auth_url, rules)
        async with verified as verifier, _model_backend(settings, task) as backend:
            app.state.token_verifier = verifier
            app.state.upload_memory = UploadMemory()
            app.state.service = service = make_service(backend)

            async def readiness() -> dict[str, bool]:
                return {"sign_in": await verifier.ready()} | await service.readiness()

            app.state.readiness = readiness
            yield

    app = new_app(title, summary, settings, lifespan, upload_paths)
    app.include_router(router, dependencies=[IMAGE_SCOPE_REQUIRED])
    app.include_router(internal_router, dependencies=[SLICES_SCOPE_REQUIRED], include_in_schema=False)
    return app


@asynccontextmanager
async def _model_backend(settings: ModelServiceSettings, task: Task) -> AsyncIterator[ModelBackend]:
    async with TritonClient(settings.triton) as triton:
        models = ModelRepositoryWatcher(triton, settings.model_repository, task)
        if not models.current.cards:
            raise NoModels(f"{settings.model_repository} has no model card for {task}")
        checks = ModelRepositoryWatcher(triton, settings.model_repository, "input_check")
        segmenters = ModelRepositoryWatcher(triton, settings.model_repository, "segmentation")
        combined = CombinedCalls(triton, settings.model_repository)
        watchers = (models, checks, segmenters, *((combined,) if task == COMBINED_TASK else ()))
        watching = [asyncio.create_task(watcher.run()) for watcher in watchers]
        scope_check = ScopeCheck(triton, checks, Segmenter(triton, segmenters))
        decoder = ImageDecoder()
        try:
            yield ModelBackend(triton, combined, models, scope_check, decoder, settings.quorum)
        finally:
            for watcher in watching:
                watcher.cancel()
            decoder.close()
