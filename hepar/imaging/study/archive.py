"""Reading of a ZIP archive from outside: nothing is unpacked to disk, and every byte that is inflated is counted."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import BinaryIO

from hepar.imaging.errors import StudyTooLarge, UnreadableImage, UnsafeArchive

MIB = 1024 * 1024
_CHUNK_BYTES = MIB
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_LOCAL_SIGNATURE = b"PK\x03\x04"
_DIRECTORY_BYTES_PER_MEMBER = 400
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DAMAGED = "the ZIP archive is damaged or not complete"
# What zipfile raises for damaged archives, found by tests with random damage; NotImplementedError for methods and
# versions that it does not read.
_DAMAGED_MEMBER = (zipfile.BadZipFile, zlib.error, EOFError, struct.error, NotImplementedError)
_DAMAGED_DIRECTORY = (*_DAMAGED_MEMBER, OSError, ValueError)


@dataclass(frozen=True)
class ArchiveLimits:
    """ratio: inflated bytes per compressed byte, over all members; blank slices may exceed it by `slack_bytes`."""

    members: int = 20_000
    member_bytes: int = 512 * MIB
    total_bytes: int = 4096 * MIB
    ratio: int = 100
    slack_bytes: int = 64 * MIB


LIMITS = ArchiveLimits()


@dataclass(frozen=True)
class Member:
    """A file of the archive.  index: its position in the directory.  name: for decisions, never for a path."""

    index: int
    name: str
    size_bytes: int


@dataclass(frozen=True)
class Extent:
    """Where a file lies in an upload. start: of its bytes.  stored_bytes: as stored.  size_bytes: when inflated."""

    start: int
    stored_bytes: int
    size_bytes: int
    is_deflated: bool


class Archive:
    """An open ZIP archive.

    file: seekable; it stays open and belongs to the caller.
    Raises UnsafeArchive and StudyTooLarge where the directory breaks a rule, before anything is inflated.
    """

    def __init__(self, file: BinaryIO, limits: ArchiveLimits = LIMITS) -> None:
        self._limits = limits
        self._file = file
        self._size_bytes = file.seek(0, io.SEEK_END)
        self._inflated_bytes = 0
        bounded = _BoundedReads(file, limits.members * _DIRECTORY_BYTES_PER_MEMBER)
        try:
            self._zip = zipfile.ZipFile(bounded)
        except _DAMAGED_DIRECTORY:
            raise UnsafeArchive(_DAMAGED) from None
        self._members = self._zip.infolist()
        if len(self._members) > limits.members:
            raise StudyTooLarge(f"the ZIP archive has {len(self._members)} members; at most {limits.members}")
        self._check_sizes()
        for member in self._members:
            _check_member(member)
        _check_overlaps(file, self._members)

    def members(self) -> Iterator[Member]:
        """Its files, in the order of its directory; folders are left out."""
        for index, member in enumerate(self._members):
            if not member.is_dir():
                yield Member(index, member.filename, member.file_size)

    def name(self, index: int) -> str:
        return self._members[index].filename

    def extent(self, index: int) -> Extent:
        """Of a file that was read."""
        member = self._members[index]
        self._file.seek(member.header_offset)
        _, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(self._file.read(_LOCAL_HEADER.size))
        start = member.header_offset + _LOCAL_HEADER.size + name_bytes + extra_bytes
        return Extent(start, member.compress_size, member.file_size, member.compress_type == zipfile.ZIP_DEFLATED)

    def head(self, index: int, size_bytes: int) -> bytes:
        """The first bytes of a file. Raises UnreadableImage, UnsafeArchive."""
        return self._read(index, size_bytes)

    def read(self, index: int) -> bytes:
        """A whole file. Raises UnreadableImage for a damaged one, UnsafeArchive and StudyTooLarge beyond the limits."""
        return self._read(index, None)

    def _read(self, index: int, size_bytes: int | None) -> bytes:
        content = io.BytesIO()
        left = self._limits.member_bytes + 1 if size_bytes is None else size_bytes
        try:
            with self._zip.open(self._members[index]) as source:
                while left > 0 and (chunk := source.read(min(left, _CHUNK_BYTES))):
                    left -= content.write(chunk)
                    self._count(len(chunk))
        except _DAMAGED_MEMBER:
            raise UnreadableImage("the file is damaged within the ZIP archive") from None
        if size_bytes is None and left <= 0:
            raise _too_much(self._limits.member_bytes)
        return content.getvalue()

    def _count(self, inflated_bytes: int) -> None:
        """A file is read for its headers and again for its pixels, unless StudyFiles keeps it."""
        self._inflated_bytes += inflated_bytes
        if self._inflated_bytes > 2 * self._allowed_bytes():
            raise UnsafeArchive("the ZIP archive inflates to more bytes than its directory states")

    def _allowed_bytes(self) -> int:
        return min(self._limits.total_bytes, self._limits.ratio * self._size_bytes + self._limits.slack_bytes)

    def _check_sizes(self) -> None:
        if any(member.file_size > self._limits.member_bytes for member in self._members):
            raise _too_much(self._limits.member_bytes)
        total_bytes = sum(member.file_size for member in self._members)
        if total_bytes > self._limits.total_bytes:
            raise StudyTooLarge(f"the ZIP archive holds over {self._limits.total_bytes // MIB} MiB")
        if total_bytes > self._allowed_bytes():
            raise UnsafeArchive(f"the ZIP archive inflates to over {self._limits.ratio} times its size")


class _BoundedReads:
    """A file for zipfile, which reads an archive's directory in one call."""

    def __init__(self, file: BinaryIO, read_bytes_max: int) -> None:
        self._file = file
        self._read_bytes_max = read_bytes_max
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size_bytes: int = -1) -> bytes:
        if size_bytes > self._read_bytes_max:
            raise StudyTooLarge("the directory of the ZIP archive is too large; send fewer files")
        return self._file.read(size_bytes)


def _check_member(member: zipfile.ZipInfo) -> None:
    if member.flag_bits & _ENCRYPTED:
        raise UnsafeArchive("the ZIP archive is encrypted; send it without a password")
    if member.compress_type not in _METHODS:
        raise UnsafeArchive("the ZIP archive uses a compression other than deflate; most programs' default is read")
    path = PureWindowsPath(member.orig_filename)  # it knows both separators, and drives
    if path.drive or path.root or ".." in path.parts or "\0" in member.orig_filename:
        raise UnsafeArchive("the ZIP archive has an absolute name, or one that leaves its folder")
    mode = member.external_attr >> 16
    if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise UnsafeArchive("the ZIP archive has a link or a device in it")


def _check_overlaps(file: BinaryIO, members: list[zipfile.ZipInfo]) -> None:
    """Two members that share bytes make a small archive inflate to much (Python before 3.11.8 accepts them)."""
    end = 0
    for member in sorted(members, key=lambda member: member.header_offset):
        if member.header_offset < 0:
            raise UnsafeArchive(_DAMAGED)
        if member.header_offset < end:
            raise UnsafeArchive("members of the ZIP archive overlap")
        file.seek(member.header_offset)
        header = file.read(_LOCAL_HEADER.size)
        if len(header) < _LOCAL_HEADER.size or not header.startswith(_LOCAL_SIGNATURE):
            raise UnsafeArchive(_DAMAGED)
        _, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(header)
        end = member.header_offset + _LOCAL_HEADER.size + name_bytes + extra_bytes + member.compress_size


def _too_much(member_bytes: int) -> StudyTooLarge:
    return StudyTooLarge(f"a file of the ZIP archive has over {member_bytes // MIB} MiB")
