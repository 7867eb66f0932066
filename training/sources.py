"""Sources of slices: the MSD liver selection of shared/data, and phantoms."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from training.configuration import DataConfiguration
from training.fields import BoolImage, FloatImage
from training.phantom import abdomen_phantom

MSD_PROVENANCE = (
    "Axial slices of the Medical Segmentation Decathlon, Task03 Liver (LiTS), CC BY-SA 4.0; "
    "lesions synthesised by training/lesions; real lesion types are not known"
)
PHANTOM_NOTE = "phantoms of training/phantom in addition, for training only"
PHANTOM_PROVENANCE = "Procedural phantoms of training/phantom with lesions of training/lesions"


class UnusableData(Exception):
    """The data cannot be used; the message names the file or the count and the reason."""


@dataclass(frozen=True)
class LiverSlice:
    """One slice that shows liver.

    hu: (h, w) Hounsfield units.  liver_mask: (h, w).  real_lesions: boxes (x_min, y_min, x_max, y_max) in pixels.
    tumour_free: a reviewer saw no lesion; only such slices get synthesised lesions or the label no_tumour.
    """

    name: str
    patient: str
    hu: FloatImage
    liver_mask: BoolImage
    tumour_free: bool
    real_lesions: tuple[tuple[int, int, int, int], ...] = ()


@dataclass(frozen=True)
class Source:
    """Slices and where they come from.

    slices: split by patient.  training_only: never used for validation or test.  provenance: for the model card.
    """

    slices: Iterable[LiverSlice]
    training_only: Iterable[LiverSlice]
    provenance: str


def choose_source(folder: Path | None, data: DataConfiguration) -> Source:
    """Real slices plus phantoms for training, or phantoms alone if `folder` is None."""
    phantoms = phantom_slices(data.phantoms, data)
    if folder is None:
        return Source(phantoms, (), PHANTOM_PROVENANCE)
    return Source(msd_liver_slices(folder, data), phantoms, f"{MSD_PROVENANCE}. {data.phantoms} {PHANTOM_NOTE}")


def msd_liver_slices(folder: Path, data: DataConfiguration) -> Iterator[LiverSlice]:
    """Reads the slices with the review `lesion` or `none_seen`; `unclear` ones are not used at all.

    The tables are those of the folder, or of second-review/ if data.review is `second`.
    Raises UnusableData for a missing table or image and for a mask of another size.
    """
    reviewed = folder / "second-review" if data.review == "second" else folder
    slices_table, lesions_table = reviewed / "slices.csv", reviewed / "lesions.csv"
    for table in (slices_table, lesions_table):
        if not table.is_file():
            raise UnusableData(f"{table} is missing: is {folder} the folder msd-liver-slices?")
    lesions: dict[str, list[tuple[int, int, int, int]]] = {}
    with lesions_table.open(newline="") as file:
        for row in csv.DictReader(file):
            corners = [int(row[key]) for key in ("x_min", "y_min", "x_max", "y_max")]
            lesions.setdefault(row["image"], []).append((corners[0], corners[1], corners[2], corners[3]))
    with slices_table.open(newline="") as file:
        for row in csv.DictReader(file):
            if row["review"] not in ("lesion", "none_seen"):
                continue
            grey = _read(folder / "images" / row["image"], "L")
            mask = _read(folder / "liver_masks" / row["image"], "1").astype(bool)
            if grey.shape != mask.shape:
                raise UnusableData(f"{row['image']}: image {grey.shape} and mask {mask.shape} differ in size")
            width_hu = data.window_high_hu - data.window_low_hu
            hu = data.window_low_hu + grey.astype(np.float32) * (width_hu / 255)
            yield LiverSlice(
                name=Path(row["image"]).stem,
                patient=row["patient"],
                hu=hu,
                liver_mask=mask,
                tumour_free=row["review"] == "none_seen",
                real_lesions=tuple(lesions.get(row["image"], ())),
            )


def phantom_slices(count: int, data: DataConfiguration) -> Iterator[LiverSlice]:
    """`count` tumour-free phantoms, each as a patient of its own."""
    for number in range(count):
        rng = np.random.default_rng([data.seed, number])
        phantom = abdomen_phantom(rng, data.input_size_px, data.input_size_px * data.pixel_spacing_mm)
        yield LiverSlice(f"phantom_{number:03d}", f"phantom_{number:03d}", phantom.hu, phantom.liver_mask, True)


def _read(path: Path, mode: str) -> np.ndarray:
    try:
        with Image.open(path, formats=("PNG",)) as image:
            return np.asarray(image.convert(mode))
    except (OSError, ValueError) as error:
        raise UnusableData(f"{path}: {error}") from error
