"""Writing a prepared data set in the layout that training.prepared describes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image

from hepar.imaging.ct_image import GreyImage
from training.fields import BoolImage
from training.lesions import LABELS
from training.prepared.dataset import PARTS, Example, RealLesions
from training.sources import LiverSlice

BACKGROUNDS = "backgrounds"
KINDS = ("images", "labels", "lesions")


def start_dataset(folder: Path, split: Mapping[str, str]) -> None:
    """Deletes what is in `folder`, creates the subfolders and writes the split."""
    shutil.rmtree(folder, ignore_errors=True)
    for part in PARTS:
        start_part(folder / part)
    (folder / "split.json").write_text(json.dumps(split, indent=1, sort_keys=True))


def start_part(folder: Path) -> None:
    """Creates the folder of a part and its subfolders."""
    for kind in KINDS:
        (folder / kind).mkdir(parents=True)


def save_background(item: LiverSlice, folder: Path) -> None:
    """Writes a slice into which lesions can be synthesised again."""
    file = folder / BACKGROUNDS / f"{item.name}.npz"
    file.parent.mkdir(exist_ok=True)
    np.savez_compressed(file, patient=item.patient, hu=item.hu, liver_mask=item.liver_mask)


def read_background(file: Path) -> LiverSlice:
    """What `save_background` wrote."""
    with np.load(file) as stored:
        return LiverSlice(file.stem, str(stored["patient"]), stored["hu"], stored["liver_mask"], tumour_free=True)


def write_example(example: Example, grey: GreyImage, lesions: BoolImage | None, folder: Path) -> Example:
    """Writes the image, the lesion mask and the YOLO boxes of one example; returns the example.

    lesions: (h, w) as the image, or None if only boxes are known.
    """
    save_grey(grey, folder / example.part / "images" / f"{example.name}.png")
    mask = _ellipses(example, grey.shape) if lesions is None else lesions
    Image.fromarray(mask).save(folder / example.part / "lesions" / f"{example.name}.png")
    lines = [
        f"{label} {(x0 + x1) / 2:.6f} {(y0 + y1) / 2:.6f} {x1 - x0:.6f} {y1 - y0:.6f}\n"
        for label, x0, y0, x1, y1 in example.boxes
    ]
    (folder / example.part / "labels" / f"{example.name}.txt").write_text("".join(lines))
    return example


def finish_dataset(
    folder: Path, examples: Sequence[Example], real: Sequence[RealLesions], provenance: str, limits: Sequence[str]
) -> None:
    """Writes the manifest, the list of real lesions and the files that the frameworks read.

    real: their images must be in `real/` already.  provenance, limits: for the cards of the networks trained on it.
    """
    write_examples(folder, examples, PARTS)
    _write_lines(folder / "real_lesions.jsonl", [asdict(row) for row in real])
    (folder / "provenance.txt").write_text(provenance + "\n")
    (folder / "limits.txt").write_text("".join(f"{limit}\n" for limit in limits))
    write_description(folder, folder)


def write_examples(folder: Path, examples: Sequence[Example], parts: Sequence[str]) -> None:
    """Writes the manifest, and for each part the list of images that detectors learn from."""
    _write_lines(folder / "manifest.jsonl", [asdict(example) for example in examples])
    for part in parts:
        names = [example.name for example in examples if example.part == part and example.located]
        (folder / f"{part}.txt").write_text("".join(f"./{part}/images/{name}.png\n" for name in names))


def write_description(folder: Path, held_out: Path) -> None:
    """Writes the file that ultralytics reads. folder: of the training part.  held_out: of the other parts."""
    (folder / "data.yaml").write_text(
        f"path: {held_out.resolve()}\ntrain: {folder.resolve()}/train.txt\n"
        "val: validation.txt\ntest: test.txt\nnames:\n"
        + "".join(f"  {index}: {label}\n" for index, label in enumerate(LABELS))
    )


def save_grey(grey: GreyImage, path: Path) -> None:
    """Writes a PNG file and creates its folder if needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(grey).save(path)


def _ellipses(example: Example, shape: tuple[int, ...]) -> BoolImage:
    """(h, w) True inside the ellipse that fills each box."""
    rows, columns = (np.arange(side) + 0.5 for side in shape)
    mask = np.zeros(shape, dtype=bool)
    for _, x_min, y_min, x_max, y_max in example.boxes:
        x = (columns / shape[1] - (x_min + x_max) / 2) / ((x_max - x_min) / 2)
        y = (rows / shape[0] - (y_min + y_max) / 2) / ((y_max - y_min) / 2)
        mask |= x[None, :] ** 2 + y[:, None] ** 2 < 1
    return mask


def _write_lines(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
