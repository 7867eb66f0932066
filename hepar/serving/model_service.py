"""The wiring that classify_service and detect_service have in common, and what their routes depend on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, FastAPI, Request

from hepar.contracts.cards import Task
from hepar.contracts.problems import Problem
from hepar.core.deadlines import DEADLINE_HEADER, Deadline
from hepar.core.errors import HeparError
from hepar.imaging import CtImage
from hepar.inference import ModelRepositoryWatcher, TritonClient
from hepar.serving.batches import answer_each, answers_as_ready
from hepar.serving.decode_workers import ImageDecoder
from hepar.serving.models import ModelServiceSettings
from hepar.serving.scope_check import ScopeCheck
from hepar.web.uploads import Frame, read_image, read_images

Answer = TypeVar("Answer")


class NoModels(Exception):
    """The model repository has no card for this task; the message says where it looked."""


@asynccontextmanager
async def models_on_triton(
    app: FastAPI, settings: ModelServiceSettings, task: Task
) -> AsyncIterator[tuple[TritonClient, ModelRepositoryWatcher, ScopeCheck]]:
    """Models, their input check and a connection for as long as the app runs, and what its routes depend on.

    Raises NoModels and BrokenCard.
    """
    async with TritonClient(settings.triton) as triton:
        models = ModelRepositoryWatcher(triton, settings.model_repository, task)
        if not models.current.cards:
            raise NoModels(f"{settings.model_repository} has no model card for {task}")
        app.state.settings = settings
        app.state.decoder = decoder = ImageDecoder()
        checks = ModelRepositoryWatcher(triton, settings.model_repository, "input_check")
        following = [asyncio.create_task(followed.follow()) for followed in (models, checks)]
        try:
            yield triton, models, ScopeCheck(triton, checks)
        finally:
            for task_of_ours in following:
                task_of_ours.cancel()
            decoder.close()


async def _deadline(request: Request) -> Deadline:
    settings: ModelServiceSettings = request.app.state.settings
    return Deadline.from_header(request.headers.get(DEADLINE_HEADER), settings.deadline_s)


async def _uploaded_image(request: Request, frame: Frame = None) -> CtImage:
    settings: ModelServiceSettings = request.app.state.settings
    decoder: ImageDecoder = request.app.state.decoder
    return await decoder.decode(await read_image(request, settings.upload_bytes_max), frame)


async def _batch_deadline(request: Request) -> Deadline:
    settings: ModelServiceSettings = request.app.state.settings
    return Deadline.from_header(request.headers.get(DEADLINE_HEADER), settings.batch_deadline_s)


@dataclass(frozen=True)
class Batch:
    """Uploaded files, in order, and what reads them."""

    files: list[bytes | HeparError]
    decoder: ImageDecoder

    async def answers(self, work: Callable[[CtImage], Awaitable[Answer]]) -> list[Answer | Problem]:
        return await answer_each(self.files, self._decoding(work))

    def answers_as_ready(
        self, work: Callable[[CtImage], Awaitable[Answer]]
    ) -> AsyncIterator[tuple[int, Answer | Problem]]:
        """With the index of each image."""
        return answers_as_ready(self.files, self._decoding(work))

    def _decoding(self, work: Callable[[CtImage], Awaitable[Answer]]) -> Callable[[bytes], Awaitable[Answer]]:
        async def one(content: bytes) -> Answer:
            return await work(await self.decoder.decode(content))

        return one


async def _uploaded_batch(request: Request) -> Batch:
    settings: ModelServiceSettings = request.app.state.settings
    limits = (settings.upload_bytes_max, settings.batch_images_max, settings.batch_bytes_max)
    return Batch(await read_images(request, *limits), request.app.state.decoder)


BatchDeadlineDep = Annotated[Deadline, Depends(_batch_deadline)]
UploadedBatch = Annotated[Batch, Depends(_uploaded_batch)]
DeadlineDep = Annotated[Deadline, Depends(_deadline)]
UploadedImage = Annotated[CtImage, Depends(_uploaded_image)]
