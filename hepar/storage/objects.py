"""Object storage by URL: a folder, S3, Azure or Google. Keys are made by Hepar, never from outside.

Objects are created once and never changed. In a folder, the content is durable before its name exists: obstore's local
store calls no fsync (version 0.12), so local writes are our own; of reads, only streams are.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import shutil
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, from_url
from obstore.store import ObjectStore as Backend

from hepar.core.errors import InsufficientStorage, NotFound, TooLarge, Unavailable
from hepar.core.private_files import sync_folder

_KEY = re.compile(r"[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*")
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_STREAM_BYTES = 1024 * 1024


class ObjectStore:
    """All methods raise Unavailable where the storage does not answer. Created by `open_objects`."""

    def __init__(self, backend: Backend, folder: Path | None) -> None:
        self._backend = backend
        self._folder = folder

    async def put(self, key: str, content: bytes) -> bool:
        """Creates an object; False where it exists already, which is then left as it is. Raises InsufficientStorage."""
        with _guarded(key, creates=True):
            if self._folder is not None:
                return await asyncio.to_thread(_create_file, self._folder, key, content)
            try:
                await self._backend.put_async(key, content, mode="create")
            except AlreadyExistsError:
                return False
            return True

    async def write(self, key: str, chunks: AsyncIterable[bytes], bytes_max: int) -> int:
        """Creates an object from a stream in constant memory; returns its size. The key must be a new, random one.

        Raises TooLarge and InsufficientStorage; the object does not exist then.
        """
        counted = _Counted(chunks, bytes_max)
        with _guarded(key, creates=True):
            if self._folder is not None:
                await _write_file(self._folder, key, counted)
            else:  # several parts have no precondition; the key is new
                await self._backend.put_async(key, counted.chunks(), use_multipart=True)
        return counted.size_bytes

    async def read(self, key: str) -> bytes:
        """Raises NotFound."""
        with _guarded(key):
            return bytes(await (await self._backend.get_async(key)).bytes_async())

    async def read_range(self, key: str, start: int, length: int) -> bytes:
        """Raises NotFound."""
        with _guarded(key):
            return bytes(await self._backend.get_range_async(key, start=start, length=length))

    async def stream(self, key: str) -> AsyncIterator[bytes]:
        """The content in chunks of about a mebibyte. Raises NotFound."""
        with _guarded(key):
            if self._folder is not None:  # obstore takes seven times as long
                async for piece in file_pieces(self._folder / key):
                    yield piece
                return
            async for chunk in (await self._backend.get_async(key)).stream(min_chunk_size=_STREAM_BYTES):
                yield bytes(chunk)

    async def keys(self, prefix: str) -> list[str]:
        """Of all objects below a prefix."""
        with _guarded(prefix):
            found: list[str] = []
            async for page in self._backend.list(prefix):
                found.extend(item["path"] for item in page)
            return found

    async def last_changes(self, prefix: str) -> dict[str, datetime]:
        """When each name directly below a prefix got its newest object."""
        newest: dict[str, datetime] = {}
        with _guarded(prefix):
            async for page in self._backend.list(prefix):
                for item in page:
                    name = item["path"].removeprefix(f"{prefix}/").partition("/")[0]
                    newest[name] = max(newest.get(name, item["last_modified"]), item["last_modified"])
        return newest

    async def groups(self, prefix: str) -> list[str]:
        """The names directly below a prefix that have objects below them."""
        with _guarded(prefix):
            listed = await self._backend.list_with_delimiter_async(prefix)
            return [common.rstrip("/").rpartition("/")[2] for common in listed["common_prefixes"]]

    async def delete(self, key: str) -> None:
        """Whether it exists or not."""
        with _guarded(key), contextlib.suppress(FileNotFoundError):
            await self._backend.delete_async(key)

    async def delete_prefix(self, prefix: str) -> int:
        """Deletes all objects below a prefix; returns their number."""
        keys = await self.keys(prefix)
        with _guarded(prefix):
            if self._folder is not None:
                await asyncio.to_thread(_remove_folder, self._folder / prefix)
                return len(keys)
            for start in range(0, len(keys), 1000):
                await self._backend.delete_async(keys[start : start + 1000])
        return len(keys)

    async def space_bytes(self) -> tuple[int, int] | None:
        """Total and free space of the disk with the folder; None for storage that has no such limit."""
        with _guarded("space"):
            if self._folder is None:
                return None
            usage = await asyncio.to_thread(shutil.disk_usage, self._folder)
        return usage.total, usage.free

    async def is_reachable(self) -> bool:
        """Within two seconds."""
        try:
            async with asyncio.timeout(2):
                await self.groups("readiness")
        except (Unavailable, TimeoutError):
            return False
        return True


@asynccontextmanager
async def open_objects(url: str) -> AsyncIterator[ObjectStore]:
    """url: a folder's path, s3://bucket/prefix, az://container/prefix or gs://bucket/prefix.

    Credentials come from the environment of the provider's own tools (AWS_*, AZURE_*, GOOGLE_*).
    """
    if "://" not in url:
        yield _local(url)
        return
    yield ObjectStore(from_url(url), None)


def _local(path: str) -> ObjectStore:
    folder = Path(path).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return ObjectStore(LocalStore(folder), folder)


async def file_pieces(path: Path) -> AsyncIterator[bytes]:
    """The content of a file, a mebibyte at a time. It is open in threads only: closing it waits for a read."""
    position = 0
    while piece := await asyncio.to_thread(_piece, path, position):
        position += len(piece)
        yield piece


def _piece(path: Path, position: int) -> bytes:
    with path.open("rb", buffering=0) as file:
        file.seek(position)
        return file.read(_STREAM_BYTES)


class _Counted:
    def __init__(self, chunks: AsyncIterable[bytes], bytes_max: int) -> None:
        self._source = chunks
        self._bytes_max = bytes_max
        self.size_bytes = 0

    async def chunks(self) -> AsyncIterator[bytes]:
        async for chunk in self._source:
            self.size_bytes += len(chunk)
            if self.size_bytes > self._bytes_max:
                raise TooLarge(f"more than {self._bytes_max} bytes")
            yield chunk


@contextmanager
def _guarded(key: str, *, creates: bool = False) -> Iterator[None]:
    """creates: nothing needs to exist yet but the storage itself, so that what is missing is the bucket."""
    if not _KEY.fullmatch(key.rstrip("/")):
        raise ValueError(f"{key!r} is not a key of ours")
    try:
        yield
    except FileNotFoundError as error:
        if creates:
            raise Unavailable("the storage of studies cannot be reached at the moment") from error
        raise NotFound("the object does not exist") from error
    except OSError as error:
        if error.errno in _FULL:
            raise InsufficientStorage("the storage of studies is full") from error
        raise Unavailable("the storage of studies cannot be reached at the moment") from error
    except BaseError as error:
        raise Unavailable("the storage of studies cannot be reached at the moment") from error


@contextmanager
def _new_file(folder: Path, key: str) -> Iterator[tuple[BinaryIO, Path]]:
    """A draft in the folder of its target. It is removed at the end, published or not."""
    target = folder / key
    _make_folder(target.parent, folder)
    draft = target.with_name(f"{target.name}#{uuid.uuid4().int}")  # obstore lists no names that end like this
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file, draft
    finally:
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()


def _create_file(folder: Path, key: str, content: bytes) -> bool:
    with _new_file(folder, key) as (file, draft):
        file.write(content)
        return _publish(file, draft, folder / key)


async def _write_file(folder: Path, key: str, content: _Counted) -> None:
    with _new_file(folder, key) as (file, draft):
        async for chunk in content.chunks():
            await asyncio.to_thread(file.write, chunk)
        if not await asyncio.to_thread(_publish, file, draft, folder / key):
            raise ValueError(f"{key} exists already")


def _publish(file: BinaryIO, draft: Path, target: Path) -> bool:
    file.flush()
    os.fsync(file.fileno())
    try:
        os.link(draft, target)
    except FileExistsError:
        return False
    sync_folder(target.parent)
    return True


def _make_folder(folder: Path, root: Path) -> None:
    """Creates missing folders and makes their names durable."""
    if folder != root and not folder.is_dir():
        _make_folder(folder.parent, root)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def _remove_folder(folder: Path) -> None:
    if folder.is_dir():
        shutil.rmtree(folder)
        sync_folder(folder.parent)
