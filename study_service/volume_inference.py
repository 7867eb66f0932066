"""What the model services answer about one volume, asked ahead of the step that stores it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from hepar.contracts.slices import SliceClassifications, SliceDetections
from hepar.contracts.study_results import ModelVersion
from hepar.core.deadlines import Deadline
from hepar.core.errors import Unavailable
from hepar.ensemble.liver_search import LiverSearch
from hepar.imaging.ct_image import LIVER_WINDOW, GreyImage
from hepar.imaging.volume import CtVolume, VolumeGeometry, grey_levels
from study_service.analysed_volume import AnalysedVolume, StoredLiver, StoredVolume
from study_service.slice_models import LiverMasks, SliceModels
from study_service.started_early import StartedEarly

STEP_SLICES = 16
"""Slices of one step: a worker that dies loses the answers for these and the next ones at most."""
_LIVER_SLICES = 64
_SEGMENTATION = "segmentation"


class SliceAnswers(BaseModel):
    """Of the models, for the slices from `start`."""

    start: int
    classifications: SliceClassifications
    detections: SliceDetections


class MixedModels(Unavailable):
    """Models were replaced in the middle of a study; the analysis of its slices begins again."""


@dataclass(frozen=True)
class LiverFound:
    """extent: first and last slice of the liver; None without one.  masks: of these slices."""

    extent: tuple[int, int] | None
    masks: LiverMasks


class VolumeInference:
    """All methods raise what SliceModels does. Voxels and masks come from memory in the worker that made them, and
    from the storage in another that continues. Call `aclose` at the end.

    call_s: for the slices of one step.
    """

    def __init__(self, models: SliceModels, stored: AnalysedVolume, call_s: float) -> None:
        self._models = models
        self._stored = stored
        self._call_s = call_s
        self._hounsfield: NDArray[np.int16] | None = None
        self._masks: LiverMasks | None = None
        self._segmenting = StartedEarly[str, LiverFound]()
        self._asking = StartedEarly[int, SliceAnswers]()

    async def aclose(self) -> None:
        await self._segmenting.stop()
        await self._asking.stop()

    def begin(self, volume: CtVolume) -> None:
        """Looks for the liver in a volume that was just read, while it is stored."""
        self._hounsfield = volume.hu
        self._segmenting.start(_SEGMENTATION, partial(self._segment, volume.geometry, None))

    async def found_liver(self, volume: StoredVolume) -> LiverFound:
        """Raises MixedModels."""
        return await self._segmenting.answer(_SEGMENTATION, partial(self._segment, volume.geometry, volume))

    def keep(self, masks: LiverMasks) -> None:
        """Those of the slices of the liver, as they were stored."""
        self._masks = masks

    async def masks(self, liver: StoredLiver, start: int, stop: int) -> LiverMasks:
        """Of slices of the liver."""
        if self._masks is not None and liver.extent is not None:
            return self._masks.of(slice(start - liver.extent[0], stop - liver.extent[0]))
        return LiverMasks(await self._stored.shares(liver, start, stop), liver.segmenter, liver.lesion_threshold)

    def ask(self, volume: StoredVolume, liver: StoredLiver, start: int) -> None:
        """Asks classifiers and detectors about the slices of the step from `start`, and does not wait."""
        self._asking.start(start, partial(self._ask, volume, liver, start))

    async def answers(self, volume: StoredVolume, liver: StoredLiver, start: int) -> SliceAnswers:
        return await self._asking.answer(start, partial(self._ask, volume, liver, start))

    async def _segment(self, geometry: VolumeGeometry, volume: StoredVolume | None) -> LiverFound:
        search, segmenters, threshold = LiverSearch(geometry.shape[0], geometry.spacing_mm[0]), set[ModelVersion](), 0.0
        while search.wanted:
            parts: list[NDArray[np.uint8]] = []
            for start in range(0, len(search.wanted), _LIVER_SLICES):
                indices = search.wanted[start : start + _LIVER_SLICES]
                found = await self._models.liver(await self._grey(volume, indices), Deadline.after(self._call_s))
                parts.append(found.shares)
                segmenters.add(found.segmenter)
                threshold = found.lesion_threshold
            search.add(np.concatenate(parts))
        if len(segmenters) > 1:
            raise MixedModels("the segmenter was replaced in the middle of a study")
        (segmenter,) = segmenters
        shares = search.shares() if search.extent else np.empty((0, 2, 0, 0), dtype=np.uint8)
        return LiverFound(search.extent, LiverMasks(shares, segmenter, threshold))

    async def _ask(self, volume: StoredVolume, liver: StoredLiver, start: int) -> SliceAnswers:
        stop = min(start + STEP_SLICES, (liver.extent or (0, -1))[1] + 1)
        grey, masks = await self._grey(volume, range(start, stop)), await self.masks(liver, start, stop)
        deadline = Deadline.after(self._call_s)
        classified, detected = await asyncio.gather(
            self._models.classify(grey, deadline, masks), self._models.detect(grey, deadline, masks)
        )
        return SliceAnswers(start=start, classifications=classified, detections=detected)

    async def _grey(self, volume: StoredVolume | None, indices: Sequence[int]) -> GreyImage:
        """indices: in ascending order.  volume: where the slices are stored; None while they are in memory only."""
        if self._hounsfield is not None:
            return await asyncio.to_thread(_grey_of, self._hounsfield, indices)
        assert volume is not None  # noqa: S101  `begin` was not called
        runs = np.split(np.array(indices), np.flatnonzero(np.diff(indices) != 1) + 1)
        slices = [await self._stored.hounsfield(volume, int(run[0]), int(run[-1]) + 1) for run in runs]
        return await asyncio.to_thread(grey_levels, np.concatenate(slices), LIVER_WINDOW)


def _grey_of(hounsfield: NDArray[np.int16], indices: Sequence[int]) -> GreyImage:
    return grey_levels(hounsfield[list(indices)], LIVER_WINDOW)
