"""All detectors on one image, at once, within one deadline."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import cast

from hepar.contracts.cards import Ensemble, FusionMethod, ModelCard
from hepar.contracts.models import ServedModel
from hepar.core.deadlines import Deadline
from hepar.core.errors import InvalidField, InvalidRequest
from hepar.core.metrics import BOX_SCORE, BOXES
from hepar.core.request_context import stage
from hepar.ensemble.fusion import FoundBox, FusedBox, FusionParameters, fuse
from hepar.imaging import CtImage
from hepar.imaging.letterbox import LetterboxCache, LetterboxTransform
from hepar.inference import ModelRepositoryWatcher, ModelSet, TritonClient
from hepar.inference.triton import Answer, Expected
from hepar.serving.drift_monitor import Watch
from hepar.serving.models import ask_all, chosen, served_models
from hepar.serving.options import FusionOptions
from hepar.serving.scope_check import ScopeCheck, ScopeResult

DEFAULT: FusionMethod = "weighted_box_fusion"
_ROWS = 100
_SOFT_SIGMA = 0.5
_EXPECTED = {
    "boxes": Expected((_ROWS, 4), "f", -1.0, 2.0),  # a network may draw a box over the edge; it is clipped
    "scores": Expected((_ROWS,), "f", 0.0, 1.001),
}


@dataclass(frozen=True)
class Finding:
    """What one detector found. joining: the boxes that go into the fusion; boxes: those above its own threshold."""

    model: str
    version: str
    duration_ms: float
    boxes: list[FoundBox]
    joining: list[FoundBox]


@dataclass(frozen=True)
class Findings:
    """The fused boxes, what each detector found, what the input check says, and the models that did not answer."""

    fused: list[FusedBox]
    method: FusionMethod
    findings: list[Finding]
    missing: list[str]
    look: ScopeResult


class Detectors:
    """The detectors that the model repository has cards for, as it is now."""

    def __init__(
        self, triton: TritonClient, models: ModelRepositoryWatcher, check: ScopeCheck, quorum: int, overlap: float
    ) -> None:
        self._triton = triton
        self._models = models
        self._check = check
        self._quorum = quorum
        self._overlap = overlap
        self._watch = Watch("detection")

    async def find(self, image: CtImage, deadline: Deadline, options: FusionOptions) -> Findings:
        """Raises InvalidRequest for a detector or a method that is not offered, and what `ask_all` raises."""
        models = self._models.current
        names = chosen(models.cards, options.detectors, "detectors")
        way = self._way(models, options.fusion)
        letterboxes = LetterboxCache(image.pixels)

        async def ask(model: str) -> Finding:
            version, card = models.offers[model].pick()
            pixels, placement = letterboxes.to(card.input.height, card.input.width)
            expected = _EXPECTED | {"labels": Expected((_ROWS,), "i", 0, len(card.labels) - 1)}
            answer = await self._triton.infer(model, pixels, expected, deadline, version)
            threshold = card.decision_threshold if models.ensemble is None else way.member_threshold
            joining = boxes_in_image(model, card, answer, placement, threshold)
            boxes = [box for box in joining if box.score >= card.decision_threshold]
            return Finding(model, answer.version, answer.duration_ms, boxes, joining)

        with stage("models"):
            look, (findings, missing) = await asyncio.gather(
                self._check.look(letterboxes, deadline), ask_all(names, ask, self._quorum)
            )
        if look.out_of_scope:  # what the networks see in an image that they do not know means nothing
            return Findings([], cast("FusionMethod", way.method), [], missing + look.missing, look)
        found = [box for finding in findings for box in finding.joining]
        answered = [finding.model for finding in findings]
        fused = fuse(found, answered, FusionParameters.of(way))
        kept = [box for box in fused if box.score >= way.decision_threshold]
        BOXES.observe(len(kept))
        for box in kept:
            BOX_SCORE.observe(box.score)
        if not missing and options.fusion is None and not options.detectors:
            self._watch.note(models, {"boxes": len(kept), "best_score": max((box.score for box in kept), default=0.0)})
        return Findings(kept, cast("FusionMethod", way.method), findings, missing + look.missing, look)

    def _way(self, models: ModelSet, method: FusionMethod | None) -> Ensemble:
        """The fitted one; equal weights and the settings' overlap where the models were not fitted together."""
        fitted = models.ensemble
        if fitted is not None:
            if method is not None and method not in fitted.methods:
                message = f"the models have no {method}; they have {', '.join(fitted.methods)}"
                raise InvalidRequest(message, InvalidField("query", "/fusion", "unknown_method", message))
            return fitted.methods[method or fitted.default]
        soft = method == "soft_non_maximum_suppression"
        return Ensemble(
            method=method or DEFAULT,
            members=dict.fromkeys(models.cards, 1.0) or {"none": 1.0},
            decision_threshold=0.0,
            overlap=None if soft else self._overlap,
            sigma=_SOFT_SIGMA if soft else None,
            metrics={},
        )

    async def served(self) -> list[ServedModel]:
        """These and their input check, and who answers now."""
        return await served_models(self._triton, dict(self._models.current.offers) | self._check.offers)

    async def readiness(self) -> dict[str, bool]:
        names = list(self._models.current.cards)
        ready = await self._triton.ready_models(names)
        return {"detectors": 0 < min(self._quorum, len(names)) <= sum(ready.values())}


@dataclass(frozen=True)
class BoxSize:
    """Width and height, to a tenth."""

    size_px: tuple[float, float]
    size_mm: tuple[float, float] | None


def measured(corners: tuple[float, float, float, float], spacing_mm: tuple[float, float] | None) -> BoxSize:
    """corners: x_min, y_min, x_max, y_max in pixels.  spacing_mm: of rows and of columns, None where unknown."""
    width, height = corners[2] - corners[0], corners[3] - corners[1]
    size_px = (round(width, 1), round(height, 1))
    if spacing_mm is None:
        return BoxSize(size_px, None)
    return BoxSize(size_px, (round(width * spacing_mm[1], 1), round(height * spacing_mm[0], 1)))


def boxes_in_image(
    model: str, card: ModelCard, answer: Answer, placement: LetterboxTransform, threshold: float
) -> list[FoundBox]:
    """Rows at or above the threshold, in pixels of the image; boxes without area are left out."""
    scores, labels = answer.outputs["scores"], answer.outputs["labels"]
    used = scores >= max(threshold, 1e-6)
    found = []
    corners = placement.to_image(answer.outputs["boxes"][used])
    for (x_min, y_min, x_max, y_max), score, label in zip(corners, scores[used], labels[used], strict=True):
        if x_max > x_min and y_max > y_min:
            box = (float(x_min), float(y_min), float(x_max), float(y_max))
            found.append(FoundBox(model, box, min(float(score), 1.0), card.labels[int(label)]))
    return found
