"""What the first directory of a TIFF or BigTIFF file states of its samples (TIFF 6.0, section 2)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_BITS_PER_SAMPLE, _PHOTOMETRIC, _SAMPLES_PER_PIXEL, _SAMPLE_FORMAT = 258, 262, 277, 339
_SHORT, _WHITE_IS_ZERO, _BLACK_IS_ZERO, _SIGNED, _FLOAT = 3, 0, 1, 2, 3
_VERSION_OF_BIG = 43
_ENTRIES_MAX = 4096
_TYPE_BYTES = {3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}


@dataclass(frozen=True)
class TiffHeader:
    """bits: of the first sample.  photometric_at: where the file states which end is black."""

    byte_order: str
    big: bool
    samples: int
    bits: int
    signed: bool
    floating: bool
    white_is_zero: bool
    photometric_at: int


def tiff_header(content: bytes) -> TiffHeader | None:
    """None where the directory or a value of it lies outside of the file, or bits or black are not stated."""
    order = "<" if content.startswith(b"II") else ">"
    try:
        big = struct.unpack_from(f"{order}H", content, 2)[0] == _VERSION_OF_BIG
        pointer, room, at = ("Q", 8, 8) if big else ("I", 4, 4)
        (directory,) = struct.unpack_from(order + pointer, content, at)
        (entries,) = struct.unpack_from(order + ("Q" if big else "H"), content, directory)
        places = {}
        for index in range(min(entries, _ENTRIES_MAX)):
            entry = directory + (8 if big else 2) + (20 if big else 12) * index
            tag, kind, count = struct.unpack_from(f"{order}HH{pointer}", content, entry)
            place, size = entry + 4 + room, count * _TYPE_BYTES.get(kind, 1)
            if size > room:
                place = struct.unpack_from(order + pointer, content, place)[0]
            if place + size > len(content):
                return None
            if kind == _SHORT:
                places[tag] = place
        shorts = {tag: struct.unpack_from(f"{order}H", content, place)[0] for tag, place in places.items()}
    except struct.error:
        return None
    if _PHOTOMETRIC not in shorts or _BITS_PER_SAMPLE not in shorts:
        return None
    return TiffHeader(
        order,
        big,
        shorts.get(_SAMPLES_PER_PIXEL, 1),
        shorts[_BITS_PER_SAMPLE],
        shorts.get(_SAMPLE_FORMAT) == _SIGNED,
        shorts.get(_SAMPLE_FORMAT) == _FLOAT,
        shorts[_PHOTOMETRIC] == _WHITE_IS_ZERO,
        places[_PHOTOMETRIC],
    )


def with_black_as_zero(content: bytes, header: TiffHeader) -> bytes:
    """The same file with the other end as black: Pillow turns 8 bits, and refuses or forgets it at other depths."""
    stated = struct.pack(f"{header.byte_order}H", _BLACK_IS_ZERO)
    return content[: header.photometric_at] + stated + content[header.photometric_at + 2 :]
