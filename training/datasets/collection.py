"""Joins several datasets into one manifest, with a list of what could not be used.

<out>/images/<source>/<name>.png   8-bit greyscale in the configured window, at the original size
<out>/liver/<source>/<name>.png    1-bit mask of the liver, if known
<out>/lesions/<source>/<name>.png  1-bit mask of the lesions, if known
<out>/manifest.jsonl               one Record per line
<out>/faults.jsonl                 one NamedFault per line
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from PIL import Image

from training.datasets.dicom import read_chaos, read_crlm, read_dicom_series, read_ircadb
from training.datasets.nifti import read_lits, read_mct_ltdiag, read_plc_cect
from training.datasets.pictures import (
    read_class_folders,
    read_coco,
    read_csv_boxes,
    read_pascal_voc,
    read_yolo,
)
from training.datasets.records import Fault, Reader, ReadOptions, SourceSlice, UnexpectedLayout


@dataclass(frozen=True)
class Layout:
    """A dataset layout. licence: of the public dataset with this layout, if there is one."""

    read: Reader
    licence: str


_UNKNOWN_LICENCE = "see the dataset"
LAYOUTS: dict[str, Layout] = {
    "class_folders": Layout(read_class_folders, _UNKNOWN_LICENCE),
    "yolo": Layout(read_yolo, _UNKNOWN_LICENCE),
    "pascal_voc": Layout(read_pascal_voc, _UNKNOWN_LICENCE),
    "coco": Layout(read_coco, _UNKNOWN_LICENCE),
    "csv_boxes": Layout(read_csv_boxes, _UNKNOWN_LICENCE),
    "lits": Layout(read_lits, "CC BY-SA 4.0"),
    "mct_ltdiag": Layout(read_mct_ltdiag, "CC0 1.0"),
    "plc_cect": Layout(read_plc_cect, _UNKNOWN_LICENCE),
    "crlm": Layout(read_crlm, "CC BY 4.0"),
    "ircadb": Layout(read_ircadb, "CC BY-NC-ND 4.0"),
    "chaos": Layout(read_chaos, "CC BY-NC-SA 4.0"),
    "dicom_series": Layout(read_dicom_series, _UNKNOWN_LICENCE),
}


@dataclass(frozen=True)
class Source:
    """One dataset, written KIND=FOLDER on the command line."""

    kind: str
    folder: Path

    @classmethod
    def parse(cls, text: str) -> Source:
        """Raises UnexpectedLayout for an unknown kind or a missing folder."""
        kind, _, folder = text.partition("=")
        if kind not in LAYOUTS or not folder:
            raise UnexpectedLayout(f"{text!r} is not KIND=FOLDER; kinds: {', '.join(LAYOUTS)}")
        if not Path(folder).is_dir():
            raise UnexpectedLayout(f"{folder} is not a folder")
        return cls(kind, Path(folder))


@dataclass(frozen=True)
class Record:
    """One line of the manifest. boxes: x_min, y_min, x_max, y_max (pixels, maxima exclusive), tumour type, label.

    label: None if the label map does not contain the type; such images are listed but not used for training.
    sha256: of the file in the dataset.
    """

    path: str
    sha256: str
    origin: str
    patient: str
    tumour_type: str
    label: str | None
    boxes: list[tuple[int, int, int, int, str, str | None]]
    source: str
    licence: str
    spacing_mm: tuple[float, float] | None
    liver_mask: str | None
    lesion_mask: str | None
    corrections: list[str]


@dataclass(frozen=True)
class NamedFault:
    source: str
    origin: str
    reason: str


def collect(
    sources: Sequence[Source],
    options: ReadOptions,
    label_map: Mapping[str, str],
    out: Path,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[list[Record], list[NamedFault]]:
    """Reads all sources into `out`, which is emptied first. Raises UnexpectedLayout if a folder has another layout."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    records: list[Record] = []
    faults: list[NamedFault] = []
    for number, source in enumerate(sources):
        name = source.kind if [other.kind for other in sources].count(source.kind) == 1 else f"{source.kind}_{number}"
        before = len(records), len(faults)
        for item in LAYOUTS[source.kind].read(source.folder, options):
            if isinstance(item, Fault):
                faults.append(NamedFault(name, item.origin, item.reason))
            else:
                records.append(_write_slice(item, name, LAYOUTS[source.kind].licence, label_map, out))
        progress(f"{name}: {len(records) - before[0]} images, {len(faults) - before[1]} faults")
    _write_lines(out / "manifest.jsonl", records)
    _write_lines(out / "faults.jsonl", faults)
    return records, faults


def read_collection(folder: Path) -> list[Record]:
    """The manifest that `collect` wrote."""
    with (folder / "manifest.jsonl").open() as file:
        return [Record(**json.loads(line)) for line in file]


def _write_slice(item: SourceSlice, source: str, licence: str, label_map: Mapping[str, str], out: Path) -> Record:
    path = Path("images") / source / f"{item.name}.png"
    _save(Image.fromarray(item.grey), out / path)
    masks: dict[str, str] = {}
    for kind, mask in (("liver", item.liver_mask), ("lesions", item.lesion_mask)):
        if mask is not None:
            masks[kind] = f"{kind}/{source}/{item.name}.png"
            _save(Image.fromarray(mask), out / masks[kind])
    return Record(
        path=str(path),
        sha256=item.origin_sha256,
        origin=item.origin,
        patient=f"{source}/{item.patient}",
        tumour_type=item.tumour_type,
        label=label_map.get(item.tumour_type),
        boxes=[
            (box.x_min, box.y_min, box.x_max, box.y_max, box.tumour_type, label_map.get(box.tumour_type))
            for box in item.boxes
        ],
        source=source,
        licence=licence,
        spacing_mm=item.spacing_mm,
        liver_mask=masks.get("liver"),
        lesion_mask=masks.get("lesions"),
        corrections=list(item.corrections),
    )


def _save(image: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def _write_lines(path: Path, rows: Sequence[Record | NamedFault]) -> None:
    path.write_text("".join(json.dumps(asdict(row)) + "\n" for row in rows))
