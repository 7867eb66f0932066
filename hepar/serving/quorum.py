"""Calling several models at once, how many of them must answer, and models that a result can do without."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from hepar.core.errors import HeparError, Unavailable
from hepar.core.metrics import MISSING_MODELS

_log = logging.getLogger(__name__)
Output = TypeVar("Output")


class BelowQuorum(Unavailable):
    """Some models answered, but fewer than required."""

    title, slug = "Too few models answered", "below-quorum"


@dataclass(frozen=True)
class ModelAnswers(Generic[Output]):
    """outputs: of the models that answered.  missing: names of those that did not."""

    outputs: list[Output]
    missing: list[str]


async def call_models(
    models: Sequence[str], call: Callable[[str], Awaitable[Sequence[Output | HeparError]]], quorum: int
) -> list[ModelAnswers[Output] | HeparError]:
    """Calls all models at once. call: returns an output or an error for each image.

    For each image the outputs in the order of `models`. With fewer models than `quorum`, all of them must answer;
    where too few did, BelowQuorum, and where none did, the first model's error.
    Raises Unavailable without models.
    """
    if not models:
        raise Unavailable("no model is loaded for this at the moment")
    by_model = await asyncio.gather(*map(call, models))
    for model, outputs in zip(models, by_model, strict=True):
        _record_failures(model, outputs)
    return [_answers_of_image(models, outputs, quorum) for outputs in zip(*by_model, strict=True)]


async def call_optional_model(
    model: str, call: Awaitable[Sequence[Output | HeparError]]
) -> list[tuple[Output | None, list[str]]]:
    """For a model that a result can do without. For each image its output, or None and its name."""
    outputs = await call
    _record_failures(model, outputs)
    return [_optional(model, output) for output in outputs]


def _optional(model: str, output: Output | HeparError) -> tuple[Output | None, list[str]]:
    if isinstance(output, HeparError):
        MISSING_MODELS.labels(model).inc()
        return None, [model]
    return output, []


def _record_failures(model: str, outputs: Sequence[object]) -> None:
    errors = [output for output in outputs if isinstance(output, HeparError)]
    if errors:
        images = {"images": len(errors)} if len(outputs) > 1 else {}
        _log.warning("model failed", extra={"model": model, "reason": errors[0].detail, **images})


def _answers_of_image(
    models: Sequence[str], outputs: Sequence[Output | HeparError], quorum: int
) -> ModelAnswers[Output] | HeparError:
    answered = [output for output in outputs if not isinstance(output, HeparError)]
    errors = {model: output for model, output in zip(models, outputs, strict=True) if isinstance(output, HeparError)}
    required = min(quorum, len(models))
    if not answered:
        return next(iter(errors.values()))
    if len(answered) < required:
        return BelowQuorum(f"{len(answered)} of {len(models)} models answered, {required} are required; try again soon")
    for model in errors:
        MISSING_MODELS.labels(model).inc()
    return ModelAnswers(answered, list(errors))
