"""TIFF and PNG files of kinds that Pillow does not write."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_WHITE_IS_ZERO, _BLACK_IS_ZERO = 0, 1
_SHORT, _LONG, _LONG8 = 3, 4, 16


def tiff(
    values: NDArray[np.integer],
    bits: int,
    *,
    white_is_zero: bool = False,
    signed: bool = False,
    big: bool = False,
    byte_order: str = "<",
) -> bytes:
    """One uncompressed strip of (h, w) or (h, w, samples) values. big: as BigTIFF."""
    height, width = values.shape[:2]
    samples = values.shape[2] if values.ndim == 3 else 1
    if bits < 8:
        unpacked = np.unpackbits(values.astype(np.uint8)[..., None], axis=-1)[..., 8 - bits :]
        strip = np.packbits(unpacked.reshape(height, -1), axis=1).tobytes()
    else:
        strip = values.astype(f"{byte_order}{'i' if signed else 'u'}{bits // 8}").tobytes()
    start = 16 if big else 8
    entries = [
        (256, _LONG, [width]),
        (257, _LONG, [height]),
        (258, _SHORT, [bits] * samples),
        (259, _SHORT, [1]),
        (262, _SHORT, [_WHITE_IS_ZERO if white_is_zero else _BLACK_IS_ZERO]),
        (273, _LONG8 if big else _LONG, [start]),
        (277, _SHORT, [samples]),
        (278, _LONG, [height]),
        (279, _LONG8 if big else _LONG, [len(strip)]),
        *([(338, _SHORT, [2])] if samples in (2, 4) else []),
        (339, _SHORT, [2 if signed else 1] * samples),
    ]
    pointer, room = ("Q", 8) if big else ("I", 4)
    directory = struct.pack(byte_order + ("Q" if big else "H"), len(entries))
    for tag, kind, numbers in entries:
        body = struct.pack(byte_order + {_SHORT: "H", _LONG: "I", _LONG8: "Q"}[kind] * len(numbers), *numbers)
        assert len(body) <= room
        directory += struct.pack(f"{byte_order}HH{pointer}", tag, kind, len(numbers)) + body.ljust(room, b"\0")
    mark = b"II" if byte_order == "<" else b"MM"
    if big:
        header = mark + struct.pack(byte_order + "HHHQ", 43, 8, 0, start + len(strip))
    else:
        header = mark + struct.pack(byte_order + "HI", 42, start + len(strip))
    return header + strip + directory + bytes(room)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(values: NDArray[np.integer], bits: int, *chunks: bytes) -> bytes:
    """Grey, grey with alpha, RGB or RGBA, by the samples of (h, w) or (h, w, samples). chunks: before the pixels."""
    height, width = values.shape[:2]
    samples = values.shape[2] if values.ndim == 3 else 1
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[samples]
    rows = values.astype(f">u{bits // 8}").reshape(height, -1)
    pixels = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    parts = (chunk(b"IHDR", header), *chunks, chunk(b"IDAT", zlib.compress(pixels)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
