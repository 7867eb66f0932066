"""Evidence about volumes whose lesions are known: ellipsoids with their masks, boxes and classifications."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepar.contracts.lesions import SliceBox
from hepar.contracts.study_results import SliceResult
from hepar.ensemble.lesion_masks import OrganVolume
from hepar.ensemble.lesions import VolumeEvidence
from hepar.ensemble.study_calibration import LogisticModel, StudyCalibration
from hepar.imaging.letterbox import LetterboxTransform
from hepar.imaging.volume import VolumeGeometry

TYPES = {"cholangiocarcinoma": 0.1, "metastasis": 0.9}
DETECTORS = ["detect_faster_rcnn", "detect_yolov5"]
CALIBRATION = StudyCalibration(
    fitted_on="numbers of these tests",
    lesion=LogisticModel(intercept=-2.0, weights={"score": 6.0, "mask_share": 1.0}),
    patient=LogisticModel(intercept=0.0, weights={"lesions": 0.5, "slices": 0.5}),
    lesion_threshold=0.3,
    tumour_threshold=0.6,
    type_threshold=0.8,
    box_label_weight=0.5,
    classifier_weight=1.0,
)


@dataclass(frozen=True)
class Ellipsoid:
    """centre: slice, row, column, 0 at a voxel's centre.  radii_mm: along slices, rows, columns."""

    centre: tuple[float, float, float]
    radii_mm: tuple[float, float, float]

    def voxels(self, geometry: VolumeGeometry) -> NDArray[np.bool_]:
        axes = np.ogrid[tuple(slice(side) for side in geometry.shape)]
        parts = [
            ((axis - centre) * step / radius) ** 2
            for axis, centre, step, radius in zip(axes, self.centre, geometry.spacing_mm, self.radii_mm, strict=True)
        ]
        return np.asarray(parts[0] + parts[1] + parts[2] <= 1)

    @property
    def volume_ml(self) -> float:
        return float(4 / 3 * np.pi * np.prod(self.radii_mm) / 1000)


def box(index: int, corners: Sequence[float], score: float = 0.8, label: str = "metastasis") -> SliceBox:
    x_min, y_min, x_max, y_max = map(float, corners)
    return SliceBox(
        slice=index, x_min=x_min, y_min=y_min, x_max=x_max, y_max=y_max, score=score, label=label, detectors=DETECTORS
    )


def boxes_of(voxels: NDArray[np.bool_], score: float = 0.8, label: str = "metastasis") -> list[SliceBox]:
    """One box per slice that shows a voxel."""
    found = []
    for index in np.flatnonzero(voxels.any(axis=(1, 2))):
        rows, columns = np.nonzero(voxels[index])
        corners = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        found.append(box(int(index), corners, score, label))
    return found


def organ_of(lesions: NDArray[np.bool_], liver: NDArray[np.bool_] | None = None) -> OrganVolume:
    """Masks at the resolution of the slices. liver: everything where None."""
    count, rows, columns = lesions.shape
    shares = np.zeros((count, 2, rows, columns), dtype=np.uint8)
    shares[:, 0] = 255 if liver is None else 255 * liver.astype(np.uint8)
    shares[:, 1] = 255 * lesions.astype(np.uint8)
    return OrganVolume(shares, LetterboxTransform(0, 0, 1, columns, rows, columns, rows), 0.5)


def slices_of(count: int, tumour: float = 0.9, types: dict[str, float] | None = None) -> list[SliceResult]:
    return [
        SliceResult(slice=index, outcome="decided", tumour_probability=tumour, type_probabilities=types or dict(TYPES))
        for index in range(count)
    ]


def evidence_of(geometry: VolumeGeometry, *ellipsoids: Ellipsoid, masks: bool = True) -> VolumeEvidence:
    voxels = [ellipsoid.voxels(geometry) for ellipsoid in ellipsoids]
    together = np.any(voxels, axis=0) if voxels else np.zeros(geometry.shape, dtype=bool)
    boxes = [found for each in voxels for found in boxes_of(each)]
    return VolumeEvidence(geometry, boxes, slices_of(geometry.shape[0]), organ_of(together) if masks else None)
