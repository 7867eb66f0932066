"""What the header of a JPEG or JPEG-LS stream states (ITU-T T.81, annex B; T.87, annex C)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

JpegKind = Literal["sequential", "progressive", "lossless JPEG", "JPEG-LS", "other"]
START, END = b"\xff\xd8", b"\xff\xd9"
_KINDS: dict[int, JpegKind] = {
    0xC0: "sequential",
    0xC1: "sequential",
    0xC2: "progressive",
    0xC3: "lossless JPEG",
    0xF7: "JPEG-LS",
}
_FRAME_MARKERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9


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
    position = 2
    while stream.startswith(START) and position + 4 <= len(stream):
        marker = stream[position + 1]
        if stream[position] != 0xFF or marker in (_START_OF_SCAN, _END_OF_IMAGE):
            return None
        if marker == 0xFF or marker in _WITHOUT_LENGTH:
            position += 1 if marker == 0xFF else 2
            continue
        if marker in _FRAME_MARKERS and position + 10 <= len(stream):
            bits, height, width, components = struct.unpack_from(">BHHB", stream, position + 4)
            return JpegHeader(_KINDS.get(marker, "other"), bits, height, width, components)
        position += 2 + struct.unpack_from(">H", stream, position + 2)[0]
    return None
