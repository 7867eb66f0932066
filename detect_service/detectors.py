"""All detectors on one image, at once, within one deadline."""

from __future__ import annotations

from dataclasses import dataclass

from hepar.contracts.cards import ModelCard
from hepar.ensemble.fusion import FoundBox, FusedBox, fuse, weighted_box_fusion
from hepar.imaging import CtImage
from hepar.imaging.fitting import Placement, fit
from hepar.inference import TritonClient, agreed_ensemble
from hepar.inference.triton import Answer, Expected
from hepar.service.deadlines import Deadline
from hepar.service.models import ask_all
from hepar.service.problems import BadUpstream

_ROWS = 100
_EXPECTED = {
    "boxes": Expected((_ROWS, 4), "f"),
    "scores": Expected((_ROWS,), "f"),
    "labels": Expected((_ROWS,), "i"),
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
    """The fused boxes, what each detector found, and the detectors that did not answer."""

    fused: list[FusedBox]
    findings: list[Finding]
    missing: list[str]


class Detectors:
    """The detectors that the model repository has cards for."""

    def __init__(self, triton: TritonClient, cards: dict[str, ModelCard], quorum: int, overlap: float) -> None:
        self._triton = triton
        self._cards = cards
        self._quorum = quorum
        self._fitted = agreed_ensemble(cards)
        self._overlap = overlap

    async def find(self, image: CtImage, deadline: Deadline) -> Findings:
        """Raises Unavailable, DeadlineExceeded or BadUpstream when fewer models answer than the quorum."""

        async def ask(model: str) -> Finding:
            card = self._cards[model]
            pixels, placement = fit(image.pixels, card.input.height, card.input.width)
            answer = await self._triton.infer(model, pixels, _EXPECTED, deadline)
            fitted = self._fitted
            threshold = card.decision_threshold if fitted is None else fitted.member_threshold
            joining = boxes_in_image(model, card, answer, placement, threshold)
            boxes = [box for box in joining if box.score >= card.decision_threshold]
            return Finding(model, answer.version, answer.duration_ms, boxes, joining)

        findings, missing = await ask_all(list(self._cards), ask, self._quorum)
        found = [box for finding in findings for box in finding.joining]
        return Findings(self._fused(found, len(findings)), findings, missing)

    def _fused(self, found: list[FoundBox], detectors: int) -> list[FusedBox]:
        fitted = self._fitted
        if fitted is None:
            return weighted_box_fusion(found, detectors, self._overlap)
        boxes = fuse(fitted.method, found, detectors, fitted.overlap or self._overlap)
        return [box for box in boxes if box.score >= fitted.decision_threshold]

    async def readiness(self) -> dict[str, bool]:
        ready = await self._triton.ready_models(list(self._cards))
        return {"detectors": sum(ready.values()) >= self._quorum}


def boxes_in_image(
    model: str, card: ModelCard, answer: Answer, placement: Placement, threshold: float
) -> list[FoundBox]:
    """Rows at or above the threshold, in pixels of the image; boxes without area are left out.

    Raises BadUpstream for a score outside 0..1 or a label the card does not have.
    """
    scores, labels = answer.outputs["scores"], answer.outputs["labels"]
    if (scores < 0).any() or (scores > 1.001).any() or (labels < 0).any() or (labels >= len(card.labels)).any():
        raise BadUpstream(f"{model} gave a score or label out of range")
    used = scores >= max(threshold, 1e-6)
    found = []
    corners = placement.to_image(answer.outputs["boxes"][used])
    for (x_min, y_min, x_max, y_max), score, label in zip(corners, scores[used], labels[used], strict=True):
        if x_max > x_min and y_max > y_min:
            box = (float(x_min), float(y_min), float(x_max), float(y_max))
            found.append(FoundBox(model, box, min(float(score), 1.0), card.labels[int(label)]))
    return found
