"""What classify_service and detect_service share: settings for Triton and asking several models at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import Field

from hepar.service.problems import HeparError
from hepar.service.settings import ServiceSettings

_log = logging.getLogger(__name__)
Vote = TypeVar("Vote")


class ModelServiceSettings(ServiceSettings):
    """What a service needs that asks models on Triton."""

    triton: str = Field(default="127.0.0.1:8001", description="Triton's gRPC address, host:port")
    model_repository: Path = Field(default=Path("triton_models"), description="where the model cards are")
    quorum: int = Field(default=1, ge=1, description="models that must answer; with fewer the answer is 503")
    deadline_s: float = Field(default=20, gt=0, le=120, description="longest a request may take")
    upload_bytes_max: int = Field(default=64 * 1024 * 1024, ge=1, description="bytes of one image")


async def ask_all(
    models: Sequence[str], ask: Callable[[str], Awaitable[Vote]], quorum: int
) -> tuple[list[Vote], list[str]]:
    """Asks all models at once. Returns the answers in the order of `models`, and who failed.

    Raises the first failure when fewer than `quorum` answered.
    """
    answers = await asyncio.gather(*map(ask, models), return_exceptions=True)
    votes: list[Vote] = []
    missing: list[str] = []
    failures: list[HeparError] = []
    for model, answer in zip(models, answers, strict=True):
        if isinstance(answer, HeparError):
            _log.warning("model failed", extra={"model": model, "reason": answer.detail})
            failures.append(answer)
            missing.append(model)
        elif isinstance(answer, BaseException):
            raise answer
        else:
            votes.append(answer)
    if len(votes) < quorum and failures:
        raise failures[0]
    return votes, missing
