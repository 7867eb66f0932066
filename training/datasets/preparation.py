"""From a collection of real, labelled images to the data set that both frameworks read: nothing synthesised."""

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
from training.datasets.report import duplicates
from training.fields import BoolImage
from training.lesions import LABELS
from training.prepare import (
    CLASS_LABELS,
    Example,
    RealLesions,
    finish_dataset,
    save_grey,
    start_dataset,
    write_example,
)

LIMITS = (
    "Trained and judged on the datasets named above: other scanners, contrast phases and populations may differ.",
    "Tumour types that the label map leaves out were not in the training data.",
)


@dataclass(frozen=True)
class LeftOut:
    """An image of the collection that is in no part, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class SplitChoice:
    """At most one: a file that says all, the fold (from 1) of so many, or the dataset that is tested on.

    None of them: stratified by label, in the shares of the configuration.
    """

    file: Path | None = None
    fold: tuple[int, int] | None = None
    left_out: str | None = None

    def of(self, records: Sequence[Record], data: DataConfiguration, alike: splitting.Pairs) -> splitting.Split:
        if self.file is not None:
            return splitting.read_split(self.file, records)
        if self.fold is not None:
            number, count = self.fold
            return splitting.folds(records, count, data.seed, alike)[number - 1]
        if self.left_out is not None:
            return splitting.leave_out(records, self.left_out, data, alike)
        return splitting.stratified_split(records, data, alike)


def prepare_collection(
    folder: Path, data: DataConfiguration, out: Path, choice: SplitChoice | None = None
) -> tuple[int, list[LeftOut]]:
    """Splits a collection by patient, stratified by label, and fits its images to the networks' input.

    Images are fitted as the services fit them: proportions kept, centred on black. Those without one of our labels are
    left out and returned; tumours without a box teach classifiers what they are, but not where. Lesions of unknown type
    on held-out patients become the real lesions that figures are reported on.
    Patients that share an image, or nearly, stay together; the split is written to `<out>/split.json`.
    Raises UnusableData where some label has too few patients, and Leakage where a given split parts like images.
    """
    records = read_collection(folder)
    usable, left_out = _usable(records)
    alike = duplicates(usable, folder)
    split = (choice or SplitChoice()).of(usable, data, alike)
    splitting.require_no_leakage(usable, split, alike)
    start_dataset(out, split)
    examples = []
    for record in usable:
        grey, placement = _fitted(record, folder, data)
        boxes = [
            (LABELS.index(label), *_in_input(box, placement)) for *box, _, label in record.boxes if label in LABELS
        ]
        label = CLASS_LABELS.index(str(record.label))
        example = Example(split[record.patient], _name(record), record.patient, label, boxes)
        mask = _lesions(record, folder, data) if example.located else None
        examples.append(write_example(example, grey, mask, out))
    real = []
    for record in records:
        part = split.get(record.patient, "test")
        if record.tumour_type == UNKNOWN and record.boxes and part != "train":
            grey, placement = _fitted(record, folder, data)
            save_grey(grey, out / "real" / f"{_name(record)}.png")
            corners = [_in_input(box, placement) for *box, _, _ in record.boxes]
            real.append(RealLesions(_name(record), record.patient, part, corners))
    finish_dataset(out, examples, real, _provenance(usable), LIMITS)
    return len(examples), left_out


def _usable(records: Sequence[Record]) -> tuple[list[Record], list[LeftOut]]:
    usable, left_out = [], []
    for record in records:
        if record.label not in CLASS_LABELS:
            left_out.append(LeftOut(record.path, f"its type {record.tumour_type!r} has no label of ours"))
        else:
            usable.append(record)
    return usable, left_out


def _fitted(record: Record, folder: Path, data: DataConfiguration) -> tuple[np.ndarray, LetterboxTransform]:
    with Image.open(folder / record.path, formats=("PNG",)) as image:
        return letterbox(np.asarray(image), data.input_size_px, data.input_size_px)


def _lesions(record: Record, folder: Path, data: DataConfiguration) -> BoolImage | None:
    """The mask, fitted like its image, where there is one and all in it is tumours of ours."""
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
