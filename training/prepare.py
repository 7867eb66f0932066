"""From source slices to a prepared data set: split by patient, lesions synthesised, files both frameworks read.

<out>/split.json                    patient -> train, validation or test
<out>/<part>/images/<name>.png      8-bit greyscale, input_size_px on a side
<out>/<part>/lesions/<name>.png     1-bit mask of the lesions; ellipses in their boxes where no mask is known
<out>/<part>/labels/<name>.txt      YOLO boxes (class x y w h, 0..1 of the image); empty for no tumour
<out>/<part>.txt                    the images that detectors learn from: tumours without a box are not among them
<out>/manifest.jsonl                one Example a line
<out>/real_lesions.jsonl            boxes of reviewed real lesions (type unknown) on held-out patients
<out>/real/<name>.png               the slices they lie on
<out>/provenance.txt                where the slices come from
<out>/limits.txt                    what a network trained on them cannot claim, one sentence a line
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
LIMITS = (
    "Trained on synthesised lesions: figures on them say nothing about real tumour types.",
    "Portal-venous phase axial slices in the soft-tissue window; other phases and organs are out of scope.",
    "Benign lesions and hepatocellular carcinoma were not in the training data.",
)


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
        """Whether it is known where its lesions are: a tumour without a box teaches and judges only what, not where."""
        return bool(self.boxes) or self.label == CLASS_LABELS.index(NO_TUMOUR)


@dataclass(frozen=True)
class RealLesions:
    """One slice of a held-out patient. boxes: (x_min, y_min, x_max, y_max), 0..1 of the image."""

    name: str
    patient: str
    part: str
    boxes: list[tuple[float, float, float, float]]


def prepare(
    source: Source, data: DataConfiguration, out: Path, workers: int = 2, fold: tuple[int, int] | None = None
) -> int:
    """Writes the data set and returns how many images it has.

    fold: (number from 1, count), to test on that one of so many; the shares of the configuration without it.
    Raises UnusableData when the slices have fewer than six patients, too few to split by patient, or than folds.
    """
    slices = list(source.slices)
    patients = {item.patient for item in slices}
    split = split_by_patient(patients, data) if fold is None else fold_by_patient(patients, data, *fold)
    for item in source.training_only:
        slices.append(item)
        split[item.patient] = "train"
    start_dataset(out, split)
    work = partial(_prepare_slice, split=split, data=data, out=out)
    with ProcessPoolExecutor(workers) as pool:
        examples = [example for made in pool.map(work, slices, chunksize=4) for example in made]
    taught = [item for item in slices if item.real_lesions and split[item.patient] == "train"]
    examples += [example for item in taught for example in _real_examples(item, data, out)]
    provenance = source.provenance
    if taught and data.real_repeats:
        lesions = sum(len(item.real_lesions) for item in taught)
        provenance += (
            f". {lesions} reviewed real lesions on {len(taught)} slices of training patients, as both types alike"
        )
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
    finish_dataset(out, examples, real, provenance, LIMITS)
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


def finish_dataset(
    out: Path, examples: Sequence[Example], real: Sequence[RealLesions], provenance: str, limits: Sequence[str]
) -> None:
    """Writes the manifest, the real lesions (their images lie in `real/` already) and what the frameworks read.

    provenance, limits: for the cards of the networks trained on it.
    """
    _write_lines(out / "manifest.jsonl", [asdict(example) for example in examples])
    _write_lines(out / "real_lesions.jsonl", [asdict(row) for row in real])
    (out / "provenance.txt").write_text(provenance + "\n")
    (out / "limits.txt").write_text("".join(f"{limit}\n" for limit in limits))
    for part in PARTS:
        names = [example.name for example in examples if example.part == part and example.located]
        (out / f"{part}.txt").write_text("".join(f"./{part}/images/{name}.png\n" for name in names))
    (out / "data.yaml").write_text(
        f"path: {out.resolve()}\ntrain: train.txt\nval: validation.txt\ntest: test.txt\nnames:\n"
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


def fold_by_patient(patients: set[str], data: DataConfiguration, number: int, count: int) -> dict[str, str]:
    """Fold `number` (from 1) of `count` is tested on, the next one validated on, the others train."""
    if not len(PARTS) <= count <= len(patients):
        raise UnusableData(f"{len(patients)} patients and {count} folds: too few to train, validate and test on")
    shuffled = np.random.default_rng(data.seed).permutation(sorted(patients)).tolist()
    parts = {(number - 1) % count: "test", number % count: "validation"}
    return {patient: parts.get(place % count, "train") for place, patient in enumerate(shuffled)}


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


def require_boxes(folder: Path) -> None:
    """Raises UnusableData where no tumour of the training part has a box, and a detector has nothing to learn."""
    if not any(example.boxes for example in read_manifest(folder, "train")):
        raise UnusableData(f"{folder} has no boxes: a detector has nothing to learn from it")


def read_real_lesions(folder: Path) -> list[RealLesions]:
    """The slices with real lesions of held-out patients."""
    with (folder / "real_lesions.jsonl").open() as file:
        return [RealLesions(**json.loads(line)) for line in file]


def data_fingerprint(folder: Path) -> str:
    """SHA-256 over the manifest and every prepared image's mean grey in half levels, in name order.

    Not over the files: processors round differently, and of 7,132 images made from the same sources ten differ in one
    pixel by one grey level between a processor with AVX-512 and one without.
    """
    digest = hashlib.sha256((folder / "manifest.jsonl").read_bytes())
    for part in PARTS:
        for file in sorted((folder / part / "images").glob("*.png")):
            half_levels = round(2 * float(np.asarray(Image.open(file)).mean()))
            digest.update(f"{file.name} {half_levels}\n".encode())
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


def _real_examples(item: LiverSlice, data: DataConfiguration, out: Path) -> list[Example]:
    """A slice with real lesions of unknown type, as often under one label as under the other.

    So it teaches where lesions are and says nothing about their type.
    """
    grey = _grey(item.hu, data)
    corners = [_relative(box, item.hu.shape) for box in item.real_lesions]
    return [
        write_example(
            Example(
                "train", f"{item.name}_real_{name}_{repeat}", item.patient, label, [(label, *box) for box in corners]
            ),
            grey,
            None,
            out,
        )
        for repeat in range(data.real_repeats)
        for label, name in enumerate(LABELS)
    ]


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
