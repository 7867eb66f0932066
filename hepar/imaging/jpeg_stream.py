"""What the header of a JPEG or JPEG-LS stream states (ITU-T T.81, annex B; T.87, annex C)."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

JpegKind = Literal["sequential", "progressive", "lossless JPEG", "JPEG-LS", "other"]
START, SCAN, END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"
_KINDS: dict[int, JpegKind] = {
    0xC0: "sequential",
    0xC1: "sequential",
    0xC2: "progressive",
    0xC3: "lossless JPEG",
    0xF7: "JPEG-LS",
}
_FRAME_MARKERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}
HUFFMAN_TABLES, START_OF_SCAN = 0xC4, 0xDA
_END_OF_IMAGE = 0xD9
_MARKER_AFTER_CODES = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
"""FF 00 is a byte of the codes, and D0 to D7 are markers within them."""


@dataclass(frozen=True)
class JpegHeader:
    """bits: of a sample.  height, width: in pixels.  components: 1 for grey."""

    kind: JpegKind
    bits: int
    height: int
    width: int
    components: int


def jpeg_header(stream: bytes) -> JpegHeader | None:
    """None where no frame header comes before the first scan."""
    for marker, content, _ in segments(stream):
        if marker == START_OF_SCAN:
            return None
        if marker in _FRAME_MARKERS and len(content) >= 6:
            bits, height, width, components = struct.unpack_from(">BHHB", content)
            return JpegHeader(_KINDS.get(marker, "other"), bits, height, width, components)
    return None


def segments(stream: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Marker and content of each marker segment up to the end of the image, and the codes that follow it in a scan."""
    position = 2
    while stream.startswith(START) and position + 4 <= len(stream):
        marker = stream[position + 1]
        if stream[position] != 0xFF or marker == _END_OF_IMAGE:
            return
        if marker == 0xFF or marker in _WITHOUT_LENGTH:
            position += 1 if marker == 0xFF else 2
            continue
        start, position = position + 4, position + 2 + struct.unpack_from(">H", stream, position + 2)[0]
        content, codes = stream[start:position], b""
        if marker == START_OF_SCAN:
            following = _MARKER_AFTER_CODES.search(stream, position)
            end = following.start() if following else len(stream)
            codes, position = stream[position:end], end
        yield marker, content, codes
