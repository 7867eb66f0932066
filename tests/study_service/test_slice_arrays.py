"""Arrays of slices in object storage: what is written is read, and what earlier versions wrote."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import zstandard
from numpy.typing import NDArray

from hepar.storage.encryption import DataKey
from hepar.storage.objects import open_objects
from study_service.slice_arrays import SliceArray, read_slices, write_slices

pytestmark = pytest.mark.anyio
KEY = "studies/slices"


def slices_of(dtype: str) -> NDArray[np.generic]:
    """(5, 7, 9) of all values that the type has room for."""
    limits = np.iinfo(dtype)
    values = np.random.default_rng(1).integers(limits.min, limits.max, (5, 7, 9), endpoint=True, dtype=np.dtype(dtype))
    values[0, 0, :2] = limits.min, limits.max
    return values


@pytest.mark.parametrize("dtype", ["<i2", "<u2", "|u1"])
async def test_any_range_of_slices_is_read_as_it_was_written(dtype: str, tmp_path: Path) -> None:
    slices, data_key = slices_of(dtype), DataKey(os.urandom(32))
    async with open_objects(str(tmp_path)) as objects:
        stored = await write_slices(objects, data_key, KEY, iter(slices), first=3)
        stored = SliceArray.model_validate_json(stored.model_dump_json())
        for start, stop in ((3, 8), (3, 4), (5, 7)):
            found = await read_slices(objects, data_key, stored, start, stop)
            assert found.dtype == slices.dtype
            assert np.array_equal(found, slices[start - 3 : stop - 3])
        with pytest.raises(IndexError):
            await read_slices(objects, data_key, stored, 2, 4)


async def test_slices_that_do_not_lie_in_one_piece_are_written(tmp_path: Path) -> None:
    slices, data_key = slices_of("<i2").transpose(0, 2, 1)[:, ::-1], DataKey(os.urandom(32))
    async with open_objects(str(tmp_path)) as objects:
        stored = await write_slices(objects, data_key, KEY, iter(slices))
        assert np.array_equal(await read_slices(objects, data_key, stored, 0, 5), slices)


async def test_slices_of_earlier_versions_are_read(tmp_path: Path) -> None:
    """With the bytes of a value in a pair."""
    slices, data_key = slices_of("<i2"), DataKey(os.urandom(32))
    blocks = [data_key.encrypt(zstandard.compress(one.tobytes()), f"{KEY} {index}") for index, one in enumerate(slices)]
    offsets = tuple(np.cumsum([0, *map(len, blocks)]).tolist())
    stored = SliceArray(key=KEY, dtype="<i2", shape=(7, 9), first=0, offsets=offsets)
    async with open_objects(str(tmp_path)) as objects:
        await objects.put(KEY, b"".join(blocks))
        assert np.array_equal(await read_slices(objects, data_key, stored, 0, 5), slices)


async def test_an_earlier_version_refuses_what_this_one_writes(tmp_path: Path) -> None:
    """It would show other values: it takes the type as NumPy's."""
    async with open_objects(str(tmp_path)) as objects:
        stored = await write_slices(objects, DataKey(os.urandom(32)), KEY, iter(slices_of("<i2")))
    with pytest.raises(TypeError):
        np.dtype(stored.dtype)


async def test_soft_tissue_with_noise_takes_less_room_than_with_its_bytes_in_pairs(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(60, 15, (2, 128, 128))
    slices = noise.astype(np.int16)
    async with open_objects(str(tmp_path)) as objects:
        stored = await write_slices(objects, DataKey(os.urandom(32)), KEY, iter(slices))
    in_pairs = sum(len(zstandard.compress(one.tobytes(), 1)) for one in slices)
    assert stored.offsets[-1] < 0.9 * in_pairs
