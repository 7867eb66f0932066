"""Scope check: is the image of the kind that the networks were trained on? A model of its own answers, in parallel."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from hepar.contracts.analyses import Scope
from hepar.core.deadlines import Deadline
from hepar.core.errors import HeparError
from hepar.core.metrics import MISSING_MODELS, OUT_OF_SCOPE
from hepar.imaging.prepared import PreparedImage
from hepar.inference import ModelRepositoryWatcher, TritonClient
from hepar.inference.triton import ExpectedOutput
from hepar.inference.version_routing import VersionRouting

_log = logging.getLogger(__name__)
_EXPECTED = {"typicality": ExpectedOutput((1,), "f", 0.0, 1.001)}
_REASON = "the image does not resemble the abdominal CT slices that the networks were trained on"


@dataclass(frozen=True)
class ScopeResult:
    """scope: None where no input check answered.  missing: the input check, where it should have answered."""

    scope: Scope | None
    missing: list[str]

    @property
    def out_of_scope(self) -> bool:
        return self.scope is not None and not self.scope.in_scope


class ScopeCheck:
    """The input check of the model repository; of several, the first by name."""

    def __init__(self, triton: TritonClient, models: ModelRepositoryWatcher) -> None:
        self._triton = triton
        self._models = models

    @property
    def routing(self) -> VersionRouting | None:
        """Of the input check that is served now; None where there is none."""
        return next(iter(self._models.current.routings.values()), None)

    async def check(self, image: PreparedImage, routing: VersionRouting | None, deadline: Deadline) -> ScopeResult:
        """Never fails: without an answer the networks decide alone, and `missing` names the input check.

        image: prepared for the input sizes of `routing`.
        """
        if routing is None:
            return ScopeResult(None, [])
        version, card = routing.choose_version()
        pixels = image.inputs[card.input.height, card.input.width].pixels
        try:
            result = await self._triton.infer(card.name, pixels, _EXPECTED, deadline, version)
        except HeparError as error:
            _log.warning("input check failed", extra={"model": card.name, "reason": error.detail})
            MISSING_MODELS.labels(card.name).inc()
            return ScopeResult(None, [card.name])
        typicality = min(float(result.outputs["typicality"][0]), 1.0)
        in_scope = typicality >= card.decision_threshold
        if not in_scope:
            OUT_OF_SCOPE.inc()
        scope = Scope(
            model=card.name,
            version=result.version,
            in_scope=in_scope,
            reason=None if in_scope else _REASON,
            typicality=round(typicality, 4),
            threshold=card.decision_threshold,
        )
        return ScopeResult(scope, [])
