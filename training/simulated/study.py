"""One simulated patient: a phantom volume, its lesions, and what is true about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

from hepar.imaging.volume import VolumeGeometry
from training.lesions import Label
from training.lesions.volume import LesionVolume, Solid, draw_solids, synthesise_volume
from training.phantom.volume import PhantomVolume, abdomen_volume


@dataclass(frozen=True)
class LesionTruth:
    """Of a lesion's voxels. label: its type.  number: in `SimulatedStudy.lesions`.

    centre_mm: in DICOM's patient coordinates.  long_axis_mm: longest distance between pixels of one slice, from edge
    to edge (one pixel more than between centres).
    """

    number: int
    label: Label
    first_slice: int
    last_slice: int
    centre_mm: tuple[float, float, float]
    long_axis_mm: float
    volume_ml: float


@dataclass(frozen=True)
class SimulatedStudy:
    """hu: (slices, size, size) int16, from the feet to the head.  liver, lesions: the same shape; lesions are numbered.

    label: None without lesions.
    """

    name: str
    label: Label | None
    hu: NDArray[np.int16]
    liver: NDArray[np.bool_]
    lesions: NDArray[np.uint8]
    geometry: VolumeGeometry
    truth: tuple[LesionTruth, ...]


def simulate_study(seed: int, label: Label | None, size_px: int = 256, slice_spacing_mm: float = 5.0) -> SimulatedStudy:
    """A patient with lesions of one type, or without any. Raises ValueError where the liver has no room for them."""
    phantom = abdomen_volume(seed, size_px, slice_spacing_mm)
    lesions = LesionVolume(phantom.hu, np.zeros(phantom.hu.shape, dtype=np.uint8), ())
    if label is not None:
        rng = np.random.default_rng((seed, 2))
        lesions = synthesise_volume(phantom.hu, phantom.liver, phantom.spacing_mm, label, rng)
    return _study(f"{label or 'no_tumour'}-{seed}", label, phantom, lesions)


def study_with_solids(
    name: str, seed: int, solids: Sequence[Solid], size_px: int, slice_spacing_mm: float = 5.0
) -> SimulatedStudy:
    """A patient with these lesions, at least one, all of one type."""
    phantom = abdomen_volume(seed, size_px, slice_spacing_mm)
    lesions = draw_solids(phantom.hu, phantom.liver, phantom.spacing_mm, solids)
    return _study(name, solids[0].label, phantom, lesions)


def _study(name: str, label: Label | None, phantom: PhantomVolume, lesions: LesionVolume) -> SimulatedStudy:
    spacing_mm = phantom.spacing_mm
    side_mm = phantom.hu.shape[1] * spacing_mm[1]
    shape = (phantom.hu.shape[0], phantom.hu.shape[1], phantom.hu.shape[2])
    corner_mm = -(side_mm - spacing_mm[1]) / 2
    geometry = VolumeGeometry(shape, spacing_mm, (corner_mm, corner_mm, 0.0))
    truth = [
        measured_truth(number, solid.label, lesions.lesions == number, geometry)
        for number, solid in enumerate(lesions.solids, 1)
    ]
    return SimulatedStudy(name, label, lesions.hu, phantom.liver, lesions.lesions, geometry, tuple(truth))


def measured_truth(number: int, label: Label, mask: NDArray[np.bool_], geometry: VolumeGeometry) -> LesionTruth:
    slices = np.flatnonzero(mask.any(axis=(1, 2)))
    x, y, z = geometry.to_patient_mm(np.array([ndimage.center_of_mass(mask)]))[0].tolist()
    pixel_mm = geometry.spacing_mm[1]
    return LesionTruth(
        number=number,
        label=label,
        first_slice=int(slices[0]),
        last_slice=int(slices[-1]),
        centre_mm=(round(x, 1), round(y, 1), round(z, 1)),
        long_axis_mm=round(max(_longest_px(mask[index]) for index in slices) * pixel_mm, 1),
        volume_ml=round(int(mask.sum()) * geometry.voxel_ml, 3),
    )


def _longest_px(mask: NDArray[np.bool_]) -> float:
    """Largest diameter of the connected parts of a slice, in pixels."""
    parts, count = ndimage.label(mask, ndimage.generate_binary_structure(2, 2))
    return max(_diameter_px(np.argwhere(parts == part)) for part in range(1, count + 1))


def _diameter_px(pixels: NDArray[np.intp]) -> float:
    if len(pixels) == 1:
        return 1.0
    spans = np.ptp(pixels, axis=0)
    corners = pixels if min(spans) == 0 or len(pixels) < 4 else pixels[ConvexHull(pixels, qhull_options="QJ").vertices]
    return float(pdist(corners).max()) + 1
