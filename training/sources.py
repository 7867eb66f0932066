"""Where slices come from: the MSD liver selection of shared/data, or phantoms."""

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
PHANTOM_NOTE = "phantoms of training/phantom beside them, for training only"
PHANTOM_PROVENANCE = "Procedural phantoms of training/phantom with lesions of training/lesions"


class UnusableData(Exception):
    """The data folder is not what its loader expects; the message names the file and the fault."""


@dataclass(frozen=True)
class LiverSlice:
    """hu: (h, w) float32.  liver_mask: (h, w) bool.  real_lesions: boxes (x_min, y_min, x_max, y_max) in px.

    tumour_free: reviewed, nothing seen; only such slices carry synthesised lesions or the label no_tumour.
    """

    name: str
    patient: str
    hu: FloatImage
    liver_mask: BoolImage
    tumour_free: bool
    real_lesions: tuple[tuple[int, int, int, int], ...] = ()


@dataclass(frozen=True)
class Source:
    """slices: split by patient.  training_only: never validated or tested on.  provenance: for the model card."""

    slices: Iterable[LiverSlice]
    training_only: Iterable[LiverSlice]
    provenance: str


def choose_source(folder: Path | None, data: DataConfiguration) -> Source:
    """Real slices with phantoms beside them for training, or phantoms alone where there is no folder."""
    phantoms = phantom_slices(data.phantoms, data)
    if folder is None:
        return Source(phantoms, (), PHANTOM_PROVENANCE)
    return Source(msd_liver_slices(folder, data), phantoms, f"{MSD_PROVENANCE}. {data.phantoms} {PHANTOM_NOTE}")


def msd_liver_slices(folder: Path, data: DataConfiguration) -> Iterator[LiverSlice]:
    """Reads the reviewed slices (`lesion` and `none_seen`); `unclear` ones are left out of everything.

    Raises UnusableData for a missing table or image and for a mask of another size.
    """
    tables = [folder / "slices.csv", folder / "lesions.csv"]
    for table in tables:
        if not table.is_file():
            raise UnusableData(f"{table} is missing: is {folder} the folder msd-liver-slices?")
    lesions: dict[str, list[tuple[int, int, int, int]]] = {}
    with tables[1].open(newline="") as file:
        for row in csv.DictReader(file):
            corners = [int(row[key]) for key in ("x_min", "y_min", "x_max", "y_max")]
            lesions.setdefault(row["image"], []).append((corners[0], corners[1], corners[2], corners[3]))
    with tables[0].open(newline="") as file:
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
    """`count` tumour-free phantoms, each its own patient."""
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
