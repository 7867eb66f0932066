"""The wiring that classify_service and detect_service have in common."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from hepar.contracts.cards import ModelCard
from hepar.inference import TritonClient, read_cards
from hepar.service.images import ImageDecoder
from hepar.service.models import ModelServiceSettings


class NoModels(Exception):
    """The model repository has no card for this task; the message says where it looked."""


@asynccontextmanager
async def models_on_triton(
    settings: ModelServiceSettings, task: Literal["classification", "detection"]
) -> AsyncIterator[tuple[TritonClient, dict[str, ModelCard], ImageDecoder]]:
    """Cards, a connection and a decoder for as long as the app runs. Raises NoModels and BrokenCard."""
    cards = read_cards(settings.model_repository, task)
    if not cards:
        raise NoModels(f"{settings.model_repository} has no model card for {task}")
    decoder = ImageDecoder()
    try:
        async with TritonClient(settings.triton) as triton:
            yield triton, cards, decoder
    finally:
        decoder.close()
