"""Arrays of slices in object storage: each slice compressed and encrypted for itself, so that one can be read alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

import numpy as np
import zstandard
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from hepar.storage.encryption import DataKey
from hepar.storage.objects import ObjectStore

_LEVEL = 1  # a CT slice shrinks by half in a millisecond; level 3 saves 5 % more in twice the time
_BLOCK_BYTES = 1024 * 1024


class SliceArray(BaseModel):
    """Where the slices are. first: index in the volume of the first one.  offsets: in bytes, one more than slices."""

    model_config = ConfigDict(frozen=True)

    key: str
    dtype: str
    shape: tuple[int, int]
    first: int
    offsets: tuple[int, ...]

    @property
    def count(self) -> int:
        return len(self.offsets) - 1


async def write_slices(
    objects: ObjectStore,
    data_key: DataKey,
    key: str,
    slices: Iterable[NDArray[np.generic]],
    first: int = 0,
) -> SliceArray:
    """slices: of one shape and type, at least one; a few are in memory at a time, made and encrypted in a thread.
    key: a new one, used by nobody else.

    Raises InsufficientStorage, Unavailable.
    """
    source, offsets = iter(slices), [0]
    form: tuple[str, tuple[int, int]] = ("", (0, 0))

    def next_block() -> bytes:
        """Some slices in one, because each call of a thread has its price; empty at the end."""
        nonlocal form
        block = bytearray()
        while len(block) < _BLOCK_BYTES and (pixels := next(source, None)) is not None:
            form = (pixels.dtype.str, (pixels.shape[0], pixels.shape[1]))
            content = zstandard.compress(np.ascontiguousarray(pixels).tobytes(), _LEVEL)
            sealed = data_key.encrypt(content, f"{key} {len(offsets) - 1}")
            offsets.append(offsets[-1] + len(sealed))
            block += sealed
        return bytes(block)

    async def blocks() -> AsyncIterator[bytes]:
        while block := await asyncio.to_thread(next_block):
            yield block

    await objects.write(key, blocks(), bytes_max=2**40)
    return SliceArray(key=key, dtype=form[0], shape=form[1], first=first, offsets=tuple(offsets))


async def read_slices(
    objects: ObjectStore, data_key: DataKey, stored: SliceArray, start: int, stop: int
) -> NDArray[np.generic]:
    """(stop - start, rows, columns). start, stop: indices in the volume, inside of the array.

    Raises NotFound, Undecipherable, Unavailable.
    """
    begin, end = start - stored.first, stop - stored.first
    if not 0 <= begin < end <= stored.count:
        raise IndexError(f"slices {start} to {stop} of {stored.first} to {stored.first + stored.count}")
    offset = stored.offsets[begin]
    content = await objects.read_range(stored.key, offset, stored.offsets[end] - offset)

    def decoded() -> NDArray[np.generic]:
        slices = np.empty((end - begin, *stored.shape), dtype=np.dtype(stored.dtype))
        for place, index in enumerate(range(begin, end)):
            block = content[stored.offsets[index] - offset : stored.offsets[index + 1] - offset]
            pixels = zstandard.decompress(data_key.decrypt(block, f"{stored.key} {index}"))
            slices[place] = np.frombuffer(pixels, slices.dtype).reshape(stored.shape)
        return slices

    return await asyncio.to_thread(decoded)
