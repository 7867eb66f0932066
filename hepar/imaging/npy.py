"""Arrays of bytes in NumPy's file format, version 1.0 (NEP 1): between our own services, read as strictly as a file."""

from __future__ import annotations

import io
import math

import numpy as np
from numpy.typing import NDArray

_HEADER_BYTES_MAX = 256
"""NumPy writes 118 for any array of ours."""
_AXES_MAX = 4
_LENGTHS_BYTES = 10
"""Magic string, version and length of the header."""


class InvalidArray(ValueError):
    """The bytes are not arrays of the expected kind; the message has no value of them."""


def npy_bytes(array: NDArray[np.uint8]) -> bytes:
    """The file of one array."""
    contiguous = np.ascontiguousarray(array)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(contiguous))
    return b"".join((header.getvalue(), contiguous.data))


def read_arrays(content: bytes | bytearray, arrays_max: int = 1) -> list[NDArray[np.uint8]]:
    """The arrays of one or more files in a row, as views of `content`: unsigned bytes in C order, none of them empty.

    Pickled objects are never read. Raises InvalidArray for anything else, and for more than `arrays_max` arrays.
    """
    view, start = memoryview(content), 0
    arrays: list[NDArray[np.uint8]] = []
    while start < len(view):
        if len(arrays) == arrays_max:
            raise InvalidArray("there are bytes after the end of the array")
        shape, header_bytes = _header(view[start : start + _LENGTHS_BYTES + _HEADER_BYTES_MAX])
        start += header_bytes
        size = math.prod(shape)
        if size > len(view) - start:
            raise InvalidArray("the array ends too early")
        arrays.append(np.frombuffer(view, np.uint8, size, start).reshape(shape))
        start += size
    return arrays


def _header(content: memoryview) -> tuple[tuple[int, ...], int]:
    """The shape of an array, and the bytes of its header."""
    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        shape, column_major, kind = np.lib.format.read_array_header_1_0(file, max_header_size=_HEADER_BYTES_MAX)
    except Exception as error:  # the header is evaluated as a literal, which raises many classes
        raise InvalidArray("the body is not an array in NumPy's format, version 1.0") from error
    if version != (1, 0):
        raise InvalidArray("the array is not of version 1.0 of the format")
    if kind != np.uint8 or column_major:
        raise InvalidArray("the array is not of unsigned bytes in C order")
    if not 0 < len(shape) <= _AXES_MAX or any(type(side) is not int or side < 1 for side in shape):
        raise InvalidArray(f"the array has 1 to {_AXES_MAX} axes, each of at least one element")
    return shape, file.tell()
