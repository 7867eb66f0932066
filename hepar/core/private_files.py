"""Files that only their owner may read: keys and secrets."""

from __future__ import annotations

import os
from pathlib import Path


def write_private(file: Path, content: bytes) -> None:
    """Writes the file atomically with mode 600; an existing file is left as it is."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = _draft(file, content)
    try:
        try:
            os.link(draft, file)
        except FileExistsError:
            return
        sync_folder(file.parent)
    finally:
        draft.unlink()


def replace_private(file: Path, content: bytes) -> None:
    """Like write_private, but an existing file is replaced."""
    _draft(file, content).replace(file)
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Makes names in a folder durable: a new name is lost in a power cut before this."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def require_private(file: Path, error: type[Exception]) -> None:
    """Raises `error` where anyone but the owner may read the file.

    The group may read it too where another user owns it, as with a Kubernetes Secret that is mounted for a pod's group.
    """
    facts = file.stat()
    others = 0o037 if facts.st_uid != os.getuid() else 0o077
    if facts.st_mode & others:
        raise error(f"{file} can be read by others than its owner: run chmod 600 on it")


def _draft(file: Path, content: bytes) -> Path:
    draft = file.with_suffix(f".{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as output:
            output.write(content)
            output.flush()
            os.fsync(output.fileno())
    except OSError:
        draft.unlink()
        raise
    return draft
