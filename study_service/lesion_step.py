"""From the models' answers about slices to lesions, and to a label for each voxel of the liver's slices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hepar.contracts.lesions import SliceBox
from hepar.contracts.slices import SliceClassifications, SliceDetections
from hepar.contracts.study_results import SliceModelAnswers, SliceResult
from hepar.contracts.views import View
from hepar.ensemble.lesion_masks import LesionMask, MaskGrid, OrganVolume
from hepar.ensemble.lesions import VolumeAnalysis, VolumeEvidence, analyse_volume
from hepar.ensemble.masks import LIVER, LIVER_THRESHOLD
from hepar.imaging.input_frame import ChosenFrame, InputScale
from hepar.imaging.letterbox import LetterboxTransform, letterbox
from study_service.analysed_volume import LIVER_LABEL, StoredLiver, StoredVolume


@dataclass(frozen=True)
class LesionInput:
    """shares: (slices of the liver, 2, h, w), None without a liver.  classified, detected: in the order of slices."""

    volume: StoredVolume
    liver: StoredLiver
    shares: NDArray[np.uint8] | None
    classified: Sequence[SliceClassifications]
    detected: Sequence[SliceDetections]

    @property
    def first(self) -> int:
        return self.liver.extent[0] if self.liver.extent else 0

    def slice_results(self) -> list[SliceResult]:
        items = [item for part in self.classified for item in part.items]
        return [
            SliceResult(slice=self.first + index, **item.model_dump(exclude={"votes"}))
            for index, item in enumerate(items)
        ]

    def boxes(self) -> list[SliceBox]:
        items = [boxes for part in self.detected for boxes in part.items]
        return [
            SliceBox(slice=self.first + index, **box.model_dump()) for index, boxes in enumerate(items) for box in boxes
        ]

    def model_answers(self) -> list[SliceModelAnswers]:
        """What each model said about each slice of the liver."""
        votes = [item.votes for part in self.classified for item in part.items]
        single = [boxes for part in self.detected for boxes in part.single or [[] for _ in part.items]]
        return [
            SliceModelAnswers(
                slice=self.first + index,
                boxes=[SliceBox(slice=self.first + index, **box.model_dump()) for box in boxes],
                votes=of_slice,
            )
            for index, (boxes, of_slice) in enumerate(zip(single, votes, strict=True))
        ]

    def transform(self) -> LetterboxTransform:
        """Where a slice lies in the segmenter's input."""
        assert self.shares is not None  # noqa: S101  callers check it
        _, rows, columns = self.volume.geometry.shape
        height, width = self.shares.shape[2:]
        return letterbox(np.zeros((rows, columns), dtype=np.uint8), height, width, frame=self.liver.frame)[1]


def scale_of(given: LesionInput) -> InputScale | None:
    """Of what the networks saw of each slice; None without a liver. The closest view differs between slices."""
    if given.shares is None:
        return None
    pixel_mm, chosen = given.volume.geometry.spacing_mm[2], given.liver.frame
    placed = given.transform()
    scale = ChosenFrame(chosen, pixel_mm, "file").scale({View(placed.input_height, placed.input_width): placed})
    return replace(scale, closest_mm_per_pixel=None)


def find_lesions(given: LesionInput, study_id: str, version: int) -> VolumeAnalysis:
    """Out of scope where no slice shows a liver."""
    organ = None
    if given.shares is not None:
        organ = OrganVolume(given.shares, given.transform(), given.liver.lesion_threshold, given.first)
    evidence = VolumeEvidence(
        geometry=given.volume.geometry,
        boxes=given.boxes(),
        slices=given.slice_results(),
        organ=organ,
        slice_thickness_mm=given.volume.thickness_mm,
    )
    return analyse_volume(evidence, study_id, version)


def label_slices(given: LesionInput, analysis: VolumeAnalysis) -> Iterator[NDArray[np.uint16]]:
    """(rows, columns) for each slice of the liver, in pixels of the slice: see LIVER_LABEL."""
    if given.shares is None:
        return
    grid = MaskGrid.of(given.transform(), given.volume.geometry)
    _, rows, columns = given.volume.geometry.shape
    lesions = [(int(name.removeprefix("L")), mask) for name, mask in analysis.masks.items()]
    for index, shares in enumerate(given.shares, start=given.first):
        top, left, cut = _cut(shares[LIVER])
        liver = LesionMask(cut[np.newaxis], LIVER_THRESHOLD, index, left, top, grid)
        labels = np.where(liver.in_slice(index, (rows, columns)), np.uint16(LIVER_LABEL), np.uint16(0))
        for number, mask in lesions:
            if mask.first_slice <= index <= mask.last_slice:
                labels[mask.in_slice(index, (rows, columns))] = LIVER_LABEL + number
        yield labels


def _cut(shares: NDArray[np.uint8]) -> tuple[int, int, NDArray[np.uint8]]:
    """All that is not zero with one pixel around it, and where that begins: its first row and column."""
    rows, columns = (_around(np.flatnonzero(shares.any(axis=axis))) for axis in (1, 0))
    return rows.start, columns.start, shares[rows, columns]


def _around(places: NDArray[np.intp]) -> slice:
    return slice(max(int(places[0]) - 1, 0), int(places[-1]) + 2) if len(places) else slice(0, 1)
