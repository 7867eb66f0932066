"""The output of every dataset reader: slices, and faults that name what could not be used."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hepar.imaging.ct_image import GreyImage, Window
from training.fields import BoolImage

NO_TUMOUR, UNKNOWN, UNLABELLED = "none", "unknown", "unlabelled"
MIN_LESION_PX = 4


@dataclass(frozen=True)
class TypedBox:
    """Pixels; the maxima are exclusive. tumour_type: as the dataset names it, or `unknown`."""

    x_min: int
    y_min: int
    x_max: int
    y_max: int
    tumour_type: str


@dataclass(frozen=True)
class SourceSlice:
    """One axial slice in standard radiological display.

    patient: identifies the patient; the name of the image if the dataset does not identify patients.
    grey: (h, w) uint8 in the requested window.
    tumour_type: as the dataset names it, or `none` (reviewed, healthy), `unknown` (a lesion of unknown type) or
    `unlabelled` (not reviewed).
    origin: the file in the dataset, `archive:member` inside an archive.
    corrections: errors of the dataset and how they were corrected.
    """

    name: str
    patient: str
    grey: GreyImage
    tumour_type: str
    boxes: tuple[TypedBox, ...]
    origin: str
    origin_sha256: str
    spacing_mm: tuple[float, float] | None = None
    liver_mask: BoolImage | None = None
    lesion_mask: BoolImage | None = None
    corrections: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fault:
    """A file or patient that could not be used."""

    origin: str
    reason: str


@dataclass(frozen=True)
class ReadOptions:
    """How volumes are read.

    every_nth: every n-th slice without a lesion is kept; slices with a lesion are always kept.
    phase: contrast phase, for datasets with several; each reader defines its own names.
    """

    window: Window
    every_nth: int = 5
    phase: str | None = None


Read = Iterator[SourceSlice | Fault]
Reader = Callable[[Path, ReadOptions], Read]


class UnexpectedLayout(Exception):
    """The folder does not have the layout that its reader expects; the message names what is missing."""


class Leakage(Exception):
    """A patient, or the same image twice, is in two parts of a split; the message names them."""


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def boxes_of_mask(mask: BoolImage, tumour_type: str) -> tuple[TypedBox, ...]:
    """One box per connected component of at least MIN_LESION_PX pixels."""
    parts, _ = ndimage.label(mask)
    boxes = []
    for number, window in enumerate(ndimage.find_objects(parts), start=1):
        if window is not None and int((parts[window] == number).sum()) >= MIN_LESION_PX:
            rows, columns = window
            boxes.append(TypedBox(columns.start, rows.start, columns.stop, rows.stop, tumour_type))
    return tuple(boxes)


def box_fault(box: TypedBox, height: int, width: int) -> str | None:
    """Why a box is invalid in an image of this size; None if it is valid."""
    if not (0 <= box.x_min < box.x_max <= width and 0 <= box.y_min < box.y_max <= height):
        corners = (box.x_min, box.y_min, box.x_max, box.y_max)
        return f"the box {corners} is outside the image of {width} x {height} pixels, or empty"
    return None


@dataclass(frozen=True)
class Volume:
    """hu: (slices, h, w) in standard display, from the feet up.  lesions, liver: (slices, h, w), if known."""

    patient: str
    hu: NDArray[np.float32]
    spacing_mm: tuple[float, float] | None
    tumour_type: str
    lesions: NDArray[np.bool_] | None
    liver: NDArray[np.bool_] | None
    origin: str
    origin_sha256: str
    corrections: tuple[str, ...] = ()


def slices_of(volume: Volume, options: ReadOptions) -> Read:
    """Every slice with a lesion, and every n-th other slice that shows liver (every n-th if the liver is unknown)."""
    for mask, name in ((volume.lesions, "lesion"), (volume.liver, "liver")):
        if mask is not None and mask.shape != volume.hu.shape:
            yield Fault(volume.origin, f"the {name} mask has the shape {mask.shape}, the volume {volume.hu.shape}")
            return
    others = 0
    for number, hu in enumerate(volume.hu):
        boxes = boxes_of_mask(volume.lesions[number], volume.tumour_type) if volume.lesions is not None else ()
        liver = volume.liver[number] if volume.liver is not None else None
        if not boxes:
            if liver is not None and not liver.any():
                continue
            others += 1
            if (others - 1) % options.every_nth:
                continue
        yield SourceSlice(
            name=f"{volume.patient}_{number:04d}",
            patient=volume.patient,
            grey=options.window.to_grey(hu),
            tumour_type=volume.tumour_type if boxes else _type_without_boxes(volume),
            boxes=boxes,
            origin=volume.origin,
            origin_sha256=volume.origin_sha256,
            spacing_mm=volume.spacing_mm,
            liver_mask=liver,
            lesion_mask=volume.lesions[number] if volume.lesions is not None and boxes else None,
            corrections=volume.corrections,
        )


def _type_without_boxes(volume: Volume) -> str:
    return UNLABELLED if volume.lesions is None else NO_TUMOUR
