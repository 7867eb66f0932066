"""Studies on disk. The body of a request is a ZIP or NIfTI file as it is, or a ZIP made of a folder on the way.

Nothing is held in memory. File names are not sent: they may name a patient.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .file_types import FileType, file_type

_CHUNK_BYTES = 1024 * 1024
_FAST = 1  # CT slices shrink to about a half; higher levels take longer than the network
Progress = Callable[[int], object]
"""Called with the bytes that were read from disk since the last call."""


class NoStudy(ValueError):
    """A path that holds no study."""


@dataclass(frozen=True)
class StudyFiles:
    """files: in the order in which they are sent. packed: whether they are sent as one ZIP."""

    files: tuple[Path, ...]
    packed: bool
    size_bytes: int
    skipped: int = 0

    def headers(self) -> dict[str, str]:
        length = {} if self.packed else {"Content-Length": str(self.size_bytes)}
        return {"Content-Type": "application/octet-stream"} | length

    def chunks(self, progress: Progress) -> Iterator[bytes]:
        """Raises OSError."""
        if self.packed:
            return _zipped(self.files, progress)
        return _read(self.files[0], progress)


def find_study(path: Path) -> StudyFiles:
    """A file is sent whatever it holds; of a folder, the DICOM files in it and in folders within. Raises NoStudy."""
    if path.is_file():
        return StudyFiles((path,), packed=False, size_bytes=path.stat().st_size)
    if not path.is_dir():
        raise NoStudy(f"{path} does not exist")
    files, skipped = [], 0
    for parent, folders, names in os.walk(path):
        folders.sort()
        for file in (Path(parent, name) for name in sorted(names)):
            if _is_dicom(file):
                files.append(file)
            else:
                skipped += 1
    if not files:
        raise NoStudy(f"{path} has no DICOM file")
    return StudyFiles(tuple(files), packed=True, size_bytes=sum(file.stat().st_size for file in files), skipped=skipped)


@contextmanager
def complete_file(path: Path) -> Iterator[BinaryIO]:
    """A file that gets its name when everything was written; of one that broke off, nothing is left. Raises OSError."""
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _is_dicom(file: Path) -> bool:
    try:
        return file.is_file() and file_type(file) is FileType.DICOM
    except OSError:
        return False


def _read(file: Path, progress: Progress) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while chunk := opened.read(_CHUNK_BYTES):
            yield chunk
            progress(len(chunk))


class _Sink:
    """What a ZipFile wrote since the last `take`. It cannot seek, so that each part is complete when it is written."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, data: bytes, /) -> int:
        self._written += data
        return len(data)

    def flush(self) -> None:
        """Nothing is buffered elsewhere."""

    def close(self) -> None:
        """The ZipFile does not call it."""

    def take(self) -> bytes:
        taken = bytes(self._written)
        self._written.clear()
        return taken


def _zipped(files: tuple[Path, ...], progress: Progress) -> Iterator[bytes]:
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=_FAST) as archive:
        for number, file in enumerate(files):
            with archive.open(f"{number:06}.dcm", "w") as opened:
                for chunk in _read(file, progress):
                    opened.write(chunk)
                    if taken := sink.take():
                        yield taken
    yield sink.take()
