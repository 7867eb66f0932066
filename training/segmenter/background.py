"""The slices that a segmenter learns from and is measured on, and what is known about each."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from training.configuration import DataConfiguration
from training.fields import BoolImage
from training.prepared.dataset import PARTS, SEGMENTATION
from training.prepared.splitting import split_by_patient

Kind = Literal["healthy", "boxed", "unclear", "no_liver", "outlined", "synthesised"]
"""What is known of a slice's lesions.

healthy: reviewed, none seen.  boxed: boxes of real lesions.  unclear: not known, the liver's mask alone counts.
no_liver: nothing of the liver is in the slice.  outlined: lesions outlined by a radiologist.
synthesised: exact masks of synthesised lesions.
"""


@dataclass(frozen=True)
class Background:
    """One slice. boxes: (x_min, y_min, x_max, y_max) in px, the maxima exclusive, of real lesions.

    sure: of each box, whether the reviewer was sure of it.
    outlined: the numbers of the boxes whose lesion has a reviewed outline; the mask has an ellipse in the others.
    domain: the set of images that it belongs to, as figures are named by it.
    """

    part: str
    name: str
    patient: str
    domain: str
    kind: Kind
    boxes: tuple[tuple[int, int, int, int], ...] = ()
    sure: tuple[bool, ...] = ()
    outlined: tuple[int, ...] = ()


@dataclass(frozen=True)
class Masks:
    """grey: (h, w) uint8.  liver, lesions: (h, w) bool; the liver's mask includes its lesions."""

    grey: np.ndarray
    liver: BoolImage
    lesions: BoolImage


def start(folder: Path) -> None:
    """Makes the folders for `write`."""
    for part in PARTS:
        for kind in ("images", "livers", "lesions"):
            (folder / part / kind).mkdir(parents=True, exist_ok=True)


def write(folder: Path, item: Background, masks: Masks) -> Background:
    for kind, values in (("images", masks.grey), ("livers", masks.liver != 0), ("lesions", masks.lesions != 0)):
        Image.fromarray(values).save(folder / item.part / kind / f"{item.name}.png")
    return item


def read_masks(folder: Path, item: Background) -> Masks:
    grey, liver, lesions = (
        np.asarray(Image.open(folder / item.part / kind / f"{item.name}.png"))
        for kind in ("images", "livers", "lesions")
    )
    return Masks(grey, liver.astype(bool), lesions.astype(bool))


def write_backgrounds(folder: Path, items: list[Background]) -> None:
    (folder / SEGMENTATION).write_text("".join(json.dumps(asdict(item)) + "\n" for item in items))


def read_backgrounds(folder: Path, part: str) -> list[Background]:
    """Of one part, in the order they were written."""
    with (folder / SEGMENTATION).open() as file:
        rows = [json.loads(line) for line in file]
    return [_background(row) for row in rows if row["part"] == part]


def _background(row: dict[str, Any]) -> Background:
    lists = {name: tuple(value) for name, value in row.items() if isinstance(value, list)}
    return Background(**row | lists | {"boxes": tuple(tuple(box) for box in row["boxes"])})


@dataclass(frozen=True)
class ReviewedSlice:
    """One row of the second review of shared/data/msd-liver-slices. boxes, sure: as in Background."""

    image: str
    patient: str
    review: str
    boxes: tuple[tuple[int, int, int, int], ...]
    sure: tuple[bool, ...]


def reviewed_slices(folder: Path) -> Iterator[ReviewedSlice]:
    """Every row. folder: msd-liver-slices."""
    boxes: dict[str, list[tuple[int, int, int, int]]] = {}
    sure: dict[str, list[bool]] = {}
    with (folder / "second-review" / "lesions.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            corners = (int(row["x_min"]), int(row["y_min"]), int(row["x_max"]), int(row["y_max"]))
            boxes.setdefault(row["image"], []).append(corners)
            sure.setdefault(row["image"], []).append(row["confidence"] == "sure")
    with (folder / "second-review" / "slices.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            image = row["image"]
            found = tuple(boxes.get(image, ())), tuple(sure.get(image, ()))
            yield ReviewedSlice(image, row["patient"], row["review"], *found)


def split_of(rows: list[ReviewedSlice], data: DataConfiguration) -> dict[str, str]:
    """Part of each patient: train, validation or test. Who has unclear slices alone trains."""
    everyone = {row.patient: "train" for row in rows}
    return everyone | split_by_patient({row.patient for row in rows if row.review != "unclear"}, data)
