"""Compressed TIFF pictures whose damage libtiff does not report: JPEG, fax, deflate (TIFF 6.0, sections 10, 11, 22)."""

from __future__ import annotations

import zlib

from PIL.TiffImagePlugin import TiffImageFile

from hepar.imaging.errors import UnreadableImage, UnsupportedImage
from hepar.imaging.pixel_data import eight_bit_jpeg

_COMPRESSION, _JPEG_TABLES = 259, 347
_STRIPS, _TILES = (273, 279), (324, 325)
"""Tags of the offsets and of the lengths."""
_FAX, _OLD_JPEG, _JPEG, _DEFLATE = (2, 3, 4), 6, 7, (8, 32946)
_INFLATED_AT_ONCE_BYTES = 1 << 20
_BYTES_PER_PIXEL_MAX = 8


def check_tiff_compression(picture: TiffImageFile, content: bytes) -> None:
    """picture: as opened, before `load`.

    Raises UnsupportedImage for a kind whose damage nobody reports, UnreadableImage for a part that is damaged.
    """
    compression = picture.tag_v2.get(_COMPRESSION, 1)
    if compression in _FAX:
        raise UnsupportedImage("TIFF pictures with fax compression are not read; send 8 or 16 bits of grey")
    if compression == _OLD_JPEG:
        raise UnsupportedImage("TIFF pictures with the JPEG compression of TIFF 6.0 are not read; send PNG or JPEG")
    if compression != _JPEG and compression not in _DEFLATE:
        return
    tables = bytes(picture.tag_v2.get(_JPEG_TABLES, b""))
    starts, lengths = (picture.tag_v2.get(tag, ()) for tag in (_STRIPS if _STRIPS[0] in picture.tag_v2 else _TILES))
    for start, length in zip(starts, lengths, strict=True):
        part = content[start : start + length]
        if len(part) < length:
            raise UnreadableImage("the TIFF file ends too early")
        if compression == _JPEG:
            eight_bit_jpeg(tables[:-2] + part[2:] if tables else part)
        else:
            _check_deflated(part, picture.width * picture.height * _BYTES_PER_PIXEL_MAX)


def _check_deflated(part: bytes, bytes_max: int) -> None:
    """Raises UnreadableImage where the checksum is wrong or missing: libtiff stops before it."""
    inflater, size_bytes = zlib.decompressobj(), 0
    while not inflater.eof and size_bytes <= bytes_max:
        try:
            inflated = inflater.decompress(part, _INFLATED_AT_ONCE_BYTES)
        except zlib.error:
            break
        size_bytes, part = size_bytes + len(inflated), inflater.unconsumed_tail
        if not inflated:
            break
    if not inflater.eof:
        raise UnreadableImage("the compressed data of the TIFF file is damaged")
