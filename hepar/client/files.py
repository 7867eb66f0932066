"""Which images a path stands for: a file, a folder, or the slices of a DICOM series in their order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

_ENDINGS = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".dcm", ".dicom", ".ima", ""}
_PREAMBLE_BYTES = 128


class NoImages(Exception):
    """A path that is none, or a folder without anything that could be an image."""


def images_in(paths: Sequence[Path]) -> list[Path]:
    """Files as they are; of folders every image, also in folders within, DICOM slices by series and instance number.

    Raises NoImages.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_file():
            found.append(path)
            continue
        if not path.is_dir():
            raise NoImages(f"there is no {path}")
        inside = [file for file in path.rglob("*") if file.is_file() and _may_be_image(file)]
        if not inside:
            raise NoImages(f"{path} has no image")
        found += sorted(inside, key=_place)
    return found


def _may_be_image(file: Path) -> bool:
    if file.name.startswith(".") or file.name.upper() == "DICOMDIR":
        return False
    return file.suffix.lower() in _ENDINGS and (file.suffix != "" or is_dicom(file))


def is_dicom(file: Path) -> bool:
    """By its magic bytes (PS3.10, section 7.1)."""
    with file.open("rb") as opened:
        return opened.read(_PREAMBLE_BYTES + 4)[_PREAMBLE_BYTES:] == b"DICM"


def _place(file: Path) -> tuple[str, str, int, list[int | str]]:
    """Folder, series, instance number, and the name with its numbers as numbers."""
    series, instance = _series(file) if is_dicom(file) else ("", 0)
    name: list[int | str] = [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", file.name)]
    return str(file.parent), series, instance, name


def _series(file: Path) -> tuple[str, int]:
    """Where pydicom is installed; else names decide."""
    try:
        import pydicom
        from pydicom.errors import InvalidDicomError
    except ImportError:
        return "", 0
    try:
        dataset = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=["SeriesInstanceUID", "InstanceNumber"])
        return str(dataset.get("SeriesInstanceUID", "")), int(dataset.get("InstanceNumber") or 0)
    except (InvalidDicomError, OSError, ValueError, TypeError):
        return "", 0
