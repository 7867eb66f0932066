"""Objects received by C-STORE until their study is complete: encrypted on disk before they are acknowledged.

`FOLDER/NAME/` holds one study of one sender: `key` (its data key, encrypted), `sender` and the objects in the order of
arrival. Names are random, or numbers: nothing in a path comes from the network.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from hepar.storage.encryption import DataKey, KeyRing

_NEW = ".new"
"""End of a name that is being written; it was not acknowledged, and is removed at the start."""


@dataclass(frozen=True)
class Sender:
    """peer: its AE title.  address: it called from."""

    peer: str
    address: str | None


@dataclass
class IncomingStudy:
    """last_at: monotonic time of the last object.  writing: objects that are being written."""

    folder: Path
    sender: Sender
    data_key: DataKey = field(repr=False)
    objects: int = 0
    size_bytes: int = 0
    last_at: float = 0.0
    writing: int = 0

    def contents(self) -> Iterator[bytes]:
        """The objects. Raises Undecipherable and OSError."""
        for file in sorted(self.folder.glob("[0-9]*")):
            if file.suffix != _NEW:
                yield self.data_key.decrypt(file.read_bytes(), _context(self.folder, file.name))


class NoRoom(Exception):
    """As many bytes wait as the operator allows."""


class IncomingStudies:
    """For threads of associations, and one task that takes what is complete.

    bytes_max: of everything that waits.  study_objects_max, study_bytes_max: a study with as many is complete.
    """

    def __init__(
        self,
        folder: Path,
        keys: KeyRing,
        bytes_max: int,
        study_objects_max: int,
        study_bytes_max: int,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Continues with what an earlier process received. Raises Undecipherable."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._keys = keys
        self._bytes_max = bytes_max
        self._study_objects_max = study_objects_max
        self._study_bytes_max = study_bytes_max
        self._now = now
        self._lock = threading.Lock()
        self._open: dict[tuple[str, str], IncomingStudy] = {}
        self._complete: list[IncomingStudy] = []
        self._size_bytes = 0
        for found in sorted(folder.iterdir()):
            self._resume(found)

    def add(self, sender: Sender, study_uid: str, content: bytes) -> None:
        """When it returns, the object is on disk. Raises NoRoom and OSError."""
        sealed_bytes = len(content) + 64
        key = (sender.peer, study_uid)
        with self._lock:
            if self._size_bytes + sealed_bytes > self._bytes_max:
                raise NoRoom
            self._size_bytes += sealed_bytes
            study = self._open.get(key)
            if study is None:
                study = self._open[key] = self._begin(sender, study_uid)
            study.objects += 1
            study.size_bytes += sealed_bytes
            study.writing += 1
            name = f"{study.objects:06}"
            if study.objects >= self._study_objects_max or study.size_bytes >= self._study_bytes_max:
                self._complete.append(self._open.pop(key))
        try:
            _write(study.folder / name, study.data_key.encrypt(content, _context(study.folder, name)))
        finally:
            with self._lock:
                study.writing -= 1
                study.last_at = self._now()

    def take_complete(self, quiet_s: float) -> list[IncomingStudy]:
        """Studies without an object for this long; further objects begin another one."""
        with self._lock:
            before = self._now() - quiet_s
            for key, study in list(self._open.items()):
                if study.writing == 0 and study.last_at <= before:
                    self._complete.append(self._open.pop(key))
            taken = [study for study in self._complete if study.writing == 0]
            self._complete = [study for study in self._complete if study.writing > 0]
        return taken

    def remove(self, study: IncomingStudy) -> None:
        """Once it is stored as a study."""
        gone = study.folder.with_suffix(_NEW)
        study.folder.rename(gone)  # a removal that breaks off must not leave a part of the study
        shutil.rmtree(gone)
        with self._lock:
            self._size_bytes -= study.size_bytes

    def _begin(self, sender: Sender, study_uid: str) -> IncomingStudy:
        name = uuid.uuid4().hex
        folder, new = self._folder / name, self._folder / f"{name}{_NEW}"
        data_key, wrapped = self._keys.new_data_key()
        new.mkdir(mode=0o700)
        _write(new / "key", wrapped)
        facts = json.dumps(asdict(sender) | {"study": study_uid}).encode()
        _write(new / "sender", data_key.encrypt(facts, _context(folder, "sender")))
        new.rename(folder)
        _sync(self._folder)
        return IncomingStudy(folder, sender, data_key, last_at=self._now())

    def _resume(self, folder: Path) -> None:
        if folder.suffix == _NEW:
            shutil.rmtree(folder)
            return
        data_key = self._keys.data_key((folder / "key").read_bytes())
        facts = json.loads(data_key.decrypt((folder / "sender").read_bytes(), _context(folder, "sender")))
        for unfinished in folder.glob(f"*{_NEW}"):
            unfinished.unlink()
        files = list(folder.glob("[0-9]*"))
        study = IncomingStudy(folder, Sender(facts["peer"], facts["address"]), data_key, last_at=self._now())
        study.objects = max((int(file.name) for file in files), default=0)
        study.size_bytes = sum(file.stat().st_size for file in files)
        self._size_bytes += study.size_bytes
        key = (study.sender.peer, facts["study"])
        if key in self._open:
            self._complete.append(study)
        else:
            self._open[key] = study


def _context(folder: Path, name: str) -> str:
    return f"incoming {folder.name} {name}"


def _write(file: Path, content: bytes) -> None:
    """Durable when it returns; a file that is only there in part has another name."""
    new = file.with_name(file.name + _NEW)
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as output:
            output.write(content)
            output.flush()
            os.fsync(output.fileno())
        new.rename(file)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    _sync(file.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
