"""Reading of a DICOM file (PS3.10): its header, and its pixel data as bytes."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from dataclasses import dataclass

import pydicom
from pydicom import config
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileMetaDataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    MediaStorageDirectoryStorage,
    RLELossless,
)
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32

from hepar.imaging.errors import ImageTooLarge, UnreadableImage, UnsupportedImage
from hepar.imaging.file_values import MODALITIES, quoted_term

# Its warnings quote values, and a value may be a patient's name. The values that are used are checked here.
config.settings.reading_validation_mode = config.IGNORE

INFLATED_BYTES_MAX = 256 * 1024 * 1024
UNCOMPRESSED = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)
COMPRESSED = (
    RLELossless, JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1, JPEGLSLossless,
    JPEGLSNearLossless, JPEG2000Lossless, JPEG2000,
)  # fmt: skip
_PREAMBLE_BYTES = 128
_TIFF_HEADERS = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_FIRST_ELEMENT_MAX, _FIRST_LENGTH_MAX = 0x18, 64
_FIRST_VRS = (b"UL", b"OB", b"UI", b"CS", b"DA", b"TM", b"SH", b"SQ")
"""Of the first elements of a data set: the length of a group, the character set, the type of the image, UIDs."""
_FLOAT_PIXELS, _PIXELS = 0x7FE00008, BaseTag(0x7FE00010)
_UNDEFINED_LENGTH = 0xFFFFFFFF
_ITEM, _END_OF_ITEMS = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
_CUT_HEADER = "the DICOM file ends before its pixel data"
_CUT_PIXELS = "the DICOM file ends within its pixel data"


@dataclass(frozen=True)
class _PixelElement:
    """offset: of its value in the file.  length: in bytes, or _UNDEFINED_LENGTH."""

    tag: BaseTag
    vr: str
    offset: int
    length: int


@dataclass(frozen=True)
class DicomHeader:
    """dataset: the elements in front of the pixel data.  pixels: None where there are none.  content: inflated."""

    dataset: pydicom.Dataset
    pixels: _PixelElement | None
    content: bytes

    def ends_too_early(self) -> bool:
        """Whether an object without pixels is a part of one."""
        return not len(self.dataset) or _ends_too_early(self.dataset, self.content)

    def with_pixels(self) -> pydicom.Dataset:
        """The data set with its pixel data, still compressed. Raises UnsupportedImage, UnreadableImage."""
        if self.pixels is None:
            raise UnreadableImage("the DICOM object has no pixels")
        first, end = self._pixel_range()
        self.dataset.add_new(_PIXELS, self.pixels.vr, self.content[first:end])
        self.dataset["PixelData"].is_undefined_length = self.pixels.length == _UNDEFINED_LENGTH
        return self.dataset

    def pixel_bytes(self) -> int:
        """Of the pixel data, as far as the file has it. Raises UnsupportedImage, UnreadableImage."""
        first, end = self._pixel_range()
        return min(end, len(self.content)) - first

    def _pixel_range(self) -> tuple[int, int]:
        """Where the value of the pixel data begins and ends. Raises UnsupportedImage, UnreadableImage."""
        if self.pixels is None:
            raise UnreadableImage("the DICOM object has no pixels")
        if self.pixels.tag != _PIXELS:
            raise UnsupportedImage("DICOM pixels of floating-point numbers are not read; send 8 or 16 bits")
        is_encapsulated = self.pixels.length == _UNDEFINED_LENGTH
        if is_encapsulated != (self.dataset.file_meta.TransferSyntaxUID in COMPRESSED):
            kind, form = ("uncompressed", "in fragments") if is_encapsulated else ("compressed", "not in fragments")
            raise UnreadableImage(f"the transfer syntax is {kind}, but the pixel data is {form}")
        first = self.pixels.offset
        return first, _end_of_fragments(self.content, first) if is_encapsulated else first + self.pixels.length


def has_dicom_signature(content: bytes) -> bool:
    return content[_PREAMBLE_BYTES : _PREAMBLE_BYTES + 4] == b"DICM"


def looks_like_dicom(content: bytes) -> bool:
    """DICM after a preamble of zeros or a TIFF header; another preamble may be a program (CVE-2019-11687)."""
    preamble = content[:_PREAMBLE_BYTES]
    return has_dicom_signature(content) and (not any(preamble) or preamble[:4] in _TIFF_HEADERS)


def lacks_preamble(content: bytes) -> bool:
    """Whether a data set begins at once, with an element of group 2 or 8, as in files that do not follow PS3.10."""
    if content.startswith(b"DICM"):
        return True
    group, number, length = struct.unpack_from("<HHI", content) if len(content) >= 8 else (0, 0, 0)
    if group not in (2, 8) or number > _FIRST_ELEMENT_MAX:
        return False
    return content[4:6] in _FIRST_VRS or length <= _FIRST_LENGTH_MAX


def read_dicom(content: bytes) -> pydicom.Dataset:
    """A CT object with its pixel data still compressed, and its transfer syntax in `file_meta`.

    The transfer syntax is checked before anything is inflated. A missing delimiter after the last fragment is accepted.
    Raises UnsupportedImage for another transfer syntax or modality, UnreadableImage for a file that ends too early or
    has no pixels, ImageTooLarge for one that inflates to more than INFLATED_BYTES_MAX.
    """
    header = read_header(content)
    modality = header.dataset.get("Modality")
    if modality not in (None, "", "CT"):
        raise UnsupportedImage(f"the DICOM object's modality is {quoted_term(modality, MODALITIES)}, not CT")
    if header.pixels is None:
        raise UnreadableImage(_CUT_HEADER if header.ends_too_early() else "the DICOM object has no pixels")
    if not modality:
        raise UnsupportedImage("the DICOM object's modality is missing, not CT")
    return header.with_pixels()


def read_header(content: bytes) -> DicomHeader:
    """The elements in front of the pixel data, of an object of any modality.

    Raises UnsupportedImage for a DICOMDIR or another transfer syntax, UnreadableImage for a damaged header,
    ImageTooLarge for a file that inflates to more than INFLATED_BYTES_MAX.
    """
    file = io.BytesIO(content)
    file.seek(_PREAMBLE_BYTES + 4)
    meta = read_dataset(file, is_implicit_VR=False, is_little_endian=True, stop_when=_is_beyond_meta)
    if meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage:
        raise UnsupportedImage("a DICOMDIR is a list of files; send the files that it lists")
    if not meta.get("TransferSyntaxUID"):
        raise UnreadableImage("the DICOM file states no transfer syntax; its header is damaged or ends too early")
    syntax = UID(str(meta.TransferSyntaxUID))
    if syntax not in UNCOMPRESSED and syntax not in COMPRESSED:
        name = "unknown" if syntax.name == syntax else syntax.name
        raise UnsupportedImage(f"DICOM transfer syntax {name} is not read; send it uncompressed")
    start = file.tell()
    if syntax == DeflatedExplicitVRLittleEndian:
        content, start, syntax = _inflated(content, meta), 0, ExplicitVRLittleEndian
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they quote values; what they warn of is checked
        dataset, pixels = _read_elements(content, start, syntax)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    for name in ("MediaStorageSOPClassUID", "MediaStorageSOPInstanceUID"):
        setattr(dataset.file_meta, name, meta.get(name))
    return DicomHeader(dataset, pixels, content)


def transfer_syntax_of(content: bytes, header: DicomHeader) -> UID:
    """Of the file itself: `file_meta` states that of the inflated content.  header: of `read_header` for `content`."""
    is_inflated = header.content is not content
    return DeflatedExplicitVRLittleEndian if is_inflated else UID(header.dataset.file_meta.TransferSyntaxUID)


def _is_beyond_meta(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return bool(tag.group != 2)


def _inflated(content: bytes, meta: pydicom.Dataset) -> bytes:
    """Inflates at most INFLATED_BYTES_MAX."""
    start = _PREAMBLE_BYTES + 4 + 12 + int(meta.FileMetaInformationGroupLength)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    body = inflater.decompress(content[start:], INFLATED_BYTES_MAX)
    if inflater.unconsumed_tail:
        raise ImageTooLarge(f"over {INFLATED_BYTES_MAX} bytes when inflated")
    if not inflater.eof:
        raise UnreadableImage("the deflated data of the DICOM file ends too early")
    return body


def _read_elements(content: bytes, start: int, syntax: UID) -> tuple[pydicom.Dataset, _PixelElement | None]:
    """The elements in front of the pixel data, and where that is; None where the file has none."""
    found: list[tuple[BaseTag, str | None, int]] = []

    def at_pixels(tag: BaseTag, vr: str | None, length: int) -> bool:
        is_at_pixels = int(tag) >= _FLOAT_PIXELS  # tags compare slowly
        if is_at_pixels:
            found.append((tag, vr, length))
        return is_at_pixels

    file = io.BytesIO(content)
    file.seek(start)
    try:
        dataset = read_dataset(file, syntax.is_implicit_VR, syntax.is_little_endian, stop_when=at_pixels)
    except OSError:
        damage = _CUT_HEADER if file.tell() == len(content) else "the header of the DICOM file is damaged"
        raise UnreadableImage(damage) from None
    if not found or found[-1][0] > _PIXELS:
        return dataset, None
    tag, vr, length = found[-1]
    header_bytes = 12 if vr in EXPLICIT_VR_LENGTH_32 else 8
    return dataset, _PixelElement(tag, vr or "OW", file.tell() + header_bytes, length)


def _ends_too_early(dataset: pydicom.Dataset, content: bytes) -> bool:
    """Whether the file ends within its last element."""
    last = dataset.get_item(max(dataset.keys()))
    if not isinstance(last, RawDataElement) or last.length == _UNDEFINED_LENGTH:
        return False
    return int(last.value_tell) + int(last.length) != len(content)


def _end_of_fragments(content: bytes, start: int) -> int:
    """Where the delimiter of the fragments is, or the end of the file (PS3.5, A.4). Raises UnreadableImage."""
    position = start
    while position + 8 <= len(content):
        group, number, length = struct.unpack_from("<HHI", content, position)
        if (group, number) == _END_OF_ITEMS:
            return position
        if (group, number) != _ITEM or length == _UNDEFINED_LENGTH:
            raise UnreadableImage("the fragments of the compressed pixel data are damaged")
        position += 8 + length
    if position > len(content):
        raise UnreadableImage(_CUT_PIXELS)
    return position
