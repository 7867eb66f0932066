"""Preparing a data set from tumour-free slices: split by patient, then lesions are synthesised into the liver."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from hepar.imaging.ct_image import GreyImage
from training.configuration import DataConfiguration
from training.fields import BoolImage, FloatImage
from training.lesions import LABELS, LesionSlice
from training.prepared.dataset import NO_TUMOUR, NO_TUMOUR_INDEX, Example, RealLesions
from training.prepared.splitting import fold_by_patient, split_by_patient
from training.prepared.writing import finish_dataset, save_background, save_grey, start_dataset, write_example
from training.sources import LiverSlice, Source
from training.variants import variants_of

LIMITS = (
    "Trained on synthesised lesions: the metrics do not apply to real tumours.",
    "Portal-venous phase axial slices in the soft-tissue window; other phases and organs are out of scope.",
    "Benign lesions and hepatocellular carcinoma were not in the training data.",
)


def prepare(
    source: Source, data: DataConfiguration, out: Path, workers: int = 2, fold: tuple[int, int] | None = None
) -> int:
    """Writes the data set and returns its number of images.

    fold: (number from 1, count) for cross-validation; without it, the shares of the configuration.
    Raises UnusableData if the slices have too few patients to split (splitting.MIN_PATIENTS, or the fold count).
    """
    slices = list(source.slices)
    patients = {item.patient for item in slices}
    split = split_by_patient(patients, data) if fold is None else fold_by_patient(patients, data, *fold)
    for item in source.training_only:
        slices.append(item)
        split[item.patient] = "train"
    start_dataset(out, split)
    for item in slices:
        if item.tumour_free and split[item.patient] == "train":
            save_background(item, out)
    prepare_one = partial(_prepare_slice, split=split, data=data, out=out)
    with ProcessPoolExecutor(workers) as pool:
        examples = [example for made in pool.map(prepare_one, slices, chunksize=4) for example in made]
    for_training = [item for item in slices if item.real_lesions and split[item.patient] == "train"]
    examples += [example for item in for_training for example in _real_examples(item, data, out)]
    held_out = [item for item in slices if item.real_lesions and split[item.patient] != "train"]
    provenance = source.provenance + _real_lesions_note(for_training, data)
    finish_dataset(out, examples, _write_held_out(held_out, split, data, out), provenance, LIMITS)
    return len(examples)


def _real_lesions_note(for_training: Sequence[LiverSlice], data: DataConfiguration) -> str:
    """The sentence about real lesions that is appended to the provenance; empty if none are used."""
    if not for_training or not data.real_repeats:
        return ""
    lesions = sum(len(item.real_lesions) for item in for_training)
    slices = f"{len(for_training)} slices of training patients"
    return f". {lesions} reviewed real lesions on {slices}, equally often under both types"


def _write_held_out(
    slices: Iterable[LiverSlice], split: Mapping[str, str], data: DataConfiguration, out: Path
) -> list[RealLesions]:
    """Writes the slices with real lesions of held-out patients and returns their rows."""
    rows = []
    for item in slices:
        save_grey(_grey(item.hu, data), out / "real" / f"{item.name}.png")
        boxes = [_relative(box, item.hu.shape) for box in item.real_lesions]
        rows.append(RealLesions(item.name, item.patient, split[item.patient], boxes))
    return rows


def _prepare_slice(item: LiverSlice, *, split: dict[str, str], data: DataConfiguration, out: Path) -> list[Example]:
    return write_variants(item, split[item.patient], data, out) if item.tumour_free else []


def write_variants(item: LiverSlice, part: str, data: DataConfiguration, out: Path, epoch: int = 0) -> list[Example]:
    """Writes the images that a tumour-free slice becomes in this epoch (`training/variants.py`)."""
    examples = []
    for variant in variants_of(item, data, training=part == "train", epoch=epoch):
        grey = _grey(variant.hu, data)
        if variant.lesions is None:
            name = f"{item.name}_{NO_TUMOUR}" + (f"_{variant.number}" if variant.number else "")
            examples.append(write_example(Example(part, name, item.patient, NO_TUMOUR_INDEX, []), grey, None, out))
            continue
        boxes = _boxes(variant.lesions)
        name = f"{item.name}_{variant.label}_{variant.number}"
        example = Example(part, name, item.patient, boxes[0][0], boxes)
        examples.append(write_example(example, grey, _resized(variant.lesions.lesion_mask, data), out))
    return examples


def _real_examples(item: LiverSlice, data: DataConfiguration, out: Path) -> list[Example]:
    """A slice with real lesions of unknown type, equally often under each label.

    It teaches where lesions are and nothing about their type.
    """
    grey = _grey(item.hu, data)
    corners = [_relative(box, item.hu.shape) for box in item.real_lesions]
    examples = []
    for repeat in range(data.real_repeats):
        for label, label_name in enumerate(LABELS):
            name = f"{item.name}_real_{label_name}_{repeat}"
            example = Example("train", name, item.patient, label, [(label, *box) for box in corners])
            examples.append(write_example(example, grey, None, out))
    return examples


def _boxes(made: LesionSlice) -> list[tuple[int, float, float, float, float]]:
    return [
        (LABELS.index(box.label), *_relative((box.x_min, box.y_min, box.x_max, box.y_max), made.hu.shape))
        for box in made.boxes
    ]


def _relative(box: tuple[int, int, int, int], shape: tuple[int, ...]) -> tuple[float, float, float, float]:
    height, width = shape
    return box[0] / width, box[1] / height, box[2] / width, box[3] / height


def _grey(hu: FloatImage, data: DataConfiguration) -> GreyImage:
    relative = (hu - data.window_low_hu) / (data.window_high_hu - data.window_low_hu)
    grey = np.asarray(np.clip(np.rint(relative * 255), 0, 255), dtype=np.uint8)
    if grey.shape == (data.input_size_px, data.input_size_px):
        return grey
    size = (data.input_size_px, data.input_size_px)
    return np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BILINEAR))


def _resized(mask: BoolImage, data: DataConfiguration) -> BoolImage:
    size = (data.input_size_px, data.input_size_px)
    return np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))
