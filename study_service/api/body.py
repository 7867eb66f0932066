"""The body of `POST /v1/studies`, written to a private file while it arrives."""

from __future__ import annotations

import asyncio
import errno
import shutil
import tempfile
import zipfile
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from fastapi import Request

from hepar.core.errors import InsufficientStorage, InvalidField, InvalidRequest, TooLarge, UnsupportedMedia
from hepar.web.multipart import FORM, PartStart, content_type, multipart_events
from hepar.web.uploads import MULTIPART_OVERHEAD_BYTES, check_announced_length, limited

FILE_FIELD = "file"
BODY_PROBLEMS = ("unsupported-media", "bad-content-length", "insufficient-storage")
_RAW_TYPES = (
    "application/zip",
    "application/x-zip",
    "application/dicom",
    "application/octet-stream",
    "application/gzip",
)
_PIECE_BYTES = 1024 * 1024
_PART_HEADER_BYTES = 1024
_LONG_BOUNDARY = 200
"""Orthanc's have 73 characters, three more than RFC 2046 allows."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class ReceivedFile:
    """One file: as sent, or a ZIP of the files of a multipart body. It is deleted at the end of the request."""

    path: Path
    size_bytes: int


def announced_bytes(request: Request) -> int:
    """0 where the length is not known, or is no number, which is refused later."""
    announced = request.headers.get("content-length", "")
    return int(announced) if announced.isascii() and announced.isdigit() else 0


@asynccontextmanager
async def received_file(request: Request, folder: Path, bytes_max: int, files_max: int) -> AsyncIterator[ReceivedFile]:
    """Memory does not grow with the body.

    folder: for the file, which only this user can read.  bytes_max, files_max: of the whole upload.
    Raises TooLarge, InvalidContentLength, UnsupportedMedia, InvalidRequest and InsufficientStorage.
    """
    check_announced_length(request, bytes_max)
    kind, boundary = content_type(request)
    if kind != FORM and not kind.startswith(_RAW_TYPES):
        raise UnsupportedMedia(
            f"send the files as multipart/form-data, each in a part named `{FILE_FIELD}`, or one file as the body "
            "itself with a Content-Type of application/zip, application/dicom or application/octet-stream"
        )
    async with _private_writer(folder, bytes_max, files_max) as writer:
        with writer:
            body = limited(request.stream(), bytes_max + MULTIPART_OVERHEAD_BYTES)
            if kind == FORM:
                await _write_parts(multipart_events(body, boundary), writer, FILE_FIELD)
            else:
                writer.begin()
                await _write_all(body, writer)
        yield await asyncio.to_thread(writer.received)


@asynccontextmanager
async def received_parts(
    chunks: AsyncIterator[bytes], boundary: str, folder: Path, bytes_max: int, files_max: int
) -> AsyncIterator[ReceivedFile]:
    """A ZIP of all parts of a multipart body, whatever their names are; as `received_file`.

    Raises TooLarge, InvalidRequest and InsufficientStorage.
    """
    async with _private_writer(folder, bytes_max, files_max, is_archive=True) as writer:
        with writer:
            overhead_bytes = MULTIPART_OVERHEAD_BYTES + files_max * _PART_HEADER_BYTES
            body = limited(chunks, bytes_max + overhead_bytes)
            await _write_parts(multipart_events(body, boundary, _LONG_BOUNDARY), writer, None)
        yield await asyncio.to_thread(writer.received)


@asynccontextmanager
async def _private_writer(
    folder: Path, bytes_max: int, files_max: int, *, is_archive: bool = False
) -> AsyncIterator[_Writer]:
    """Its files are deleted at the end. Raises InsufficientStorage."""
    private: Path | None = None
    try:
        private = Path(await asyncio.to_thread(tempfile.mkdtemp, dir=folder))  # mode 700
        yield _Writer(private, bytes_max, files_max, is_archive=is_archive)
    except OSError as error:
        if error.errno in _FULL:
            raise InsufficientStorage("there is no room left for the upload") from error
        raise
    finally:
        if private is not None:
            await asyncio.to_thread(shutil.rmtree, private)


async def _write_all(body: AsyncIterator[bytes], writer: _Writer) -> None:
    piece = bytearray()
    async for chunk in body:
        piece += chunk
        if len(piece) >= _PIECE_BYTES:
            await asyncio.to_thread(writer.write, bytes(piece))
            piece.clear()
    await asyncio.to_thread(writer.write, bytes(piece))


async def _write_parts(events: AsyncIterator[PartStart | bytes], writer: _Writer, field: str | None) -> None:
    """Parts of another name than `field` are dropped; None keeps all."""
    piece, wanted = bytearray(), False
    async for event in events:
        if isinstance(event, PartStart):
            await asyncio.to_thread(writer.write, bytes(piece))
            piece.clear()
            wanted = field is None or event.name == field
            if wanted:
                await asyncio.to_thread(writer.begin)
        elif wanted:
            piece += event
            if len(piece) >= _PIECE_BYTES:
                await asyncio.to_thread(writer.write, bytes(piece))
                piece.clear()
    await asyncio.to_thread(writer.write, bytes(piece))


class _Writer:
    """Writes the first file as it is; with the second one, all become members of a ZIP.

    is_archive: the first one, too.
    """

    def __init__(self, folder: Path, bytes_max: int, files_max: int, *, is_archive: bool = False) -> None:
        self._is_archive = is_archive
        self._path = folder / "upload"
        self._first = folder / "first"
        self._bytes_max = bytes_max
        self._files_max = files_max
        self._files = 0
        self._size_bytes = 0
        self._stack = ExitStack()
        self._archive: zipfile.ZipFile | None = None
        self._file: IO[bytes] | None = None

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the last member before its archive."""
        self._stack.close()

    def begin(self) -> None:
        """Raises TooLarge."""
        self._files += 1
        if self._files > self._files_max:
            raise TooLarge(f"at most {self._files_max} files in one request")
        if self._files == 1 and not self._is_archive:
            self._file = self._stack.enter_context(self._path.open("wb"))
            return
        if self._file is not None:
            self._file.close()
        if self._archive is None:
            if self._files > 1:
                self._path.rename(self._first)
            self._archive = self._stack.enter_context(zipfile.ZipFile(self._path, "w", zipfile.ZIP_STORED))
            if self._files > 1:
                self._archive.write(self._first, _member_name(1))
                self._first.unlink()
        self._file = self._archive.open(_member_name(self._files), "w", force_zip64=True)
        self._stack.callback(self._file.close)

    def write(self, piece: bytes) -> None:
        """To the file that was begun last. Raises TooLarge."""
        self._size_bytes += len(piece)
        if self._size_bytes > self._bytes_max:
            raise TooLarge(f"at most {self._bytes_max} bytes")
        if self._file is not None:
            self._file.write(piece)

    def received(self) -> ReceivedFile:
        """After the block. Raises InvalidRequest where there is nothing."""
        if not self._files:
            named = "" if self._is_archive else f" named `{FILE_FIELD}`"
            raise _invalid("missing", f"send at least one part{named}")
        size_bytes = self._path.stat().st_size
        if not self._size_bytes:
            raise _invalid("empty", "the upload is empty")
        return ReceivedFile(self._path, size_bytes)


def _member_name(number: int) -> str:
    return f"{number:06}.dcm"


def _invalid(code: str, message: str) -> InvalidRequest:
    return InvalidRequest(message, InvalidField("body", f"/{FILE_FIELD}", code, message))
