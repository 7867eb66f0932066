"""How a change of files is noticed without reading them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def file_stamps(folder: Path, patterns: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Modification time in ns and size in bytes, by path; differs when a file was written, added or removed."""
    stamps = {}
    for pattern in patterns:
        for file in folder.glob(pattern):
            try:
                status = file.stat()
            except FileNotFoundError:  # removed after it was listed
                continue
            stamps[str(file)] = (status.st_mtime_ns, status.st_size)
    return stamps
