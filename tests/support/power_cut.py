"""What a power cut leaves on a disk: a process's writes are recorded by strace, and replayed up to every moment.

A file system may keep or lose whatever was not synchronised, each write for itself. As ext4, XFS and Btrfs do, the
fsync of a file also makes its name durable; other names become durable by the fsync of their folder.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_CALLS = "openat,write,pwrite64,fsync,fdatasync,link,linkat,rename,renameat,unlink,unlinkat,ftruncate"
_LINE = re.compile(r"(\d+\.\d+) (\w+)\((.*)\) = \d+(?:<.*>)?")
_HEX = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_DESCRIPTOR = re.compile(r"^\d+<((?:\\x[0-9a-f]{2})+)>")
_STDOUT = 1


@dataclass(frozen=True)
class Call:
    """path: of the file.  other: the new name of a link.  acknowledged: what was written to stdout."""

    name: str
    path: str = ""
    other: str = ""
    content: bytes = b""
    offset: int | None = None
    acknowledged: str = ""


def recorded(script: str, folder: Path, *arguments: str) -> list[Call]:
    """Runs Python code; returns its calls that change files below `folder`, and its lines on stdout, in order."""
    strace = shutil.which("strace")
    assert strace is not None, "strace is missing: .ci/install-debian installs it"
    trace = folder.parent / "trace"
    command = [strace, "-ff", "-ttt", "-y", "-xx", "-s", "1000000", "-e", f"trace={_CALLS}", "-e", "signal=none"]
    command += ["--status=successful", "-o", str(trace), sys.executable, "-c", script, str(folder), *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=120)
    lines = [line for file in trace.parent.glob("trace.*") for line in file.read_text().splitlines()]
    parsed = sorted((float(found[1]), found[2], found[3]) for line in lines if (found := _LINE.fullmatch(line)))
    return [call for _, name, given in parsed if (call := _call(name, given, str(folder))) is not None]


def _call(name: str, arguments: str, folder: str) -> Call | None:
    texts = [_decoded(text) for text in _HEX.findall(arguments)]
    found = _DESCRIPTOR.match(arguments)
    path = _decoded(found[1]).decode() if found else ""
    if name == "write" and arguments.startswith(f"{_STDOUT}<"):
        return Call("ack", acknowledged=texts[0].decode().strip())
    if name in ("write", "pwrite64", "fsync", "fdatasync", "ftruncate"):
        last = arguments.rpartition(",")[2].strip()
        offset = int(last) if name in ("pwrite64", "ftruncate") else None
        call = Call(
            name.removesuffix("64").replace("fdatasync", "fsync"), path, content=(texts or [b""])[0], offset=offset
        )
    elif name == "openat":
        if "O_CREAT" not in arguments and "O_TRUNC" not in arguments:
            return None
        call = Call("truncate" if "O_TRUNC" in arguments else "create", texts[0].decode())
    else:
        names = [text.decode() for text in texts]
        call = Call(name.removesuffix("at"), names[0], names[1] if len(names) > 1 else "")
    return call if call.path.startswith(folder) and not call.path.endswith("-shm") else None


def _decoded(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


@dataclass
class _File:
    """pending: writes that were not synchronised, as (offset, content); content None cuts the file."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)
    place: int = 0

    def content(self, chosen: list[tuple[int, bytes | None]]) -> bytes:
        content = bytearray(self.durable)
        for offset, part in chosen:
            if part is None:
                content = content[:offset] + bytes(max(offset - len(content), 0))
            else:
                content += bytes(max(offset - len(content), 0))
                content[offset : offset + len(part)] = part
        return bytes(content)


class Disk:
    """The files that a process sees, and what of them is durable."""

    def __init__(self) -> None:
        self._seen: dict[str, _File] = {}
        self._durable: dict[str, _File] = {}
        self.acknowledged: list[str] = []

    def apply(self, call: Call) -> None:
        getattr(self, f"_{call.name}")(call)

    def states(self, seed: int) -> Iterator[dict[str, bytes]]:
        """Files after a power cut now: nothing more than what is durable, everything, and mixtures of both."""
        chance = random.Random(seed)  # noqa: S311
        for names in (self._durable, self._seen):
            yield {name: file.content([]) for name, file in names.items()}
            yield {name: file.content(file.pending) for name, file in names.items()}
            yield {
                name: file.content([write for write in file.pending if chance.random() < 0.5])
                for name, file in names.items()
            }

    def _ack(self, call: Call) -> None:
        self.acknowledged.append(call.acknowledged)

    def _create(self, call: Call) -> None:
        self._seen.setdefault(call.path, _File()).place = 0

    def _truncate(self, call: Call) -> None:
        self._create(call)
        self._seen[call.path].pending.append((0, None))

    def _ftruncate(self, call: Call) -> None:
        self._seen[call.path].pending.append((call.offset or 0, None))

    def _write(self, call: Call) -> None:
        file = self._seen[call.path]
        file.pending.append((file.place, call.content))
        file.place += len(call.content)

    def _pwrite(self, call: Call) -> None:
        self._seen[call.path].pending.append((call.offset or 0, call.content))

    def _fsync(self, call: Call) -> None:
        if call.path in self._seen:
            file = self._seen[call.path]
            file.durable, file.pending = bytearray(file.content(file.pending)), []
            self._durable[call.path] = file
            return
        for name in {*self._seen, *self._durable}:  # of a folder
            if os.path.dirname(name) == call.path:  # noqa: PTH120
                if name in self._seen:
                    self._durable[name] = self._seen[name]
                else:
                    self._durable.pop(name, None)

    def _link(self, call: Call) -> None:
        self._seen[call.other] = self._seen[call.path]

    def _rename(self, call: Call) -> None:
        self._seen[call.other] = self._seen.pop(call.path)

    def _unlink(self, call: Call) -> None:
        self._seen.pop(call.path, None)


def write_state(state: dict[str, bytes], folder: Path, source: Path) -> None:
    """Writes files of `source` into a new folder, under the same names."""
    for name, content in state.items():
        target = folder / Path(name).relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
