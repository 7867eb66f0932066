"""From source slices to a prepared data set: split by patient, lesions synthesised, files both frameworks read.

<out>/split.json                    patient -> train, validation or test
<out>/<part>/images/<name>.png      8-bit greyscale, input_size_px on a side
<out>/<part>/lesions/<name>.png     1-bit mask of the lesions; ellipses in their boxes where no mask is known
<out>/<part>/labels/<name>.txt      YOLO boxes (class x y w h, 0..1 of the image); empty for no tumour
<out>/manifest.jsonl                one Example a line
<out>/real_lesions.jsonl            boxes of reviewed real lesions (type unknown) on held-out patients
<out>/real/<name>.png               the slices they lie on
<out>/provenance.txt                where the slices come from
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from hepar.imaging.ct_image import GreyImage
from training.configuration import DataConfiguration
from training.fields import BoolImage, FloatImage
from training.lesions import LABELS, LesionSlice, synthesise
from training.sources import LiverSlice, Source, UnusableData

NO_TUMOUR = "no_tumour"
CLASS_LABELS = [*LABELS, NO_TUMOUR]
PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Example:
    """One prepared image. boxes: (label index, x_min, y_min, x_max, y_max), 0..1 of the image."""

    part: str
    name: str
    patient: str
    label: int
    boxes: list[tuple[int, float, float, float, float]]


@dataclass(frozen=True)
class RealLesions:
    """One slice of a held-out patient. boxes: (x_min, y_min, x_max, y_max), 0..1 of the image."""

    name: str
    patient: str
    part: str
    boxes: list[tuple[float, float, float, float]]


def prepare(source: Source, data: DataConfiguration, out: Path, workers: int = 2) -> int:
    """Writes the data set and returns how many images it has.

    Raises UnusableData when the slices have fewer than six patients, too few to split by patient.
    """
    slices = list(source.slices)
    split = split_by_patient({item.patient for item in slices}, data)
    for item in source.training_only:
        slices.append(item)
        split[item.patient] = "train"
    start_dataset(out, split)
    work = partial(_prepare_slice, split=split, data=data, out=out)
    with ProcessPoolExecutor(workers) as pool:
        examples = [example for made in pool.map(work, slices, chunksize=4) for example in made]
    held_out = [item for item in slices if item.real_lesions and split[item.patient] != "train"]
    for item in held_out:
        save_grey(_grey(item.hu, data), out / "real" / f"{item.name}.png")
    real = [
        RealLesions(
            item.name,
            item.patient,
            split[item.patient],
            [_relative(box, item.hu.shape) for box in item.real_lesions],
        )
        for item in held_out
    ]
    finish_dataset(out, examples, real, source.provenance)
    return len(examples)


def start_dataset(out: Path, split: Mapping[str, str]) -> None:
    """Makes the folders anew and writes the split."""
    shutil.rmtree(out, ignore_errors=True)
    for part in PARTS:
        (out / part / "images").mkdir(parents=True)
        (out / part / "labels").mkdir()
        (out / part / "lesions").mkdir()
    (out / "split.json").write_text(json.dumps(split, indent=1, sort_keys=True))


def write_example(example: Example, grey: GreyImage, lesions: BoolImage | None, out: Path) -> Example:
    """Writes its image, the mask of its lesions and its YOLO boxes; returns it.

    lesions: (h, w) as the image, or None where only boxes are known.
    """
    save_grey(grey, out / example.part / "images" / f"{example.name}.png")
    mask = _ellipses(example, grey.shape) if lesions is None else lesions
    Image.fromarray(mask).save(out / example.part / "lesions" / f"{example.name}.png")
    lines = [
        f"{label} {(x0 + x1) / 2:.6f} {(y0 + y1) / 2:.6f} {x1 - x0:.6f} {y1 - y0:.6f}\n"
        for label, x0, y0, x1, y1 in example.boxes
    ]
    (out / example.part / "labels" / f"{example.name}.txt").write_text("".join(lines))
    return example


def _ellipses(example: Example, shape: tuple[int, ...]) -> BoolImage:
    """(h, w) True in the ellipse that fills each box."""
    rows, columns = (np.arange(side) + 0.5 for side in shape)
    mask = np.zeros(shape, dtype=bool)
    for _, x_min, y_min, x_max, y_max in example.boxes:
        across = (columns / shape[1] - (x_min + x_max) / 2) / ((x_max - x_min) / 2)
        down = (rows / shape[0] - (y_min + y_max) / 2) / ((y_max - y_min) / 2)
        mask |= across[None, :] ** 2 + down[:, None] ** 2 < 1
    return mask


def finish_dataset(out: Path, examples: Sequence[Example], real: Sequence[RealLesions], provenance: str) -> None:
    """Writes the manifest, the real lesions (their images lie in `real/` already) and what the frameworks read."""
    _write_lines(out / "manifest.jsonl", [asdict(example) for example in examples])
    _write_lines(out / "real_lesions.jsonl", [asdict(row) for row in real])
    (out / "provenance.txt").write_text(provenance + "\n")
    (out / "data.yaml").write_text(
        f"path: {out.resolve()}\ntrain: train/images\nval: validation/images\ntest: test/images\nnames:\n"
        + "".join(f"  {index}: {label}\n" for index, label in enumerate(LABELS))
    )


def split_by_patient(patients: set[str], data: DataConfiguration) -> dict[str, str]:
    """Every patient to one part, by a shuffle with the configured seed: no patient is in two parts."""
    if len(patients) < 6:
        raise UnusableData(f"{len(patients)} patients are too few to train, validate and test on")
    shuffled = np.random.default_rng(data.seed).permutation(sorted(patients)).tolist()
    tests = max(1, round(len(shuffled) * data.test_share))
    validations = max(1, round(len(shuffled) * data.validation_share))
    parts = ["test"] * tests + ["validation"] * validations
    parts += ["train"] * (len(shuffled) - len(parts))
    return dict(zip(shuffled, parts, strict=True))


def read_manifest(folder: Path, part: str | None = None) -> list[Example]:
    """The examples of one part, or of all."""
    with (folder / "manifest.jsonl").open() as file:
        rows = [Example(**json.loads(line)) for line in file]
    return [row for row in rows if part is None or row.part == part]


def labels_of(folder: Path) -> tuple[str, ...]:
    """What a network trained here tells apart: the two tumours, and `no_tumour` where there are healthy slices.

    Raises UnusableData where a tumour of either type is missing from the training part.
    """
    known = {CLASS_LABELS[example.label] for example in read_manifest(folder, "train")}
    missing = [label for label in LABELS if label not in known]
    if missing:
        raise UnusableData(f"{folder} has no {missing[0]} to train on")
    return tuple(label for label in CLASS_LABELS if label in known)


def read_real_lesions(folder: Path) -> list[RealLesions]:
    """The slices with real lesions of held-out patients."""
    with (folder / "real_lesions.jsonl").open() as file:
        return [RealLesions(**json.loads(line)) for line in file]


def data_fingerprint(folder: Path) -> str:
    """SHA-256 over the manifest and every prepared image, in name order."""
    digest = hashlib.sha256((folder / "manifest.jsonl").read_bytes())
    for part in PARTS:
        for file in sorted((folder / part / "images").glob("*.png")):
            digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def _prepare_slice(item: LiverSlice, *, split: dict[str, str], data: DataConfiguration, out: Path) -> list[Example]:
    if not item.tumour_free:
        return []
    part = split[item.patient]
    healthy = Example(part, f"{item.name}_{NO_TUMOUR}", item.patient, CLASS_LABELS.index(NO_TUMOUR), [])
    examples = [write_example(healthy, _grey(item.hu, data), None, out)]
    variants = data.variants_train if part == "train" else data.variants_evaluation
    for label in LABELS:
        for variant in range(variants):
            seed = hashlib.sha256(f"{data.seed}/{item.name}/{label}/{variant}".encode()).digest()[:8]
            rng = np.random.default_rng(int.from_bytes(seed))
            try:
                made = synthesise(item.hu, item.liver_mask, data.pixel_spacing_mm, label, rng)
            except ValueError:
                break  # too little liver on this slice for any lesion: it stays a tumour-free example
            boxes = _boxes(made)
            example = Example(part, f"{item.name}_{label}_{variant}", item.patient, boxes[0][0], boxes)
            examples.append(write_example(example, _grey(made.hu, data), _resized(made.lesion_mask, data), out))
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


def save_grey(grey: GreyImage, path: Path) -> None:
    """Writes a PNG, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(grey).save(path)


def _write_lines(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
