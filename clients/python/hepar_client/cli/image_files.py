"""Which images a path stands for: a file, or all images of a folder, slices of a DICOM series in their order."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hepar_client.cli.dicom_series import SlicePosition, natural_order, slice_position
from hepar_client.file_types import FileType, file_type

# Files that operating systems leave in folders. They are ignored unless their bytes are those of an image.
_SYSTEM_FILES = frozenset({".ds_store", "thumbs.db", "desktop.ini"})
_SYSTEM_PREFIX = "._"


class NoSuchPath(Exception):
    """A path that does not exist."""


@dataclass
class FoundFiles:
    """images: in the order in which they are sent. skipped: paths that are not sent, and the reasons."""

    images: list[Path] = field(default_factory=list)
    skipped: list[tuple[Path, str]] = field(default_factory=list)


def find_images(paths: Sequence[Path]) -> FoundFiles:
    """A file that is named is sent whatever it holds. Raises NoSuchPath."""
    found = FoundFiles()
    for path in paths:
        if path.is_dir():
            _search(path, found)
        elif path.exists():
            found.images.append(path)
        else:
            raise NoSuchPath(f"{path} does not exist")
    return found


def _search(folder: Path, found: FoundFiles) -> None:
    """Recognises images by their bytes. A file whose suffix is that of an image is sent even if its bytes are not."""
    images: list[tuple[Path, FileType]] = []
    skipped_before = len(found.skipped)
    for file in _files_in(folder, found):
        try:
            kind = file_type(file) if stat.S_ISREG(file.stat().st_mode) else FileType.OTHER
        except OSError as error:
            found.skipped.append((file, error.strerror or str(error)))
            continue
        if kind in (FileType.PICTURE, FileType.DICOM):
            images.append((file, kind))
        elif kind is FileType.OTHER and not _is_system_file(file):
            found.skipped.append((file, "not an image"))
    if not images and len(found.skipped) == skipped_before:
        found.skipped.append((folder, "no image in this folder"))
    found.images += _in_order(images)


def _files_in(folder: Path, found: FoundFiles) -> Iterator[Path]:
    """In folders within as well. Links to folders are not followed: they may lead in a circle."""

    def unreadable(error: OSError) -> None:
        found.skipped.append((Path(os.fsdecode(error.filename)), error.strerror or str(error)))

    for parent, folders, names in os.walk(folder, onerror=unreadable):
        folders.sort()
        links = [Path(parent, name) for name in folders if Path(parent, name).is_symlink()]
        found.skipped += [(link, "a link to a folder is not followed") for link in links]
        yield from (Path(parent, name) for name in sorted(names))


def _is_system_file(file: Path) -> bool:
    return file.name.lower() in _SYSTEM_FILES or file.name.startswith(_SYSTEM_PREFIX)


def _in_order(images: Sequence[tuple[Path, FileType]]) -> list[Path]:
    """By folder; within it pictures by name, then each series by its slices. A series stays together across folders."""
    positions = {file: slice_position(file) if kind is FileType.DICOM else SlicePosition() for file, kind in images}
    first_folder: dict[str, str] = {}
    for file, position in positions.items():
        folder = str(file.parent)
        first_folder[position.series_uid] = min(folder, first_folder.get(position.series_uid, folder))

    def key(file: Path) -> tuple[object, ...]:
        position = positions[file]
        folder = first_folder[position.series_uid] if position.series_uid else str(file.parent)
        return (
            natural_order(folder), position.series_uid, position.instance_number, position.along_normal_mm,
            natural_order(file.name), natural_order(str(file)),
        )  # fmt: skip

    return sorted(positions, key=key)
