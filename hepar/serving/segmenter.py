"""Segmenter: masks of liver and lesions, called once for each image."""

from __future__ import annotations

from dataclasses import dataclass

from hepar.core.deadlines import Deadline
from hepar.core.errors import HeparError
from hepar.ensemble.masks import OrganMasks
from hepar.imaging.prepared import ImageBatch
from hepar.inference import ModelRepositoryWatcher, TritonClient
from hepar.inference.outputs import ExpectedOutput
from hepar.inference.triton import InferenceResult
from hepar.inference.version_routing import VersionRouting

_LABELS = ["liver", "lesion"]


@dataclass(frozen=True)
class SegmenterOutput:
    """model, version: of the segmenter that answered.  duration_ms: of the call."""

    model: str
    version: str
    duration_ms: float
    masks: OrganMasks


class Segmenter:
    """The segmenter of the model repository; of several, the first by name whose labels are liver and lesion."""

    def __init__(self, triton: TritonClient, models: ModelRepositoryWatcher) -> None:
        self._triton = triton
        self._models = models

    @property
    def routing(self) -> VersionRouting | None:
        """Of the segmenter that is served now; None where there is none."""
        routings = self._models.current.routings.values()
        return next((routing for routing in routings if routing.card.labels == _LABELS), None)

    async def segment(
        self, batch: ImageBatch, routing: VersionRouting, deadline: Deadline
    ) -> list[SegmenterOutput | HeparError]:
        """batch: prepared for the views of `routing`. For each image its masks, or why it has none."""
        version, card = routing.choose_version()
        view = card.input.view
        expected = {"masks": ExpectedOutput((len(_LABELS), view.height, view.width), "u", 0, 255)}
        results = await self._triton.infer_batch(card.name, batch.stacks[view], expected, deadline, version)
        outputs: list[SegmenterOutput | HeparError] = []
        for image, result in zip(batch.images, results, strict=True):
            if isinstance(result, InferenceResult):
                masks = OrganMasks(
                    result.outputs["masks"], card.decision_threshold, image.inputs[view].transform, image.geometry
                )
                outputs.append(SegmenterOutput(card.name, result.version, result.duration_ms, masks))
            else:
                outputs.append(result)
        return outputs
