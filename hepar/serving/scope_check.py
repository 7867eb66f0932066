"""Scope check: is the image of the kind that the networks were trained on, and does it show a liver?

A model of its own judges the image as a whole, and the segmenter looks for the liver; both are called with the others.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from hepar.contracts.scope import InputCheck, LiverExtent, Scope, ScopeCode
from hepar.core.deadlines import Deadline
from hepar.core.errors import HeparError
from hepar.core.metrics import MISSING_MODELS, OUT_OF_SCOPE
from hepar.imaging.prepared import PreparedImage
from hepar.inference import ModelRepositoryWatcher, TritonClient
from hepar.inference.triton import ExpectedOutput
from hepar.inference.version_routing import VersionRouting
from hepar.serving.segmenter import Segmenter, SegmenterOutput

_log = logging.getLogger(__name__)
_EXPECTED = {"typicality": ExpectedOutput((1,), "f", 0.0, 1.001)}
_REASONS: dict[ScopeCode, str] = {
    "not_abdominal_ct": "the image does not resemble the abdominal CT slices that the networks were trained on",
    "no_liver": "the segmenter sees no liver in the image",
}


@dataclass(frozen=True)
class ScopeResult:
    """scope: None where neither model answered.  segmented: None where no segmenter answered.

    missing: input check and segmenter, where they should have answered.
    """

    scope: Scope | None
    segmented: SegmenterOutput | None
    missing: list[str]

    @property
    def out_of_scope(self) -> bool:
        return self.scope is not None and not self.scope.in_scope


@dataclass(frozen=True)
class ScopeModels:
    """Input check and segmenter as they are when a request comes; None where the repository has none."""

    input_check: VersionRouting | None
    segmenter: VersionRouting | None

    @property
    def input_sizes(self) -> AbstractSet[tuple[int, int]]:
        """Height and width, in pixels."""
        return {size for routing in (self.input_check, self.segmenter) if routing for size in routing.input_sizes}

    @property
    def routings(self) -> dict[str, VersionRouting]:
        """By model name."""
        return {routing.card.name: routing for routing in (self.input_check, self.segmenter) if routing}


class ScopeCheck:
    """The input check of the model repository (of several, the first by name), and the segmenter."""

    def __init__(self, triton: TritonClient, input_checks: ModelRepositoryWatcher, segmenter: Segmenter) -> None:
        self._triton = triton
        self._input_checks = input_checks
        self.segmenter = segmenter

    @property
    def models(self) -> ScopeModels:
        check = next(iter(self._input_checks.current.routings.values()), None)
        return ScopeModels(check, self.segmenter.routing)

    async def check(self, image: PreparedImage, models: ScopeModels, deadline: Deadline) -> ScopeResult:
        """Never fails: without an answer the networks decide alone, and `missing` names the model.

        image: prepared for the input sizes of `models`.
        """
        checked, segmented = await asyncio.gather(
            self._typicality(image, models.input_check, deadline),
            self.segmenter.segment_if_available(image, models.segmenter, deadline),
        )
        scope = scope_of(checked[0], segmented[0], image.spacing_mm)
        if scope is not None and not scope.in_scope:
            OUT_OF_SCOPE.inc()
        return ScopeResult(scope, segmented[0], checked[1] + segmented[1])

    async def _typicality(
        self, image: PreparedImage, routing: VersionRouting | None, deadline: Deadline
    ) -> tuple[InputCheck | None, list[str]]:
        """The result, and the input check's name where it should have answered and did not."""
        if routing is None:
            return None, []
        version, card = routing.choose_version()
        pixels = image.inputs[card.input.height, card.input.width].pixels
        try:
            result = await self._triton.infer(card.name, pixels, _EXPECTED, deadline, version)
        except HeparError as error:
            _log.warning("input check failed", extra={"model": card.name, "reason": error.detail})
            MISSING_MODELS.labels(card.name).inc()
            return None, [card.name]
        typicality = round(min(float(result.outputs["typicality"][0]), 1.0), 4)
        checked = InputCheck(
            model=card.name, version=result.version, typicality=typicality, threshold=card.decision_threshold
        )
        return checked, []


def scope_of(
    checked: InputCheck | None, segmented: SegmenterOutput | None, spacing_mm: tuple[float, float] | None
) -> Scope | None:
    """None where neither model answered. spacing_mm: between rows and between columns."""
    if checked is None and segmented is None:
        return None
    code: ScopeCode | None = None
    if checked is not None and checked.typicality < checked.threshold:
        code = "not_abdominal_ct"
    elif segmented is not None and not segmented.masks.liver_seen:
        code = "no_liver"
    return Scope(
        in_scope=code is None,
        code=code,
        reason=None if code is None else _REASONS[code],
        input_check=checked,
        liver=None if segmented is None else _extent(segmented, spacing_mm),
    )


def _extent(segmented: SegmenterOutput, spacing_mm: tuple[float, float] | None) -> LiverExtent:
    area_px = segmented.masks.liver_area_px
    return LiverExtent(
        model=segmented.model,
        version=segmented.version,
        area_px=round(area_px, 1),
        area_mm2=None if spacing_mm is None else round(area_px * spacing_mm[0] * spacing_mm[1], 1),
    )
