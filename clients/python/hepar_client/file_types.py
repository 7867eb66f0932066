"""What a file is, by its first bytes."""

from __future__ import annotations

import struct
from enum import Enum, auto
from pathlib import Path

_HEAD_BYTES = 4096
_IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".dcm", ".dicom", ".ima"})
_PREAMBLE_BYTES = 128
_PICTURE_SIGNATURES = (
    b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+",
)  # fmt: skip
_BMP_HEADER_BYTES = frozenset({12, 40, 52, 56, 64, 108, 124})
_MEDIA_STORAGE_DIRECTORY = b"1.2.840.10008.1.3.10"


class FileType(Enum):
    """DICOM_DIRECTORY: a DICOMDIR, which lists the files of a medium and holds no image."""

    PICTURE = auto()
    DICOM = auto()
    DICOM_DIRECTORY = auto()
    OTHER = auto()


def has_image_suffix(file: Path) -> bool:
    return file.suffix.lower() in _IMAGE_SUFFIXES


def file_type(file: Path) -> FileType:
    """A file with the suffix of an image counts as a picture if its bytes say nothing else. Raises OSError."""
    with file.open("rb") as opened:
        head = opened.read(_HEAD_BYTES)
    if head[_PREAMBLE_BYTES : _PREAMBLE_BYTES + 4] == b"DICM":
        return FileType.DICOM_DIRECTORY if _is_directory(head) else FileType.DICOM
    if _is_dicom_without_preamble(head):
        return FileType.DICOM
    return FileType.PICTURE if _is_picture(head) or has_image_suffix(file) else FileType.OTHER


def _is_picture(head: bytes) -> bool:
    if head[:2] == b"BM" and len(head) >= 18:
        return int.from_bytes(head[14:18], "little") in _BMP_HEADER_BYTES
    return head.startswith(_PICTURE_SIGNATURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def _is_directory(head: bytes) -> bool:
    """By the media storage SOP class (0002,0002), which stands in the first bytes (PS3.10, section 7.1)."""
    value = head.partition(b"\x02\x00\x02\x00UI")[2]
    return value[2:].startswith(_MEDIA_STORAGE_DIRECTORY)


def _is_dicom_without_preamble(head: bytes) -> bool:
    """A data set that starts with group 0002 or 0008, in little endian with explicit or implicit types."""
    if len(head) < 8:
        return False
    group, element = struct.unpack("<HH", head[:4])
    if group not in (2, 8) or element > 0x20:
        return False
    explicit = head[4:6] in (b"UL", b"OB", b"UI", b"CS", b"DA")
    return explicit or 0 < int.from_bytes(head[4:8], "little") <= 64
