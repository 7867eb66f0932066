"""One frame of a DICOM object's pixel data: the stored numbers, or a refusal where a compressed frame is not whole."""

from __future__ import annotations

import struct
import warnings

import numpy as np
import simplejpeg
from libjpeg.utils import decode as decode_jpeg
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels.utils import get_j2k_parameters, pixel_array
from pydicom.uid import JPEG2000TransferSyntaxes, JPEGLSTransferSyntaxes, RLELossless
from rle.rle import decode_segment

from hepar.imaging.dicom_file import UNCOMPRESSED
from hepar.imaging.errors import UnreadableImage, UnsupportedImage
from hepar.imaging.file_values import quoted_number
from hepar.imaging.functional_groups import element, whole_number
from hepar.imaging.jpeg_stream import END, SCAN, JpegHeader, jpeg_header
from hepar.imaging.zeroed_data import check_jpeg, check_jpeg2000

_JPEG2000_START = b"\xff\x4f\xff\x51"
_INCOMPLETE = "the compressed frame is damaged or ends too early"
# Codes for further pixels, without the byte FF that begins a marker.
_MORE_CODES = bytes.fromhex("5ac3179e") * 16
_LAST_CODES_BYTES, _FILL = 8, b"\xff"
"""Bytes FF may fill the space in front of a marker (ITU-T T.81, annex B.1.1.2)."""


def frame_values(dataset: Dataset, index: int) -> NDArray[np.integer]:
    """(rows, columns) integers as the file holds them, with all BitsAllocated.

    dataset: of `read_dicom`; its sizes have been checked.
    Raises UnreadableImage for a compressed frame that lacks pixels, or whose decoder reports damage.
    """
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax in UNCOMPRESSED:
        return _decoded(dataset, index)
    frame = _compressed_frame(dataset, index)
    if syntax in JPEG2000TransferSyntaxes:
        _check_size(dataset, *_jpeg2000_size(frame))
        check_jpeg2000(frame)
        values = _decoded(dataset, index, "pylibjpeg")
        _check_sign(dataset, frame, values)
        return values
    if syntax == RLELossless:
        _check_run_lengths(dataset, frame)
        return _decoded(dataset, index, "pylibjpeg")
    header = _checked_header(dataset, frame)
    if syntax in JPEGLSTransferSyntaxes:
        if frame.rfind(END) < frame.rfind(SCAN):  # CharLS may take 10 s to find no end
            raise UnreadableImage(_INCOMPLETE)
        return _decoded(dataset, index, "pyjpegls")  # pylibjpeg reads a truncated frame without an error
    if header.bits == 8 and header.kind != "lossless JPEG":
        return eight_bit_jpeg(frame, header)
    check_jpeg(frame, header)
    return _other_jpeg(frame)


def eight_bit_jpeg(stream: bytes, header: JpegHeader | None = None) -> NDArray[np.uint8]:
    """(rows, columns) grey levels of a JPEG of 8 bits.

    Raises UnreadableImage where libjpeg warns of damage, or a part of the data is zeros.
    """
    try:
        values = np.asarray(simplejpeg.decode_jpeg(stream, colorspace="GRAY", strict=True))[..., 0]
    except ValueError:
        raise UnreadableImage("the JPEG data is damaged or ends too early") from None
    if (read := header or jpeg_header(stream)) is not None:
        check_jpeg(stream, read)
    return values


def _compressed_frame(dataset: Dataset, index: int) -> bytes:
    offsets = element(dataset, "ExtendedOffsetTable"), element(dataset, "ExtendedOffsetTableLengths")
    try:
        frame: bytes = get_frame(
            dataset.PixelData,
            index,
            extended_offsets=offsets if all(offsets) else None,
            number_of_frames=int(element(dataset, "NumberOfFrames") or 1),
        )
    except (ValueError, EOFError):
        raise UnreadableImage(f"the pixel data has no frame {index}, counted from 0") from None
    return frame


def _decoded(dataset: Dataset, index: int, plugin: str = "") -> NDArray[np.integer]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about header elements, which are checked here
        try:
            values = pixel_array(dataset, index=index, decoding_plugin=plugin, correct_unused_bits=False)
        except (RuntimeError, ValueError):
            if not plugin:
                raise
            raise UnreadableImage(_INCOMPLETE) from None
    return np.asarray(values)


def _checked_header(dataset: Dataset, frame: bytes) -> JpegHeader:
    """Raises UnreadableImage and UnsupportedImage where the stream is not one that the DICOM header describes."""
    header = jpeg_header(frame)
    if header is None:
        raise UnreadableImage("the compressed frame has no JPEG header")
    _check_size(dataset, header.height, header.width)
    if header.components != 1:
        raise UnsupportedImage("only greyscale DICOM is read; the compressed frame has colours")
    is_jpeg_ls = header.kind == "JPEG-LS"
    if header.kind == "other" or is_jpeg_ls != (dataset.file_meta.TransferSyntaxUID in JPEGLSTransferSyntaxes):
        raise UnsupportedImage("the compressed frame is of another kind of JPEG than its transfer syntax states")
    return header


def _check_size(dataset: Dataset, height: int, width: int) -> None:
    rows, columns = whole_number(dataset, "Rows"), whole_number(dataset, "Columns")
    if (height, width) != (rows, columns):
        size = f"{quoted_number(width)} x {quoted_number(height)} pixels"
        raise UnreadableImage(f"the compressed frame has {size}, the DICOM header states {columns} x {rows}")


def _check_run_lengths(dataset: Dataset, frame: bytes) -> None:
    """Raises UnreadableImage where a segment has more bytes than there are pixels (PS3.5, annex G): decoders ignore it.

    One byte more comes from a segment that was padded to an even length.
    """
    count, *offsets = struct.unpack_from("<16I", frame)
    ends = [*offsets[1:count], len(frame)]
    if any(start >= end for start, end in zip(offsets, ends, strict=False)):
        raise UnreadableImage(_INCOMPLETE)
    pixels = whole_number(dataset, "Rows") * whole_number(dataset, "Columns")
    try:
        sizes = {len(decode_segment(frame[start:end])) for start, end in zip(offsets, ends, strict=False)}
    except ValueError:
        raise UnreadableImage(_INCOMPLETE) from None
    if not sizes <= {pixels, pixels + 1}:
        raise UnreadableImage(_INCOMPLETE)


def _jpeg2000_size(frame: bytes) -> tuple[int, int]:
    """Height and width (ITU-T T.800, A.5.1). Raises UnreadableImage."""
    start = frame.find(_JPEG2000_START)
    if start < 0 or start + 24 > len(frame):
        raise UnreadableImage("the compressed frame has no JPEG 2000 header")
    right, bottom, left, top = struct.unpack_from(">IIII", frame, start + 8)
    return bottom - top, right - left


def _other_jpeg(frame: bytes) -> NDArray[np.integer]:
    """(rows, columns) of a lossless JPEG or one of 12 bits.

    libjpeg fills what a truncated frame lacks with grey and reports nothing. Where codes are missing, it takes further
    ones from what follows; so codes are added in front of the end marker, and the pixels must not change. Where there
    are more codes than pixels, it ignores them; so the last codes are replaced, and the pixels must change.
    """
    end = frame.rfind(END)
    if end < 0:
        raise UnreadableImage(_INCOMPLETE)
    head = frame[:end].rstrip(_FILL)
    try:
        values, with_more = decode_jpeg(frame), decode_jpeg(head + _MORE_CODES + END)
    except RuntimeError:
        raise UnreadableImage(_INCOMPLETE) from None
    if not np.array_equal(values, with_more) or not _last_codes_are_used(head, values):
        raise UnreadableImage(_INCOMPLETE)
    return np.asarray(values)


def _last_codes_are_used(head: bytes, values: NDArray[np.integer]) -> bool:
    """Whether other codes give other pixels, or mean nothing.  head: a JPEG without its end marker."""
    try:
        with_others = decode_jpeg(head[:-_LAST_CODES_BYTES] + _MORE_CODES + END)
    except RuntimeError:
        return True
    return not np.array_equal(values, with_others)


def _check_sign(dataset: Dataset, frame: bytes, values: NDArray[np.integer]) -> None:
    """Negative values in a JPEG 2000 stream would become large ones where the header says that none are negative."""
    stream = get_j2k_parameters(frame)
    if stream.get("is_signed") and whole_number(dataset, "PixelRepresentation") == 0:
        negative = values.astype(np.int64) >> (int(stream.get("precision", 16)) - 1) & 1
        if negative.any():
            raise UnreadableImage("the JPEG 2000 stream has negative values, but PixelRepresentation is 0 (unsigned)")
