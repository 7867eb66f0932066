"""What every reader gives: slices, and faults that name what could not be used."""

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
SMALLEST_LESION_PX = 4


@dataclass(frozen=True)
class TypedBox:
    """Pixels; the two maxima are exclusive. tumour_type: the dataset's own word, or `unknown`."""

    x_min: int
    y_min: int
    x_max: int
    y_max: int
    tumour_type: str


@dataclass(frozen=True)
class SourceSlice:
    """One axial slice in standard radiological display.

    patient: images of one patient share it; the image's own name where the dataset does not tell.
    grey: (h, w) uint8 in the window that was asked for.
    tumour_type: the dataset's own word; `none` (reviewed, healthy), `unknown` (a lesion of unknown type) or
    `unlabelled` (nobody looked).
    origin: the file in the dataset, `archive:member` inside an archive.
    mends: what was wrong in the dataset and how it was put right.
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
    mends: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fault:
    """Something that could not be used, by name."""

    origin: str
    reason: str


@dataclass(frozen=True)
class ReadOptions:
    """every_nth: of a volume, all slices with a lesion are kept, and of the others this many-th.

    phase: of datasets with several; each reader names its own phases.
    """

    window: Window
    every_nth: int = 5
    phase: str | None = None


Read = Iterator[SourceSlice | Fault]
Reader = Callable[[Path, ReadOptions], Read]


class NotThisDataset(Exception):
    """The folder has not the layout that its reader expects; the message names what is missing."""


class Leakage(Exception):
    """A patient, or one image twice, stands in two parts; the message names them."""


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def boxes_of_mask(mask: BoolImage, tumour_type: str) -> tuple[TypedBox, ...]:
    """One box a connected component of at least SMALLEST_LESION_PX pixels."""
    parts, _ = ndimage.label(mask)
    boxes = []
    for number, place in enumerate(ndimage.find_objects(parts), start=1):
        if place is not None and int((parts[place] == number).sum()) >= SMALLEST_LESION_PX:
            rows, columns = place
            boxes.append(TypedBox(columns.start, rows.start, columns.stop, rows.stop, tumour_type))
    return tuple(boxes)


def box_fault(box: TypedBox, height: int, width: int) -> str | None:
    """Why a box cannot be one of an image of this size."""
    if not (0 <= box.x_min < box.x_max <= width and 0 <= box.y_min < box.y_max <= height):
        corners = (box.x_min, box.y_min, box.x_max, box.y_max)
        return f"the box {corners} is outside of its image of {width} x {height} pixels, or empty"
    return None


@dataclass(frozen=True)
class Volume:
    """hu: (slices, h, w) in standard display, from the feet up.  lesions, liver: (slices, h, w), where known."""

    patient: str
    hu: NDArray[np.float32]
    spacing_mm: tuple[float, float] | None
    tumour_type: str
    lesions: NDArray[np.bool_] | None
    liver: NDArray[np.bool_] | None
    origin: str
    origin_sha256: str
    mends: tuple[str, ...] = ()


def slices_of(volume: Volume, options: ReadOptions) -> Read:
    """Every slice with a lesion, and every n-th of the others that show liver (or any, where no liver is known)."""
    for mask, what in ((volume.lesions, "lesion"), (volume.liver, "liver")):
        if mask is not None and mask.shape != volume.hu.shape:
            yield Fault(volume.origin, f"the {what} mask is {mask.shape}, the volume {volume.hu.shape}")
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
            tumour_type=volume.tumour_type if boxes else _without_boxes(volume),
            boxes=boxes,
            origin=volume.origin,
            origin_sha256=volume.origin_sha256,
            spacing_mm=volume.spacing_mm,
            liver_mask=liver,
            lesion_mask=volume.lesions[number] if volume.lesions is not None and boxes else None,
            mends=volume.mends,
        )


def _without_boxes(volume: Volume) -> str:
    return UNLABELLED if volume.lesions is None else NO_TUMOUR
