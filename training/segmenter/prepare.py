"""From reviewed slices and volumes to the segmenter's data: split by patient, lesions synthesised for measuring.

<out>/split.json                      patient -> train, validation or test: the same patients as the other networks
<out>/<part>/{images,livers,lesions}  8-bit slices and 1-bit masks; the training part has no synthesised lesions yet
<out>/segmentation.jsonl              one Background a line
<out>/manifest.jsonl                  the same slices in the format of training.prepared
<out>/provenance.txt, limits.txt      for the card
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from training.configuration import DataConfiguration
from training.fields import BoolImage, FloatImage
from training.lesions import LABELS, WHOLE_RANGE, Label, LesionSlice, synthesise
from training.prepared.dataset import CLASS_LABELS, NO_TUMOUR
from training.segmenter.background import (
    Background,
    Kind,
    Masks,
    ReviewedSlice,
    read_masks,
    reviewed_slices,
    split_of,
    start,
    write,
    write_backgrounds,
)
from training.segmenter.outlines import OUTLINED_BY, Key
from training.segmenter.volumes import VolumeSlice, abdomen_pelvis, crlm, lits_117
from training.sources import MSD_PROVENANCE, UnusableData

PROVENANCE = (
    f"{MSD_PROVENANCE}. Liver masks of the same set; slices below the liver and a liver without contrast of "
    "TotalSegmentator's test volume (Apache-2.0)"
)
LEARNT_FROM = "Lesion masks were learnt from synthesised lesions and from ellipses in boxes of reviewed real lesions"
LIMITS = (
    "Axial slices in the soft-tissue window, in standard radiological display; not mirrored ones",
    "Benign lesions are marked as lesions too, or not: none had a label of its own",
)
CORE_SHARE, MARGIN_SHARE = 0.8, 1.25
"""Of a real lesion's box: its ellipse inside the first is lesion, outside the second is not, between nobody knows."""
_KINDS: dict[str, Kind] = {"none_seen": "healthy", "lesion": "boxed", "unclear": "unclear"}
LITS_PATIENT = "10117"
"""The slices' patient of that number. Compared by eye and by correlation they are two people; one side holds both."""


@dataclass(frozen=True)
class Sources:
    """slices: msd-liver-slices.  volumes: the folder of the NIfTI volumes.  lits: for `lits_117`.

    outlines: masks of the boxed lesions of training patients that a review accepted.
    """

    slices: Path
    volumes: Path | None = None
    lits: Path | None = None
    outlines: Mapping[Key, BoolImage] = field(default_factory=dict)


def prepare_segmentation(sources: Sources, data: DataConfiguration, out: Path) -> int:
    """Writes the data set and returns how many slices it has. Raises UnusableData for what is missing."""
    if not (sources.slices / "second-review" / "slices.csv").is_file():
        raise UnusableData(f"{sources.slices} has no second-review/slices.csv")
    rows = list(reviewed_slices(sources.slices))
    split = split_of(rows, data)
    shutil.rmtree(out, ignore_errors=True)
    start(out)
    items: list[Background] = []
    for row in rows:
        part = split[row.patient]
        kind = _KINDS[row.review]
        outlines = _outlines_of(row, sources.outlines) if part == "train" else {}
        item = Background(part, Path(row.image).stem, row.patient, "msd", kind, row.boxes, row.sure, tuple(outlines))
        masks = _slice_masks(sources.slices, row, outlines)
        if masks.grey.shape != (data.input_size_px, data.input_size_px):
            raise UnusableData(f"{row.image} is {masks.grey.shape}, not {data.input_size_px} pixels a side")
        items.append(write(out, item, masks))
        if kind == "healthy" and part != "train":
            items += _with_lesions(out, item, masks, data)
    items += _volume_items(out, sources, split, data)
    write_backgrounds(out, items)
    _write_manifest(out, items, split)
    _write_origin(out, sum(len(item.outlined) for item in items))
    return len(items)


def with_lesions(
    hu: FloatImage, liver: BoolImage, data: DataConfiguration, label: Label, rng: np.random.Generator
) -> LesionSlice | None:
    """The slice with lesions of WHOLE_RANGE; None where its liver has no room."""
    try:
        return synthesise(hu, liver, data.pixel_spacing_mm, label, rng, WHOLE_RANGE)
    except ValueError:
        return None


def ellipses(boxes: tuple[tuple[int, int, int, int], ...], shape: tuple[int, ...], share: float = 1.0) -> BoolImage:
    """(h, w) True in the ellipse that fills `share` of each box's sides."""
    rows, columns = np.arange(shape[0])[:, None] + 0.5, np.arange(shape[1])[None, :] + 0.5
    mask = np.zeros(shape, dtype=bool)
    for x_min, y_min, x_max, y_max in boxes:
        across = (columns - (x_min + x_max) / 2) / (share * (x_max - x_min) / 2)
        down = (rows - (y_min + y_max) / 2) / (share * (y_max - y_min) / 2)
        mask |= across**2 + down**2 < 1
    return mask


def lesion_target(item: Background, masks: Masks) -> tuple[BoolImage, BoolImage]:
    """What is known of a slice with boxed lesions: (h, w) its lesions, and (h, w) where they are known.

    An outline counts as it is. In a box without one the core of its ellipse is lesion, and the ring around is unknown.
    """
    loose = tuple(box for number, box in enumerate(item.boxes) if number not in item.outlined)
    core, around = (ellipses(loose, masks.liver.shape, share) for share in (CORE_SHARE, MARGIN_SHARE))
    return core | (masks.lesions & ~around), core | ~around


def _outlines_of(row: ReviewedSlice, outlines: Mapping[Key, BoolImage]) -> dict[int, BoolImage]:
    """By the number of the box."""
    keys = [(row.image, number) for number in range(len(row.boxes))]
    return {key[1]: outlines[key] for key in keys if key in outlines}


def _slice_masks(folder: Path, row: ReviewedSlice, outlines: dict[int, BoolImage]) -> Masks:
    grey = np.asarray(Image.open(folder / "images" / row.image).convert("L"))
    liver = np.asarray(Image.open(folder / "liver_masks" / row.image)) != 0
    lesions = ellipses(tuple(box for number, box in enumerate(row.boxes) if number not in outlines), grey.shape)
    for outline in outlines.values():
        lesions = lesions | outline
    return Masks(grey, liver | lesions, lesions)


def _with_lesions(out: Path, item: Background, masks: Masks, data: DataConfiguration) -> list[Background]:
    """A held-out slice once with each type's lesions, always the same."""
    made = []
    for label in LABELS:
        seed = hashlib.sha256(f"segmenter/{data.seed}/{item.name}/{label}".encode()).digest()[:8]
        width_hu = data.window_high_hu - data.window_low_hu
        hu = np.asarray(data.window_low_hu + masks.grey.astype(np.float32) * (width_hu / 255), dtype=np.float32)
        drawn = with_lesions(hu, masks.liver, data, label, np.random.default_rng(int.from_bytes(seed)))
        if drawn is None:
            continue
        relative = (drawn.hu - data.window_low_hu) / width_hu
        grey = np.asarray(np.clip(np.rint(relative * 255), 0, 255), dtype=np.uint8)
        variant = Background(item.part, f"{item.name}_{label}", item.patient, item.domain, "synthesised")
        made.append(write(out, variant, Masks(grey, drawn.liver_mask, drawn.lesion_mask)))
    return made


def _volume_items(out: Path, sources: Sources, split: dict[str, str], data: DataConfiguration) -> list[Background]:
    """Volumes nobody trains on are tested on; of `ct-abdomen-pelvis` the slices without liver and the livers train."""
    items: list[Background] = []
    if sources.volumes is not None:
        items += _of_volume(out, abdomen_pelvis(sources.volumes, data), "abdomen_pelvis", "train", split)
        items += _of_volume(out, crlm(sources.volumes, data), "crlm", "test", split)
    if sources.lits is not None:
        part = split.get(LITS_PATIENT, "test")
        items += _of_volume(out, lits_117(sources.lits, data), "lits_117", part, split)
    return items


def _of_volume(
    out: Path, slices: Iterable[VolumeSlice], patient: str, part: str, split: dict[str, str]
) -> list[Background]:
    split[patient] = part
    return [_volume_item(out, item, patient, part) for item in slices]


def _volume_item(out: Path, item: VolumeSlice, patient: str, part: str) -> Background:
    kind: Kind = "no_liver" if not item.masks.liver.any() else "outlined" if item.lesions_known else "unclear"
    return write(out, Background(part, f"{patient}_{item.number:03d}", patient, patient, kind), item.masks)


def _write_manifest(out: Path, items: list[Background], split: dict[str, str]) -> None:
    rows = []
    for item in items:
        label = CLASS_LABELS.index(NO_TUMOUR) if not read_masks(out, item).lesions.any() else 0
        row = {"part": item.part, "name": item.name, "patient": item.patient, "label": label, "boxes": []}
        rows.append(json.dumps(row) + "\n")
    (out / "manifest.jsonl").write_text("".join(rows))
    (out / "split.json").write_text(json.dumps(split, indent=1, sort_keys=True))


def _write_origin(out: Path, outlines: int) -> None:
    """outlines: how many boxed lesions have one."""
    provenance, masks = PROVENANCE, LEARNT_FROM
    if outlines:
        provenance += f". Outlines of {outlines} real lesions by {OUTLINED_BY.sentence}, each accepted by eye"
        masks += f"; {outlines} of the real lesions were outlined by another network, each accepted by eye"
    (out / "provenance.txt").write_text(provenance + "\n")
    (out / "limits.txt").write_text("".join(f"{limit}.\n" for limit in (masks, *LIMITS)))
