"""The DICOM objects of a study as they are stored: where each one lies, and its header."""

from __future__ import annotations

import json
import zlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import cast

from pydantic import BaseModel, ConfigDict

from hepar.core.errors import NotFound, TooLarge
from hepar.imaging.dicom_json import JsonHeader
from hepar.storage.encryption import DataKey
from hepar.storage.objects import ObjectStore

_LIST, _HEADERS = "dicom-objects", "dicom-headers"
_OBJECT_BYTES_MAX = 512 * 1024 * 1024
_PIECE_BYTES = 1024 * 1024
_PREAMBLE_BYTES = 128
_RECENT_MAX = 64


class DicomEntry(BaseModel):
    """One DICOM file.

    key: of the stored object that it lies in.  key_bytes: of that object's content.  start, stored_bytes: within it.
    size_bytes: when inflated.
    """

    model_config = ConfigDict(frozen=True)

    sop_instance_uid: str
    sop_class_uid: str
    study_uid: str
    series_uid: str
    transfer_syntax: str
    frames: int
    key: str
    key_bytes: int
    start: int
    stored_bytes: int
    size_bytes: int
    is_deflated: bool = False


class _EntryList(BaseModel):
    entries: tuple[DicomEntry, ...]


@dataclass(frozen=True)
class ObjectGroup:
    """Objects that are stored and deleted together, with one key."""

    prefix: str
    data_key: DataKey = field(repr=False)
    entries: tuple[DicomEntry, ...]


@dataclass(frozen=True)
class DicomObjectStore:
    """Lists and reads groups. All methods raise Unavailable.

    Lists of recent groups stay in memory, because viewers read one frame per request; lists never change.
    """

    objects: ObjectStore
    _recent: OrderedDict[str, ObjectGroup] = field(default_factory=OrderedDict)

    async def find_group(self, prefix: str, data_key: DataKey) -> ObjectGroup | None:
        """None where the group was not listed yet. Callers have checked that its study is there and may be read."""
        if prefix not in self._recent:
            content = await self._read(f"{prefix}/{_LIST}", data_key)
            if content is None:
                return None
            self._recent[prefix] = ObjectGroup(prefix, data_key, _EntryList.model_validate_json(content).entries)
        self._recent.move_to_end(prefix)
        found = self._recent[prefix]
        while len(self._recent) > _RECENT_MAX:
            self._recent.popitem(last=False)
        return found

    async def create_group(self, group: ObjectGroup, headers: Sequence[str]) -> None:
        """headers: DICOM JSON of each entry. A group that is there already stays: it has the same content."""
        listed = f"[{','.join(headers)}]".encode()
        await self._create(f"{group.prefix}/{_HEADERS}", group.data_key, listed)
        content = _EntryList(entries=group.entries).model_dump_json().encode()
        await self._create(f"{group.prefix}/{_LIST}", group.data_key, content)

    async def headers(self, group: ObjectGroup) -> list[JsonHeader]:
        """In the order of the entries."""
        content = await self._read(f"{group.prefix}/{_HEADERS}", group.data_key)
        return cast("list[JsonHeader]", json.loads(content or b"[]"))

    async def content(self, group: ObjectGroup, entry: DicomEntry) -> bytes:
        """The whole DICOM file. Raises NotFound, TooLarge."""
        if entry.size_bytes > _OBJECT_BYTES_MAX:
            raise TooLarge("the object is too large")
        return b"".join([piece async for piece in self.stream(group, entry)])

    async def stream(self, group: ObjectGroup, entry: DicomEntry) -> AsyncIterator[bytes]:
        """The DICOM file in pieces, with zeros as preamble, which may have been a program. Raises NotFound."""

        async def read(start: int, length: int) -> bytes:
            return await self.objects.read_range(entry.key, start, length)

        inflater = zlib.decompressobj(-zlib.MAX_WBITS) if entry.is_deflated else None
        end, left, place = entry.start + entry.stored_bytes, entry.size_bytes, 0
        for start in range(entry.start, end, _PIECE_BYTES):
            length = min(_PIECE_BYTES, end - start)
            piece = await group.data_key.decrypt_range(read, entry.key_bytes, entry.key, start, length)
            while piece and left > 0:
                inflated = piece[:left] if inflater is None else inflater.decompress(piece, min(left, _PIECE_BYTES))
                piece = b"" if inflater is None else inflater.unconsumed_tail
                left -= len(inflated)
                hidden = bytes(min(max(_PREAMBLE_BYTES - place, 0), len(inflated)))
                place += len(inflated)
                yield hidden + inflated[len(hidden) :]

    async def store_file(self, key: str, data_key: DataKey, content: bytes) -> bytes:
        """Stores a file where there is none; returns what is stored."""

        async def pieces() -> AsyncIterator[bytes]:
            yield content

        sealed = b"".join([chunk async for chunk in data_key.encrypt_stream(pieces(), key)])
        if await self.objects.put(key, sealed):
            return content
        return b"".join([chunk async for chunk in data_key.decrypt_stream(self.objects.stream(key), key)])

    async def _create(self, key: str, data_key: DataKey, content: bytes) -> None:
        await self.objects.put(key, data_key.encrypt(zlib.compress(content, 1), key))

    async def _read(self, key: str, data_key: DataKey) -> bytes | None:
        try:
            return zlib.decompress(data_key.decrypt(await self.objects.read(key), key))
        except NotFound:
            return None
