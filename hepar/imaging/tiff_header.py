"""What the first directory of a TIFF or BigTIFF file states of its samples (TIFF 6.0, section 2)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_BITS_PER_SAMPLE, _PHOTOMETRIC, _SAMPLES_PER_PIXEL, _SAMPLE_FORMAT = 258, 262, 277, 339
_SHORT, _WHITE_IS_ZERO, _BLACK_IS_ZERO, _SIGNED = 3, 0, 1, 2
_VERSION_OF_BIG = 43


@dataclass(frozen=True)
class TiffHeader:
    """bits: of the first sample.  photometric_at: where the file states which end is black, None where it does not."""

    byte_order: str
    big: bool
    samples: int
    bits: int
    signed: bool
    white_is_zero: bool
    photometric_at: int | None


def tiff_header(content: bytes) -> TiffHeader | None:
    """None where the directory is damaged or not in the file."""
    order = "<" if content.startswith(b"II") else ">"
    try:
        big = struct.unpack_from(f"{order}H", content, 2)[0] == _VERSION_OF_BIG
        pointer, room, at = ("Q", 8, 8) if big else ("I", 4, 4)
        (directory,) = struct.unpack_from(order + pointer, content, at)
        (entries,) = struct.unpack_from(order + ("Q" if big else "H"), content, directory)
        places = {}
        for index in range(min(entries, 4096)):
            entry = directory + (8 if big else 2) + (20 if big else 12) * index
            tag, kind, count = struct.unpack_from(f"{order}HH{pointer}", content, entry)
            if kind == _SHORT:
                value = entry + 4 + room
                fits = count * 2 <= room
                places[tag] = value if fits else struct.unpack_from(order + pointer, content, value)[0]
        shorts = {tag: struct.unpack_from(f"{order}H", content, place)[0] for tag, place in places.items()}
    except struct.error:
        return None
    return TiffHeader(
        order,
        big,
        shorts.get(_SAMPLES_PER_PIXEL, 1),
        shorts.get(_BITS_PER_SAMPLE, 1),
        shorts.get(_SAMPLE_FORMAT) == _SIGNED,
        shorts.get(_PHOTOMETRIC) == _WHITE_IS_ZERO,
        places.get(_PHOTOMETRIC),
    )


def with_black_as_zero(content: bytes, header: TiffHeader) -> bytes:
    """The same file with the other end as black: Pillow turns 8 bits, and refuses or forgets it at other depths."""
    if not header.white_is_zero or header.photometric_at is None:
        return content
    stated = struct.pack(f"{header.byte_order}H", _BLACK_IS_ZERO)
    return content[: header.photometric_at] + stated + content[header.photometric_at + 2 :]
