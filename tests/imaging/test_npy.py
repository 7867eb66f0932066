"""Arrays between services; NumPy itself is the other reader and writer. Hostile ones are in tests/security."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from hepar.imaging.npy import InvalidArray, npy_bytes, read_arrays

ARRAYS = arrays.arrays(np.uint8, arrays.array_shapes(min_dims=1, max_dims=4, max_side=6))


@given(ARRAYS)
def test_numpy_reads_what_is_written(array: NDArray[np.uint8]) -> None:
    assert np.array_equal(np.load(io.BytesIO(npy_bytes(array)), allow_pickle=False), array)


@given(st.lists(ARRAYS, max_size=3))
def test_arrays_in_a_row_are_read_as_numpy_wrote_them(written: list[NDArray[np.uint8]]) -> None:
    file = io.BytesIO()
    for array in written:
        np.save(file, array, allow_pickle=False)
    found = read_arrays(file.getvalue(), arrays_max=3)
    assert [array.shape for array in found] == [array.shape for array in written]
    assert all(np.array_equal(*pair) for pair in zip(found, written, strict=True))


def test_a_view_that_is_not_contiguous_is_written_in_its_own_order() -> None:
    array = np.arange(24, dtype=np.uint8).reshape(4, 6)[::2, ::-3].T
    (found,) = read_arrays(npy_bytes(array))
    assert np.array_equal(found, array)


@given(st.binary(max_size=400))
def test_any_other_bytes_are_invalid(content: bytes) -> None:
    for candidate in (content, b"\x93NUMPY\x01\x00" + content, npy_bytes(np.ones(3, np.uint8))[:-4] + content):
        try:
            for array in read_arrays(candidate, arrays_max=2):
                assert 0 < array.size <= len(candidate)
        except InvalidArray:
            continue


def test_more_arrays_than_expected_are_refused() -> None:
    content = npy_bytes(np.ones(3, np.uint8))
    assert len(read_arrays(content * 2, arrays_max=2)) == 2
    with pytest.raises(InvalidArray, match="after the end"):
        read_arrays(content * 2)
