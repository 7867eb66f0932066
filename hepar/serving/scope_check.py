"""Scope check: is the image of the kind that the networks were trained on, and does it show a liver?

A model of its own judges the image as a whole, and the segmenter looks for the liver; both are called with the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from hepar.contracts.scope import InputCheck, LiverExtent, Scope, ScopeCode
from hepar.contracts.views import View
from hepar.core.deadlines import Deadline
from hepar.core.errors import HeparError
from hepar.core.metrics import OUT_OF_SCOPE
from hepar.imaging.prepared import ImageBatch, PreparedImage
from hepar.inference import Inference, ModelRepositoryWatcher, TritonClient
from hepar.inference.outputs import ExpectedOutput
from hepar.inference.triton import InferenceResult
from hepar.inference.version_routing import VersionRouting
from hepar.serving.quorum import Output, call_optional_model
from hepar.serving.segmenter import Segmenter, SegmenterOutput

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
    def views(self) -> AbstractSet[View]:
        return {view for routing in (self.input_check, self.segmenter) if routing for view in routing.views}

    @property
    def input_check_routing(self) -> dict[str, VersionRouting]:
        """By model name; empty without one."""
        return {} if self.input_check is None else {self.input_check.card.name: self.input_check}

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

    async def check(
        self,
        batch: ImageBatch,
        models: ScopeModels,
        deadline: Deadline,
        inference: Inference | None = None,
        segmented: Sequence[SegmenterOutput] | None = None,
    ) -> list[ScopeResult]:
        """For each image. Never fails: without an answer the networks decide alone, and `missing` names the model.

        batch: prepared for the views of `models`.  inference: calls the input check; Triton by default.
        segmented: the masks, where the caller has them already.
        """
        inference = inference or self._triton
        by_check = _if_served(
            batch, models.input_check, lambda routing: _typicality(inference, batch, routing, deadline)
        )
        if segmented is None:
            checked, masked = await asyncio.gather(
                by_check,
                _if_served(batch, models.segmenter, lambda routing: self.segmenter.segment(batch, routing, deadline)),
            )
        else:
            checked, masked = await by_check, [(output, list[str]()) for output in segmented]
        if len(batch.images) == 1:
            return [_result(batch.images[0], *checked[0], *masked[0])]
        return await asyncio.to_thread(_results, batch, checked, masked)


async def _typicality(
    inference: Inference, batch: ImageBatch, routing: VersionRouting, deadline: Deadline
) -> list[InputCheck | HeparError]:
    version, card = routing.choose_version()
    pixels = batch.stacks[card.input.view]
    results = await inference.infer_batch(card.name, pixels, _EXPECTED, deadline, version)
    return [
        InputCheck(
            model=card.name,
            version=result.version,
            typicality=round(min(float(result.outputs["typicality"][0]), 1.0), 4),
            threshold=card.decision_threshold,
        )
        if isinstance(result, InferenceResult)
        else result
        for result in results
    ]


def _results(
    batch: ImageBatch,
    checked: Sequence[tuple[InputCheck | None, list[str]]],
    masked: Sequence[tuple[SegmenterOutput | None, list[str]]],
) -> list[ScopeResult]:
    return [
        _result(image, *of_check, *of_segmenter)
        for image, of_check, of_segmenter in zip(batch.images, checked, masked, strict=True)
    ]


def _result(
    image: PreparedImage,
    checked: InputCheck | None,
    without_check: list[str],
    segmented: SegmenterOutput | None,
    without_segmenter: list[str],
) -> ScopeResult:
    scope = scope_of(checked, segmented, image.spacing_mm)
    if scope is not None and not scope.in_scope:
        OUT_OF_SCOPE.inc()
    return ScopeResult(scope, segmented, without_check + without_segmenter)


async def _if_served(
    batch: ImageBatch,
    routing: VersionRouting | None,
    call: Callable[[VersionRouting], Awaitable[Sequence[Output | HeparError]]],
) -> list[tuple[Output | None, list[str]]]:
    """As `call_optional_model`; nothing is missing where the repository has no such model."""
    if routing is None:
        return [(None, []) for _ in batch.images]
    return await call_optional_model(routing.card.name, call(routing))


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
