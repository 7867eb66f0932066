"""What the model services answer about one volume, asked ahead of the step that stores it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from hepar.core.deadlines import Deadline
from hepar.core.errors import Unavailable
from hepar.ensemble.liver_search import LiverSearch
from hepar.imaging.body import BodyBox
from hepar.imaging.ct_image import LIVER_WINDOW, GreyImage
from hepar.imaging.input_frame import frame_of_slices
from hepar.imaging.letterbox import InputFrame
from hepar.imaging.volume import CtVolume, VolumeGeometry, grey_levels
from study_service.analysed_volume import AnalysedVolume, StoredLiver, StoredVolume
from study_service.slice_answers import PART_SLICES, AskedSlices, SliceAnswers
from study_service.slice_models import LiverMasks, SliceModels

STEP_SLICES = 16
"""Slices of one step: a worker that dies loses the answers of the steps that it did not store."""
_SEGMENTED_SLICES, _SEGMENTED_IN_FLIGHT = 8, 2
"""Of one request, and requests at a time: with two, the segmenter does not wait."""


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
        self._searching: asyncio.Task[LiverFound] | None = None
        self._asked = AskedSlices()

    async def aclose(self) -> None:
        if self._searching is not None:
            self._searching.cancel()
            await asyncio.gather(self._searching, return_exceptions=True)
        await self._asked.stop()

    def begin(self, volume: CtVolume, bodies: Mapping[int, BodyBox]) -> None:
        """Looks for the liver in a volume that was just read, while it is stored. bodies: see `bodies_of_volume`."""
        self._hounsfield = volume.hu
        self._searching = asyncio.create_task(self._find_liver(volume.geometry, bodies, None))

    async def found_liver(self, volume: StoredVolume) -> LiverFound:
        """Raises MixedModels."""
        if self._searching is None:
            self._searching = asyncio.create_task(self._find_liver(volume.geometry, volume.bodies, volume))
        return await self._searching

    def keep(self, masks: LiverMasks) -> None:
        """Those of the slices of the liver, as they were stored."""
        self._masks = masks

    async def masks(self, liver: StoredLiver, start: int, stop: int) -> LiverMasks:
        """Of slices of the liver."""
        if self._masks is not None and liver.extent is not None:
            return self._masks.of(slice(start - liver.extent[0], stop - liver.extent[0]))
        shares = await self._stored.shares(liver, start, stop)
        return LiverMasks(shares, liver.segmenter, liver.lesion_threshold, liver.frame)

    def ask(self, volume: StoredVolume, liver: StoredLiver, start: int) -> None:
        """Asks classifiers and detectors about the slices of the step from `start`, and does not wait."""
        self._asked.ask(_step(liver, start), partial(self._ask, volume, liver))

    async def answers(self, volume: StoredVolume, liver: StoredLiver, start: int) -> SliceAnswers:
        return await self._asked.answers(_step(liver, start), partial(self._ask, volume, liver))

    async def _find_liver(
        self, geometry: VolumeGeometry, bodies: Mapping[int, BodyBox], volume: StoredVolume | None
    ) -> LiverFound:
        """Searched in a frame that holds the body in all slices, and segmented in that of the liver's slices.

        The two differ where the body is larger than the training images, at the shoulders for example.
        """
        count, rows, columns = geometry.shape
        size, pixel_mm = (float(columns), float(rows)), geometry.spacing_mm[2]
        frame = frame_of_slices(bodies, 0, count - 1, size, pixel_mm)

        def seen(first: int, last: int) -> InputFrame | None:
            """By the networks, of these slices of the liver."""
            closer = frame_of_slices(bodies, first, last, size, pixel_mm)
            return frame if frame is None or closer is None or closer.side == frame.side else closer

        search, answers = LiverSearch(count, geometry.spacing_mm[0]), list[LiverMasks]()

        def add(indices: Sequence[int], masks: LiverMasks) -> None:
            search.add(indices, masks.shares)
            answers.append(masks)
            liver = search.probable
            if liver and seen(liver[0], liver[-1]) == frame:
                self._ask_early(volume, search, masks, pixel_mm)

        while search.wanted:
            await self._segment(volume, search.wanted, frame, add)
        if search.extent is None:
            return LiverFound(None, _masks_of(answers, np.empty((0, 2, 0, 0), dtype=np.uint8)))
        liver = range(search.extent[0], search.extent[1] + 1)
        closer = seen(*search.extent)
        if closer == frame:
            return LiverFound(search.extent, _masks_of(answers, search.shares(liver)))
        await self._asked.stop()
        parts: dict[int, LiverMasks] = {}
        await self._segment(volume, liver, closer, lambda indices, masks: parts.update({indices[0]: masks}))
        answers = [parts[start] for start in sorted(parts)]
        return LiverFound(search.extent, _masks_of(answers, np.concatenate([part.shares for part in answers])))

    async def _segment(
        self,
        volume: StoredVolume | None,
        indices: Sequence[int],
        frame: InputFrame | None,
        add: Callable[[Sequence[int], LiverMasks], None],
    ) -> None:
        """Calls `add` with the masks of a few slices as soon as they are there, which may be in another order."""
        turns = asyncio.Semaphore(_SEGMENTED_IN_FLIGHT)

        async def segment(part: Sequence[int]) -> None:
            async with turns:
                grey = await self._grey(volume, part)
                masks = await self._models.liver(grey, Deadline.after(self._call_s), frame)
            add(part, masks)

        starts = range(0, len(indices), _SEGMENTED_SLICES)
        tasks = [asyncio.create_task(segment(indices[start : start + _SEGMENTED_SLICES])) for start in starts]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    def _ask_early(self, volume: StoredVolume | None, search: LiverSearch, masks: LiverMasks, pixel_mm: float) -> None:
        """Classifiers and detectors work on slices that the samples show to be the liver's, while it is looked for.

        masks: the last ones, of the same segmenter and frame as those of the search.
        """
        known = search.probable
        whole = known if not search.wanted else known[: len(known) // PART_SLICES * PART_SLICES]

        async def ask(part: range) -> SliceAnswers:
            return await self._answers(volume, part, replace(masks, shares=search.shares(part)), pixel_mm)

        self._asked.ask(whole, ask)

    async def _ask(self, volume: StoredVolume, liver: StoredLiver, part: range) -> SliceAnswers:
        masks = await self.masks(liver, part.start, part.stop)
        return await self._answers(volume, part, masks, volume.geometry.spacing_mm[2])

    async def _answers(
        self, volume: StoredVolume | None, part: range, masks: LiverMasks, pixel_mm: float
    ) -> SliceAnswers:
        grey, deadline = await self._grey(volume, part), Deadline.after(self._call_s)
        classified, detected = await asyncio.gather(
            self._models.classify(grey, deadline, masks), self._models.detect(grey, deadline, masks, pixel_mm)
        )
        return SliceAnswers(start=part.start, classifications=classified, detections=detected)

    async def _grey(self, volume: StoredVolume | None, indices: Sequence[int]) -> GreyImage:
        """indices: in ascending order.  volume: where the slices are stored; None while they are in memory only."""
        if self._hounsfield is not None:
            return await asyncio.to_thread(_grey_of, self._hounsfield, indices)
        assert volume is not None  # noqa: S101  `begin` was not called
        runs = np.split(np.array(indices), np.flatnonzero(np.diff(indices) != 1) + 1)
        slices = [await self._stored.hounsfield(volume, int(run[0]), int(run[-1]) + 1) for run in runs]
        return await asyncio.to_thread(grey_levels, np.concatenate(slices), LIVER_WINDOW)


def _step(liver: StoredLiver, start: int) -> range:
    return range(start, min(start + STEP_SLICES, (liver.extent or (0, -1))[1] + 1))


def _grey_of(hounsfield: NDArray[np.int16], indices: Sequence[int]) -> GreyImage:
    return grey_levels(hounsfield[list(indices)], LIVER_WINDOW)


def _masks_of(answers: Sequence[LiverMasks], shares: NDArray[np.uint8]) -> LiverMasks:
    """answers: of the same frame. Raises MixedModels."""
    if len({(answer.segmenter.model, answer.segmenter.version) for answer in answers}) > 1:
        raise MixedModels("the segmenter was replaced in the middle of a study")
    last = answers[-1]
    return LiverMasks(shares, last.segmenter, last.lesion_threshold, last.frame)
