"""Compressed TIFF pictures whose damage libtiff does not report: JPEG and fax (TIFF 6.0, sections 10, 11 and 22)."""

from __future__ import annotations

from PIL.TiffImagePlugin import TiffImageFile

from hepar.imaging.errors import UnreadableImage, UnsupportedImage
from hepar.imaging.pixel_data import eight_bit_jpeg

_COMPRESSION, _JPEG_TABLES = 259, 347
_STRIPS, _TILES = (273, 279), (324, 325)
"""Tags of the offsets and of the lengths."""
_FAX, _OLD_JPEG, _JPEG = (2, 3, 4), 6, 7


def check_tiff_compression(picture: TiffImageFile, content: bytes) -> None:
    """picture: as opened, before `load`.

    Raises UnsupportedImage for a kind whose damage nobody reports, UnreadableImage for a JPEG part that is damaged.
    """
    compression = picture.tag_v2.get(_COMPRESSION, 1)
    if compression in _FAX:
        raise UnsupportedImage("TIFF pictures with fax compression are not read; send 8 or 16 bits of grey")
    if compression == _OLD_JPEG:
        raise UnsupportedImage("TIFF pictures with the JPEG compression of TIFF 6.0 are not read; send PNG or JPEG")
    if compression != _JPEG:
        return
    tables = bytes(picture.tag_v2.get(_JPEG_TABLES, b""))
    starts, lengths = (picture.tag_v2.get(tag, ()) for tag in (_STRIPS if _STRIPS[0] in picture.tag_v2 else _TILES))
    for start, length in zip(starts, lengths, strict=True):
        part = content[start : start + length]
        if len(part) < length:
            raise UnreadableImage("the TIFF file ends too early")
        eight_bit_jpeg(tables[:-2] + part[2:] if tables else part)
