"""The app of a model service, and what its routes depend on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Header, Request, Response

from hepar.contracts.base import Document
from hepar.contracts.cards import Task
from hepar.contracts.slices import SEGMENTER_HEADER, SegmenterName
from hepar.contracts.study_results import ModelVersion
from hepar.core.deadlines import Deadline
from hepar.core.errors import HeparError
from hepar.inference import ModelRepositoryWatcher, TritonClient
from hepar.serving.authentication import IMAGE_SCOPE_REQUIRED, SLICES_SCOPE_REQUIRED, Caller, StudyWorker
from hepar.serving.decode_workers import ImageDecoder
from hepar.serving.model_service import ModelBackend, ModelService, Options, Output, Result
from hepar.serving.scope_check import ScopeCheck
from hepar.serving.segmenter import Segmenter
from hepar.serving.settings import ModelServiceSettings
from hepar.serving.slices import Slices, read_slices
from hepar.serving.upload_memory import UploadMemory
from hepar.web.access_tokens import TokenRules
from hepar.web.app import new_app
from hepar.web.timeouts import TimeoutMs
from hepar.web.token_verifier import token_verifier
from hepar.web.uploads import ImageBytes, read_binary, read_image, read_images


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
        watching = [asyncio.create_task(watcher.run()) for watcher in (models, checks, segmenters)]
        scope_check = ScopeCheck(triton, checks, Segmenter(triton, segmenters))
        decoder = ImageDecoder()
        try:
            yield ModelBackend(triton, models, scope_check, decoder, settings.quorum)
        finally:
            for watcher in watching:
                watcher.cancel()
            decoder.close()


async def json_response(document: Document) -> Response:
    """Serialised in a thread: with rendered images a document has several megabytes."""
    content = await asyncio.to_thread(document.model_dump_json)
    return Response(content, media_type="application/json")


async def _deadline(request: Request, timeout_ms: TimeoutMs = None) -> Deadline:
    settings: ModelServiceSettings = request.app.state.settings
    return Deadline.within(timeout_ms, settings.deadline_s)


async def _batch_deadline(request: Request, timeout_ms: TimeoutMs = None) -> Deadline:
    settings: ModelServiceSettings = request.app.state.settings
    return Deadline.within(timeout_ms, settings.batch_deadline_s)


async def _uploaded_image(request: Request, caller: Caller) -> AsyncIterator[ImageBytes]:
    settings: ModelServiceSettings = request.app.state.settings
    with _upload_memory(request).reading(request, caller.subject) as counted:
        yield await read_image(counted, settings.upload_bytes_max)


async def _uploaded_images(request: Request, caller: Caller) -> AsyncIterator[list[ImageBytes | HeparError]]:
    settings: ModelServiceSettings = request.app.state.settings
    with _upload_memory(request).reading(request, caller.subject) as counted:
        yield await read_images(counted, settings.upload_bytes_max, settings.batch_images_max, settings.batch_bytes_max)


async def _uploaded_slices(
    request: Request, worker: StudyWorker, segmenter: _Segmenter = None
) -> AsyncIterator[Slices]:
    settings: ModelServiceSettings = request.app.state.settings
    with _upload_memory(request).reading(request, worker.subject) as counted:
        content = await read_binary(counted, settings.batch_bytes_max)
        yield await asyncio.to_thread(read_slices, content, _model_version(segmenter), settings.batch_images_max)


def _model_version(segmenter: str | None) -> ModelVersion | None:
    if segmenter is None:
        return None
    model, version = segmenter.split("/")
    return ModelVersion(model=model, version=version)


def _upload_memory(request: Request) -> UploadMemory:
    memory: UploadMemory = request.app.state.upload_memory
    return memory


_Segmenter = Annotated[SegmenterName | None, Header(alias=SEGMENTER_HEADER)]
DeadlineDep = Annotated[Deadline, Depends(_deadline)]
BatchDeadlineDep = Annotated[Deadline, Depends(_batch_deadline)]
UploadedImage = Annotated[ImageBytes, Depends(_uploaded_image)]
UploadedSlices = Annotated[Slices, Depends(_uploaded_slices)]
UploadedImages = Annotated[list[ImageBytes | HeparError], Depends(_uploaded_images)]
