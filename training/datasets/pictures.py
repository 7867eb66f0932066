"""Readers of picture datasets: class folders (the Kaggle layout), YOLO, Pascal VOC, COCO and tables of boxes.

Pictures are assumed to be windowed. None of these layouts identifies patients: each image counts as one patient.
Boxes refer to the pixels as the file stores them. Slices have the pixels of the display: turned by the EXIF orientation
and square, as the networks see a picture when it is analysed.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import yaml

from hepar.imaging import decode
from hepar.imaging.errors import ImageError
from hepar.imaging.geometry import Geometry
from hepar.imaging.prepared import square_pixels
from training.datasets.records import (
    NO_TUMOUR,
    UNKNOWN,
    Fault,
    Read,
    ReadOptions,
    SourceSlice,
    TypedBox,
    UnexpectedLayout,
    box_fault,
    file_sha256,
)

SUFFIXES = (".png", ".jpg", ".jpeg")


def read_class_folders(folder: Path, options: ReadOptions) -> Read:
    """One folder of images per tumour type; YOLO txt files with the same stem have the boxes.

    The type is the name of the folder; the class numbers in the txt files are ignored.
    """
    del options
    classes = [path for path in _folders(folder) if any(_images(path))]
    if not classes:
        raise UnexpectedLayout(f"{folder} has no folder of images")
    for kind in classes:
        for path in _images(kind):
            labels = next((file for file in (path.with_suffix(".txt"), *_label_files(path)) if file.is_file()), None)
            rows = _yolo_rows(labels) if labels else []
            yield from _slice(folder, path, kind.name, [(row, kind.name) for row in rows], relative=True)


def read_yolo(folder: Path, options: ReadOptions) -> Read:
    """`data.yaml` with names, and a labels/x.txt for each images/x.png; an empty or missing one means no tumour."""
    del options
    description = _required(folder / "data.yaml")
    names = yaml.safe_load(description.read_text())["names"]
    names = dict(enumerate(names)) if isinstance(names, list) else names
    paths = [path for path in _all_images(folder) if "images" in path.relative_to(folder).parts]
    if not paths:
        raise UnexpectedLayout(f"{folder} has no folder `images`")
    for path in paths:
        labels = next((file for file in _label_files(path) if file.is_file()), None)
        rows = (
            [(row, str(names.get(int(row[0]), f"class {int(row[0])}"))) for row in _yolo_rows(labels)] if labels else []
        )
        yield from _slice(folder, path, rows[0][1] if rows else NO_TUMOUR, rows, relative=True)


def read_pascal_voc(folder: Path, options: ReadOptions) -> Read:
    """Annotations/x.xml with objects, JPEGImages/x.jpg (or images/)."""
    del options
    annotations = sorted(_required(folder / "Annotations").glob("*.xml"))
    images = {path.stem: path for path in _all_images(folder)}
    for file in annotations:
        origin = str(file.relative_to(folder))
        try:
            root = ElementTree.parse(file).getroot()  # noqa: S314  expat has bounded entity expansion since 2.4.1
            rows = [(_voc_box(item), item.findtext("name") or UNKNOWN) for item in root.iter("object")]
        except (ElementTree.ParseError, ValueError) as error:
            yield Fault(origin, f"not an annotation: {error}")
            continue
        if file.stem not in images:
            yield Fault(origin, "its image is missing")
            continue
        yield from _slice(folder, images[file.stem], rows[0][1] if rows else NO_TUMOUR, rows)


def read_coco(folder: Path, options: ReadOptions) -> Read:
    """One or more *.json with images, annotations and categories; images anywhere below the folder, by file name."""
    del options
    files = [file for file in sorted(folder.rglob("*.json")) if b'"annotations"' in file.read_bytes()]
    if not files:
        raise UnexpectedLayout(f"{folder} has no COCO json with annotations")
    paths = {path.name: path for path in _all_images(folder)}
    for file in files:
        document = json.loads(file.read_text())
        names = {row["id"]: str(row["name"]) for row in document["categories"]}
        by_image: dict[int, list[tuple[list[float], str]]] = {}
        for row in document["annotations"]:
            x, y, width, height = row["bbox"]
            box = [x, y, x + width, y + height]
            by_image.setdefault(row["image_id"], []).append((box, names.get(row["category_id"], UNKNOWN)))
        for image in document["images"]:
            path = paths.get(Path(image["file_name"]).name)
            if path is None:
                yield Fault(f"{file.relative_to(folder)}: {image['file_name']}", "the image is missing")
                continue
            rows = by_image.get(image["id"], [])
            yield from _slice(folder, path, rows[0][1] if rows else NO_TUMOUR, rows)


def read_csv_boxes(folder: Path, options: ReadOptions) -> Read:
    """`boxes.csv` with image, x_min, y_min, x_max, y_max (pixels, maxima exclusive) and type; images below the folder.

    An image without a row has no tumour.
    """
    del options
    by_image: dict[str, list[tuple[list[float], str]]] = {}
    with _required(folder / "boxes.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            corners = [float(row[key]) for key in ("x_min", "y_min", "x_max", "y_max")]
            by_image.setdefault(row["image"], []).append((corners, row.get("type") or UNKNOWN))
    for path in _all_images(folder):
        rows = by_image.pop(path.name, [])
        yield from _slice(folder, path, rows[0][1] if rows else NO_TUMOUR, rows)
    for name in by_image:
        yield Fault(name, "boxes.csv names this image, but it does not exist")


def _slice(
    folder: Path,
    path: Path,
    tumour_type: str,
    rows: Iterable[tuple[list[float], str]],
    *,
    relative: bool = False,
) -> Iterator[SourceSlice | Fault]:
    """rows: corners in pixels as stored, or (class, x, y, w, h) as shares of the image if `relative`."""
    origin = str(path.relative_to(folder))
    try:
        image = decode(path.read_bytes())
    except (ImageError, OSError) as error:
        yield Fault(origin, str(error))
        return
    geometry = image.geometry
    boxes = [_in_pixels(row, geometry, kind) if relative else _rounded(row, kind) for row, kind in rows]
    for box in boxes:
        reason = box_fault(box, geometry.height, geometry.width)
        if reason:
            yield Fault(origin, reason)
            return
    shown = tuple(_displayed(box, geometry) for box in boxes)
    name = origin.removesuffix(path.suffix).replace("/", "_")
    yield SourceSlice(name, name, square_pixels(image), tumour_type, shown, origin, file_sha256(path))


def _displayed(box: TypedBox, geometry: Geometry) -> TypedBox:
    sent = np.array([box.x_min, box.y_min, box.x_max, box.y_max])
    return _rounded(geometry.boxes_to_display(sent)[0].tolist(), box.tumour_type)


def _in_pixels(row: list[float], geometry: Geometry, kind: str) -> TypedBox:
    _, x, y, width, height = row
    rows, columns = geometry.height, geometry.width
    corners = [(x - width / 2) * columns, (y - height / 2) * rows, (x + width / 2) * columns, (y + height / 2) * rows]
    return _rounded(corners, kind)


def _rounded(corners: list[float], kind: str) -> TypedBox:
    x_min, y_min, x_max, y_max = (round(value) for value in corners)
    return TypedBox(x_min, y_min, x_max, y_max, kind)


def _voc_box(item: ElementTree.Element) -> list[float]:
    """VOC counts pixels from 1 and includes the last pixel."""
    values = [float(item.findtext(f"bndbox/{key}") or "nan") for key in ("xmin", "ymin", "xmax", "ymax")]
    if any(value != value for value in values):
        raise ValueError("an object has no bndbox")
    return [values[0] - 1, values[1] - 1, values[2], values[3]]


def _yolo_rows(file: Path) -> list[list[float]]:
    rows = [[float(word) for word in line.split()] for line in file.read_text().splitlines() if line.strip()]
    return [row for row in rows if len(row) == 5]


def _label_files(image: Path) -> list[Path]:
    """Where YOLO tools look: the last folder `images` in the path replaced by `labels`, or a folder `labels`."""
    parts = list(image.with_suffix(".txt").parts)
    places = [index for index, part in enumerate(parts) if part == "images"]
    if places:
        parts[places[-1]] = "labels"
        return [Path(*parts)]
    return [image.parent / "labels" / f"{image.stem}.txt"]


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in _required(folder).iterdir() if path.is_dir())


def _images(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def _all_images(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)


def _required(path: Path) -> Path:
    if not path.exists():
        raise UnexpectedLayout(f"{path} is missing")
    return path
