"""What classify_service and detect_service share: settings for Triton and asking several models at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import Field

from hepar.contracts.models import ServedModel
from hepar.core.errors import HeparError, InvalidField, InvalidRequest, Unavailable
from hepar.core.metrics import MISSING_MODELS
from hepar.core.settings import ServiceSettings
from hepar.inference.triton import TritonClient
from hepar.inference.version_routing import VersionRouting

_log = logging.getLogger(__name__)
Vote = TypeVar("Vote")


class ModelServiceSettings(ServiceSettings):
    """What a service needs that asks models on Triton."""

    triton: str = Field(default="127.0.0.1:8001", description="Triton's gRPC address, host:port")
    model_repository: Path = Field(default=Path("triton_models"), description="where the model cards are")
    quorum: int = Field(default=1, ge=1, description="models that must answer; with fewer the answer is 503")
    deadline_s: float = Field(default=20, gt=0, le=120, description="longest a request may take")
    batch_deadline_s: float = Field(default=110, gt=0, le=600, description="longest a batch may take")
    upload_bytes_max: int = Field(default=64 * 1024 * 1024, ge=1, description="bytes of one image")
    batch_bytes_max: int = Field(default=64 * 1024 * 1024, ge=1, description="bytes of all images of a batch")
    batch_images_max: int = Field(default=32, ge=2, description="images of a batch")


class BelowQuorum(Unavailable):
    """Some models answered, but fewer than an answer needs."""

    title, slug = "Too few models answered", "below-quorum"


async def ask_all(
    models: Sequence[str], ask: Callable[[str], Awaitable[Vote]], quorum: int
) -> tuple[list[Vote], list[str]]:
    """Asks all models at once. Returns the answers in the order of `models`, and who failed.

    A caller who chose fewer models than `quorum` needs all of them. With fewer answers it raises BelowQuorum, or, where
    no model answered, the first failure.
    """
    if not models:
        raise Unavailable("no model is loaded for this at the moment")
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
    needed = min(quorum, len(models))
    if not votes:
        raise failures[0]
    if len(votes) < needed:
        raise BelowQuorum(f"{len(votes)} of {len(models)} models answered, {needed} are needed; ask again soon")
    for model in missing:
        MISSING_MODELS.labels(model).inc()
    return votes, missing


async def served_models(triton: TritonClient, offers: Mapping[str, VersionRouting]) -> list[ServedModel]:
    """In name order. Takes at most a second."""
    ready = await triton.ready_models(sorted(offers))
    return [
        ServedModel(card=offers[name].card, serving=ready[name], versions=offers[name].versions)
        for name in sorted(offers)
    ]


def chosen(offered: Iterable[str], wanted: Sequence[str] | None, parameter: str) -> list[str]:
    """The models that a caller asks for, in the order of `offered`; all where it asks for none.

    parameter: name of the query parameter.  Raises InvalidRequest for a name that is not offered.
    """
    names = list(offered)
    unknown = sorted(set(wanted or ()) - set(names))
    if unknown:
        message = f"there is no model {', '.join(unknown)}; there are {', '.join(names)}"
        raise InvalidRequest(message, InvalidField("query", f"/{parameter}", "unknown_model", message))
    return [name for name in names if not wanted or name in wanted]
