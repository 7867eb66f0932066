"""Prepares a data set from a collection of real, labelled images; nothing is synthesised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from hepar.imaging.letterbox import LetterboxTransform, letterbox
from training.configuration import DataConfiguration
from training.datasets import splitting
from training.datasets.collection import Record, read_collection
from training.datasets.records import UNKNOWN
from training.datasets.report import find_duplicates
from training.fields import BoolImage
from training.lesions import LABELS
from training.prepared.dataset import CLASS_LABELS, Example, RealLesions
from training.prepared.writing import finish_dataset, save_grey, start_dataset, write_example

LIMITS = (
    "Trained and evaluated on the datasets named above: other scanners, contrast phases and populations may differ.",
    "Tumour types that are not in the label map were not in the training data.",
)


@dataclass(frozen=True)
class UnusedImage:
    """An image of the collection that is in no part, and the reason."""

    path: str
    reason: str


@dataclass(frozen=True)
class SplitChoice:
    """How to split; at most one field is set. Without any: stratified by label, in the configured shares.

    file: maps each patient to a part.  fold: (number from 1, count).  left_out: the dataset that is the test part.
    """

    file: Path | None = None
    fold: tuple[int, int] | None = None
    left_out: str | None = None

    def split(self, records: Sequence[Record], data: DataConfiguration, duplicates: splitting.Pairs) -> splitting.Split:
        """Raises UnusableData if the records cannot be split this way."""
        if self.file is not None:
            return splitting.read_split(self.file, records)
        if self.fold is not None:
            number, count = self.fold
            return splitting.folds(records, count, data.seed, duplicates)[number - 1]
        if self.left_out is not None:
            return splitting.leave_out(records, self.left_out, data, duplicates)
        return splitting.stratified_split(records, data, duplicates)


def prepare_collection(
    folder: Path, data: DataConfiguration, out: Path, choice: SplitChoice | None = None
) -> tuple[int, list[UnusedImage]]:
    """Splits a collection by patient and resizes its images to the input size of the networks.

    Images are letterboxed as in the services. Images without a known label are not used, and returned; tumours without
    a box train the classification only. Lesions of unknown type of held-out patients become the real lesions that
    metrics are reported on.
    Patients with (nearly) identical images are in one part; the split is written to `<out>/split.json`.
    Returns the number of images and the images that are not used.
    Raises UnusableData if a label has too few patients, and Leakage if a given split separates identical images.
    """
    records = read_collection(folder)
    usable, unused = _usable(records)
    duplicates = find_duplicates(usable, folder)
    split = (choice or SplitChoice()).split(usable, data, duplicates)
    splitting.require_no_leakage(usable, split, duplicates)
    start_dataset(out, split)
    examples = [_write_record(record, split[record.patient], folder, data, out) for record in usable]
    real = []
    for record in records:
        part = split.get(record.patient, "test")
        if record.tumour_type == UNKNOWN and record.boxes and part != "train":
            real.append(_write_real_lesions(record, part, folder, data, out))
    finish_dataset(out, examples, real, _provenance(usable), LIMITS)
    return len(examples), unused


def _write_record(record: Record, part: str, folder: Path, data: DataConfiguration, out: Path) -> Example:
    grey, placement = _fitted(record, folder, data)
    boxes = [(LABELS.index(label), *_in_input(box, placement)) for *box, _, label in record.boxes if label in LABELS]
    label = CLASS_LABELS.index(str(record.label))
    example = Example(part, _name(record), record.patient, label, boxes)
    mask = _lesions(record, folder, data) if example.located else None
    return write_example(example, grey, mask, out)


def _write_real_lesions(record: Record, part: str, folder: Path, data: DataConfiguration, out: Path) -> RealLesions:
    grey, placement = _fitted(record, folder, data)
    save_grey(grey, out / "real" / f"{_name(record)}.png")
    corners = [_in_input(box, placement) for *box, _, _ in record.boxes]
    return RealLesions(_name(record), record.patient, part, corners)


def _usable(records: Sequence[Record]) -> tuple[list[Record], list[UnusedImage]]:
    usable, unused = [], []
    for record in records:
        if record.label not in CLASS_LABELS:
            unused.append(UnusedImage(record.path, f"the label map has no label for its type {record.tumour_type!r}"))
        else:
            usable.append(record)
    return usable, unused


def _fitted(record: Record, folder: Path, data: DataConfiguration) -> tuple[np.ndarray, LetterboxTransform]:
    with Image.open(folder / record.path, formats=("PNG",)) as image:
        return letterbox(np.asarray(image), data.input_size_px, data.input_size_px)


def _lesions(record: Record, folder: Path, data: DataConfiguration) -> BoolImage | None:
    """The mask, letterboxed like its image; None if there is none or it contains other tumour types."""
    if record.lesion_mask is None or any(box[-1] not in LABELS for box in record.boxes):
        return None
    with Image.open(folder / record.lesion_mask, formats=("PNG",)) as image:
        grey, _ = letterbox(np.asarray(image.convert("L")), data.input_size_px, data.input_size_px)
    return np.asarray(grey > 127)


def _in_input(box: Sequence[float], placement: LetterboxTransform) -> tuple[float, float, float, float]:
    x_min, y_min, x_max, y_max = placement.to_input(np.array(box))[0].tolist()
    return x_min, y_min, x_max, y_max


def _name(record: Record) -> str:
    return f"{record.source}_{Path(record.path).stem}"


def _provenance(records: Sequence[Record]) -> str:
    sources = sorted({(record.source, record.licence) for record in records})
    return "Real images and labels: " + "; ".join(f"{source} ({licence})" for source, licence in sources)
