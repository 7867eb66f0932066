"""The wiring that classify_service and detect_service have in common, and what their routes depend on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Request

from hepar.contracts.cards import ModelCard
from hepar.imaging import CtImage
from hepar.inference import TritonClient, read_cards
from hepar.service.deadlines import DEADLINE_HEADER, Deadline
from hepar.service.images import ImageDecoder
from hepar.service.models import ModelServiceSettings
from hepar.service.uploads import Frame, read_image


class NoModels(Exception):
    """The model repository has no card for this task; the message says where it looked."""


@asynccontextmanager
async def models_on_triton(
    app: FastAPI, settings: ModelServiceSettings, task: Literal["classification", "detection"]
) -> AsyncIterator[tuple[TritonClient, dict[str, ModelCard]]]:
    """Cards and a connection for as long as the app runs, and what its routes depend on.

    Raises NoModels and BrokenCard.
    """
    cards = read_cards(settings.model_repository, task)
    if not cards:
        raise NoModels(f"{settings.model_repository} has no model card for {task}")
    app.state.settings = settings
    app.state.decoder = decoder = ImageDecoder()
    try:
        async with TritonClient(settings.triton) as triton:
            yield triton, cards
    finally:
        decoder.close()


def _deadline(request: Request) -> Deadline:
    settings: ModelServiceSettings = request.app.state.settings
    return Deadline.from_header(request.headers.get(DEADLINE_HEADER), settings.deadline_s)


async def _uploaded_image(request: Request, frame: Frame = None) -> CtImage:
    settings: ModelServiceSettings = request.app.state.settings
    decoder: ImageDecoder = request.app.state.decoder
    return await decoder.decode(await read_image(request, settings.upload_bytes_max), frame)


DeadlineDep = Annotated[Deadline, Depends(_deadline)]
UploadedImage = Annotated[CtImage, Depends(_uploaded_image)]
