"""Scope check: is the image of a kind that the networks know? A model of its own answers, in parallel."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from itertools import islice

from hepar.contracts.analyses import Scope
from hepar.core.deadlines import Deadline
from hepar.core.errors import HeparError
from hepar.core.metrics import MISSING_MODELS, OUT_OF_SCOPE
from hepar.imaging.letterbox import LetterboxCache
from hepar.inference import ModelRepositoryWatcher, TritonClient
from hepar.inference.triton import Expected
from hepar.inference.version_routing import VersionRouting

_log = logging.getLogger(__name__)
_EXPECTED = {"typicality": Expected((1,), "f", 0.0, 1.001)}


@dataclass(frozen=True)
class ScopeResult:
    """scope: None where no check answered.  missing: the check that should have."""

    scope: Scope | None
    missing: list[str]

    @property
    def out_of_scope(self) -> bool:
        return self.scope is not None and not self.scope.in_scope


class ScopeCheck:
    """The input check that the model repository has a card for, as it is now: the first by name of several."""

    def __init__(self, triton: TritonClient, models: ModelRepositoryWatcher) -> None:
        self._triton = triton
        self._models = models

    @property
    def offers(self) -> dict[str, VersionRouting]:
        """Of the check; empty where there is none."""
        return dict(islice(self._models.current.offers.items(), 1))

    async def look(self, image: LetterboxCache, deadline: Deadline) -> ScopeResult:
        """Never fails: without a check the networks answer alone, and `missing` says so."""
        offer = next(iter(self.offers.values()), None)
        if offer is None:
            return ScopeResult(None, [])
        version, card = offer.pick()
        pixels, _ = image.to(card.input.height, card.input.width)
        try:
            answer = await self._triton.infer(card.name, pixels, _EXPECTED, deadline, version)
        except HeparError as error:
            _log.warning("input check failed", extra={"model": card.name, "reason": error.detail})
            MISSING_MODELS.labels(card.name).inc()
            return ScopeResult(None, [card.name])
        typicality = min(float(answer.outputs["typicality"][0]), 1.0)
        reason = None
        if typicality < card.decision_threshold:
            OUT_OF_SCOPE.inc()
            reason = "the image does not resemble the abdominal CT slices that the networks were trained on"
        scope = Scope(
            model=card.name,
            version=answer.version,
            in_scope=reason is None,
            reason=reason,
            typicality=round(typicality, 4),
            threshold=card.decision_threshold,
        )
        return ScopeResult(scope, [])
