"""Segmenter: masks of liver and lesions, called once for each image."""

from __future__ import annotations

from dataclasses import dataclass

from hepar.core.deadlines import Deadline
from hepar.ensemble.masks import OrganMasks
from hepar.imaging.prepared import PreparedImage
from hepar.inference import ModelRepositoryWatcher, TritonClient
from hepar.inference.triton import ExpectedOutput
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

    async def segment(self, image: PreparedImage, routing: VersionRouting, deadline: Deadline) -> SegmenterOutput:
        """image: prepared for the input sizes of `routing`. Raises what `TritonClient.infer` raises."""
        version, card = routing.choose_version()
        network_input = image.inputs[card.input.height, card.input.width]
        shape = (len(_LABELS), card.input.height, card.input.width)
        expected = {"masks": ExpectedOutput(shape, "u", 0, 255)}
        result = await self._triton.infer(card.name, network_input.pixels, expected, deadline, version)
        masks = OrganMasks(result.outputs["masks"], card.decision_threshold, network_input.transform, image.geometry)
        return SegmenterOutput(card.name, result.version, result.duration_ms, masks)
