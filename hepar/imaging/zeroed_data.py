"""Zeroed parts of compressed data, as an interrupted copy leaves them. Decoders read them as texture.

JPEG and JPEG 2000 have no checksum, but no encoder writes MIN_ZEROS bytes of zeros in a row, except where a Huffman
code of zeros means that nothing changes (ITU-T T.81, annexes F.1.2 and H.1.2): there a zeroed part cannot be told from
an even area. WebP is not checked: its encoders write such zeros for even areas.
"""

from __future__ import annotations

from collections.abc import Iterator

from hepar.imaging.errors import UnreadableImage
from hepar.imaging.jpeg_stream import END, HUFFMAN_TABLES, START_OF_SCAN, JpegHeader, segments

MIN_ZEROS = 64
_ZEROS = bytes(MIN_ZEROS)
_NO_CHANGE = 0
"""Symbol of a Huffman table: the end of a block, or a difference of 0."""
_AC_TABLES = 0x10
_START_OF_DATA = b"\xff\x93"


def check_jpeg(stream: bytes, header: JpegHeader) -> None:
    """Raises UnreadableImage where a scan of a JPEG has zeros that are no codes of an even area."""
    codes: dict[int, int] = {}
    for marker, content, data in segments(stream):
        if marker == HUFFMAN_TABLES:
            codes.update(_codes_of_zeros(content))
        elif marker == START_OF_SCAN and not _has_even_areas(content, header, codes):
            _check(data)


def check_jpeg2000(frame: bytes) -> None:
    """Raises UnreadableImage. The arithmetic coder of JPEG 2000 gives a byte of zeros for an empty packet only."""
    start = frame.find(_START_OF_DATA)
    end = frame.rfind(END)
    _check(frame[start : end if end > start else len(frame)])


def _check(data: bytes) -> None:
    if _ZEROS in data:
        raise UnreadableImage("the compressed data is damaged: a part of it is zeros")


def _codes_of_zeros(tables: bytes) -> Iterator[tuple[int, int]]:
    """Class and number of each table, and the symbol whose code is made of zeros: its first one (T.81, annex C)."""
    position = 0
    while position + 17 < len(tables):
        yield tables[position], tables[position + 17]
        position += 17 + sum(tables[position + 1 : position + 17])


def _has_even_areas(scan: bytes, header: JpegHeader, codes: dict[int, int]) -> bool:
    """Whether zeros in a scan can be an even area.  scan: the parameters of its header (T.81, annex B.2.3)."""
    tables = [scan[2 + 2 * component] for component in range(scan[0])]
    if header.kind == "progressive":
        return scan[1 + 2 * scan[0]] == 0  # differences of mean values, or bits of them
    if header.kind == "lossless JPEG":
        return all(codes.get(table >> 4) == _NO_CHANGE for table in tables)
    return all(codes.get(_AC_TABLES | table & 15) == _NO_CHANGE for table in tables)
