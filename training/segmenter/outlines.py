"""Outlines of boxed real lesions by a network that was trained elsewhere, and their review by eye.

<folder>/<image>-<box>.png  one-bit mask of the lesion in box number `box` of second-review/lesions.csv
<folder>/outlines.csv       image, box, threshold, agreement
outline_review.csv          image, box, verdict: accepted or rejected; in the repository, next to this file
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from hepar.ensemble.fusion import intersection_over_union
from training.configuration import DataConfiguration
from training.fields import BoolImage, FloatImage
from training.packages import Package
from training.segmenter.background import reviewed_slices, split_of
from training.sources import LiverSlice, UnusableData, msd_liver_slices

OUTLINED_BY = Package(
    name="pyliverlesionseg",
    version="0.3",
    sha256="ffe1576aefff5922ea8d1cfa2c50864cda97798798559542b9517689fd290cb8",
    member="pyliverlesionseg/trained_models/model_unet_ct_mr_lesion_seg_resize_1mm_1mm_3mm_20220207_dice_loss_"
    "val_binary_dice_mean.hdf5",
    licence="Apache-2.0",
    holds="a U-Net for liver lesions on CT and MR of KU Leuven",
)
REVIEW = Path(__file__).with_name("outline_review.csv")
VERDICTS = ("accepted", "rejected")
TABLE = "outlines.csv"
_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
_MARGIN_SHARE, _MARGIN_PX = 0.15, 2
"""How far an outline may leave its box: the larger of both."""

Box = tuple[int, int, int, int]
Key = tuple[str, int]
"""Name of the image, number of its box from 0."""


@dataclass(frozen=True)
class Outline:
    """The lesion in box `number` of an image.

    agreement: intersection over union of the box and the box around the mask, 0..1; 0 where nothing was found.
    threshold: of the probability.  mask: (h, w).
    """

    image: str
    number: int
    threshold: float
    agreement: float
    mask: BoolImage

    @property
    def file_name(self) -> str:
        return _mask_name(self.image, self.number)


def boxed_slices(folder: Path, data: DataConfiguration) -> Iterator[LiverSlice]:
    """Slices of training patients with reviewed lesions. folder: msd-liver-slices."""
    split = split_of(list(reviewed_slices(folder)), data)
    for item in msd_liver_slices(folder, data.model_copy(update={"review": "second"})):
        if item.real_lesions and split[item.patient] == "train":
            yield item


def outlines_in_boxes(item: LiverSlice, probabilities: FloatImage) -> list[Outline]:
    """Of each box the connected region, at the threshold, that agrees with it best. probabilities: (h, w)."""
    image, nothing = f"{item.name}.png", np.zeros(probabilities.shape, dtype=bool)
    return [
        max(
            (Outline(image, number, *found) for found in _regions(probabilities, box)),
            key=lambda outline: outline.agreement,
            default=Outline(image, number, 0.0, 0.0, nothing),
        )
        for number, box in enumerate(item.real_lesions)
    ]


def _regions(probabilities: FloatImage, box: Box) -> Iterator[tuple[float, float, BoolImage]]:
    """Threshold, agreement and mask, without holes, of each connected region in and next to the box."""
    near = _around(box)
    top, left = near[0].start, near[1].start
    for threshold in _THRESHOLDS:
        regions, _ = ndimage.label(probabilities[near] > threshold)
        for label, (rows, columns) in enumerate(ndimage.find_objects(regions), start=1):
            corners = (columns.start + left, rows.start + top, columns.stop + left, rows.stop + top)
            mask = np.zeros(probabilities.shape, dtype=bool)
            mask[near] = ndimage.binary_fill_holes(regions == label)
            yield threshold, intersection_over_union(corners, box), mask


def write_outlines(outlines: Iterable[Outline], folder: Path) -> None:
    """Replaces what the folder holds."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with (folder / TABLE).open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["image", "box", "threshold", "agreement"])
        for outline in outlines:
            Image.fromarray(outline.mask).save(folder / outline.file_name)
            table.writerow([outline.image, outline.number, outline.threshold, f"{outline.agreement:.3f}"])


def accepted_outlines(folder: Path, review: Path = REVIEW) -> dict[Key, BoolImage]:
    """The masks that the review accepted. Raises UnusableData for a mask that is missing, or an unknown verdict."""
    accepted = {}
    with review.open(newline="") as file:
        for row in csv.DictReader(file):
            key = row["image"], int(row["box"])
            if row["verdict"] not in VERDICTS:
                raise UnusableData(f"{review}: {row['verdict']!r} is not a verdict ({' or '.join(VERDICTS)})")
            if row["verdict"] == "rejected":
                continue
            mask = folder / _mask_name(*key)
            if not mask.is_file():
                raise UnusableData(f"{mask} is missing: run `python -m training segmenter outline`")
            accepted[key] = np.asarray(Image.open(mask)).astype(bool)
    return accepted


def _mask_name(image: str, box: int) -> str:
    return f"{Path(image).stem}-{box}.png"


def _around(box: Box) -> tuple[slice, slice]:
    """Rows and columns of the box and its margin. Slices end at the image's end by themselves."""
    x_min, y_min, x_max, y_max = box
    across = max(_MARGIN_PX, round(_MARGIN_SHARE * (x_max - x_min)))
    down = max(_MARGIN_PX, round(_MARGIN_SHARE * (y_max - y_min)))
    return slice(max(0, y_min - down), y_max + down), slice(max(0, x_min - across), x_max + across)
