"""Reading a prepared data set: examples, real lesions, images and the fingerprint that identifies it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.lesions import LABELS
from training.sources import UnusableData

NO_TUMOUR = "no_tumour"
CLASS_LABELS = [*LABELS, NO_TUMOUR]
NO_TUMOUR_INDEX = CLASS_LABELS.index(NO_TUMOUR)
PARTS = ("train", "validation", "test")
SEGMENTATION = "segmentation.jsonl"
"""Only in data sets of the segmenter; it says which lesions are outlined."""
_REAL_COPY = re.compile(rf"_real_(?:{'|'.join(LABELS)})_\d+$")


@dataclass(frozen=True)
class Example:
    """One prepared image. boxes: (label index, x_min, y_min, x_max, y_max), 0..1 of the image."""

    part: str
    name: str
    patient: str
    label: int
    boxes: list[tuple[int, float, float, float, float]]

    @property
    def located(self) -> bool:
        """Whether the position of its lesions is known.

        A tumour without a box trains and evaluates the classification only, never the localisation.
        """
        return bool(self.boxes) or self.label == NO_TUMOUR_INDEX

    @property
    def type_unknown(self) -> bool:
        """Whether it shows real lesions of unknown type: the slice appears equally often under each label."""
        return _REAL_COPY.search(self.name) is not None


@dataclass(frozen=True)
class RealLesions:
    """One slice of a held-out patient. boxes: (x_min, y_min, x_max, y_max), 0..1 of the image."""

    name: str
    patient: str
    part: str
    boxes: list[tuple[float, float, float, float]]


def read_manifest(folder: Path, part: str | None = None) -> list[Example]:
    """The examples of one part, or of all parts."""
    with (folder / "manifest.jsonl").open() as file:
        rows = [Example(**json.loads(line)) for line in file]
    return [row for row in rows if part is None or row.part == part]


def read_real_lesions(folder: Path) -> list[RealLesions]:
    """The slices with real lesions of held-out patients."""
    with (folder / "real_lesions.jsonl").open() as file:
        return [RealLesions(**json.loads(line)) for line in file]


def training_labels(folder: Path) -> tuple[str, ...]:
    """The labels that a classifier trained on `folder` distinguishes: two tumour types, and `no_tumour` if present.

    Raises UnusableData if a tumour type is missing from the training part.
    """
    known = {CLASS_LABELS[example.label] for example in read_manifest(folder, "train")}
    missing = [label for label in LABELS if label not in known]
    if missing:
        raise UnusableData(f"{folder} has no {missing[0]} to train on")
    return tuple(label for label in CLASS_LABELS if label in known)


def require_boxes(folder: Path) -> None:
    """Raises UnusableData if no tumour of the training part has a box: a detector could learn nothing from it."""
    if not any(example.boxes for example in read_manifest(folder, "train")):
        raise UnusableData(f"{folder} has no boxes: a detector cannot learn from it")


def require_same_split(folder: Path, other: Path) -> None:
    """Raises UnusableData if a patient is in different parts of two prepared data sets: one would be tested on."""
    first, second = (json.loads((data / "split.json").read_text()) for data in (folder, other))
    moved = sorted(patient for patient in second if first.get(patient, second[patient]) != second[patient])
    if moved:
        raise UnusableData(f"{folder} and {other} have patients in different parts: {', '.join(moved[:5])}")


def image_paths(folder: Path, examples: Sequence[Example]) -> list[Path]:
    return [folder / example.part / "images" / f"{example.name}.png" for example in examples]


def real_lesion_paths(folder: Path, rows: Sequence[RealLesions]) -> list[Path]:
    return [folder / "real" / f"{row.name}.png" for row in rows]


def read_images(paths: Sequence[Path]) -> NDArray[np.uint8]:
    """(n, h, w) of 8-bit greyscale PNG files of one size."""
    return np.stack([np.asarray(Image.open(path)) for path in paths])


def located_examples(examples: Sequence[Example]) -> list[Example]:
    """The examples that a detector can be evaluated on."""
    return [example for example in examples if example.located]


def label_indices(examples: Sequence[Example]) -> NDArray[np.intp]:
    """(n,) indices into CLASS_LABELS."""
    return np.array([example.label for example in examples], dtype=np.intp)


def largest_lesion_sizes(examples: Sequence[Example]) -> NDArray[np.float64]:
    """(n,) longer side of the largest box of each image, as a share of the image's side.

    0 without a tumour, NaN for a tumour whose position is not known.
    """
    sizes = []
    for example in examples:
        sides = [max(x_max - x_min, y_max - y_min) for _, x_min, y_min, x_max, y_max in example.boxes]
        sizes.append(max(sides, default=0.0 if example.located else np.nan))
    return np.array(sizes)


def data_fingerprint(folder: Path) -> str:
    """SHA-256 over the manifests and the mean grey level of every prepared image in half levels, in name order.

    The files themselves are not hashed because processors round differently: of 7,132 images made from the same
    sources, ten differ in one pixel by one grey level between a processor with AVX-512 and one without.
    """
    digest = hashlib.sha256((folder / "manifest.jsonl").read_bytes())
    if (segmentation := folder / SEGMENTATION).exists():
        digest.update(segmentation.read_bytes())
    for part in PARTS:
        for file in sorted((folder / part / "images").glob("*.png")):
            half_levels = round(2 * float(np.asarray(Image.open(file)).mean()))
            digest.update(f"{file.name} {half_levels}\n".encode())
    return digest.hexdigest()
