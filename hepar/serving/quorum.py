"""Calling several models at once, how many of them must answer, and models that a result can do without."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from hepar.core.errors import HeparError, Unavailable
from hepar.core.metrics import MISSING_MODELS

_log = logging.getLogger(__name__)
Output = TypeVar("Output")


class BelowQuorum(Unavailable):
    """Some models answered, but fewer than required."""

    title, slug = "Too few models answered", "below-quorum"


async def call_models(
    models: Sequence[str], call: Callable[[str], Awaitable[Output]], quorum: int
) -> tuple[list[Output], list[str]]:
    """Calls all models at once. Returns the outputs in the order of `models`, and the names of the models that failed.

    With fewer models than `quorum`, all of them must answer. Raises Unavailable without models, BelowQuorum where too
    few answered, and the first model's error where none did.
    """
    if not models:
        raise Unavailable("no model is loaded for this at the moment")
    results = await asyncio.gather(*map(call, models), return_exceptions=True)
    outputs: list[Output] = []
    errors: dict[str, HeparError] = {}
    for model, result in zip(models, results, strict=True):
        if isinstance(result, HeparError):
            _log.warning("model failed", extra={"model": model, "reason": result.detail})
            errors[model] = result
        elif isinstance(result, BaseException):
            raise result
        else:
            outputs.append(result)
    required = min(quorum, len(models))
    if not outputs:
        raise next(iter(errors.values()))
    if len(outputs) < required:
        raise BelowQuorum(f"{len(outputs)} of {len(models)} models answered, {required} are required; try again soon")
    for model in errors:
        MISSING_MODELS.labels(model).inc()
    return outputs, list(errors)


async def call_optional_model(model: str, call: Awaitable[Output]) -> tuple[Output | None, list[str]]:
    """For a model that a result can do without. Returns its output, or None and its name where it does not answer."""
    try:
        return await call, []
    except HeparError as error:
        _log.warning("model failed", extra={"model": model, "reason": error.detail})
        MISSING_MODELS.labels(model).inc()
        return None, [model]
