"""Parts of a DICOM file, and the file in another transfer syntax, for WADO-RS (PS3.18, chapter 10.4)."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import generate_frames
from pydicom.uid import ExplicitVRLittleEndian

from hepar.imaging.ct_image import GreyImage, Window
from hepar.imaging.decoding import check_size, decoder_errors
from hepar.imaging.dicom import check_pixels, frame_count
from hepar.imaging.dicom_file import COMPRESSED, DicomHeader, read_header
from hepar.imaging.errors import UnreadableImage, UnsupportedImage
from hepar.imaging.functional_groups import element, whole_number
from hepar.imaging.hounsfield import grey_levels
from hepar.imaging.pixel_data import frame_values
from hepar.imaging.stored_values import padding_mask, stored_format

_PIXEL_DATA = 0x7FE00010


def stored_frames(content: bytes, numbers: Sequence[int]) -> list[bytes]:
    """Compressed frames as the file holds them. numbers: from 1. Raises UnreadableImage, UnsupportedImage."""
    with decoder_errors():
        dataset = read_header(content).with_pixels()
        count = frame_count(dataset)
        _check_numbers(numbers, count)
        frames = list(generate_frames(dataset.PixelData, number_of_frames=count))
        return [frames[number - 1] for number in numbers]


def native_frames(content: bytes, numbers: Sequence[int]) -> list[bytes]:
    """Uncompressed frames, least significant byte first; each frame of single bits begins with a new byte.

    numbers: from 1. Raises UnreadableImage, UnsupportedImage.
    """
    with decoder_errors():
        header = read_header(content)
        dataset = header.with_pixels()
        _check_numbers(numbers, frame_count(dataset))
        return [_native_frame(header, dataset, number - 1) for number in numbers]


def as_explicit_little_endian(content: bytes) -> bytes:
    """The same object with uncompressed pixels, Explicit VR Little Endian. Raises UnreadableImage, UnsupportedImage."""
    with decoder_errors(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they quote values
        file = pydicom.dcmread(io.BytesIO(content))
        syntax = file.file_meta.TransferSyntaxUID
        if not syntax.is_little_endian:
            raise UnsupportedImage("an object in big-endian order is sent as it is stored only")
        if syntax in COMPRESSED:
            header = read_header(content)
            pixels = header.with_pixels()
            frames = [_native_frame(header, pixels, index) for index in range(frame_count(pixels))]
            value = b"".join(frames)
            file.PixelData = value + b"\0" * (len(value) % 2)
            file["PixelData"].VR = "OW" if whole_number(file, "BitsAllocated") > 8 else "OB"
            file["PixelData"].is_undefined_length = False
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = file.SOPClassUID, file.SOPInstanceUID
        file.file_meta, file.preamble = meta, bytes(128)
        buffer = io.BytesIO()
        file.save_as(buffer, implicit_vr=False, little_endian=True, enforce_file_format=True)
        return buffer.getvalue()


def bulk_value(content: bytes, tag: str) -> bytes:
    """The value of an element of the top level. tag: eight hexadecimal digits. Raises UnreadableImage for none."""
    with decoder_errors(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they quote values
        file = pydicom.dcmread(io.BytesIO(content))
        syntax = file.file_meta.TransferSyntaxUID
        if int(tag, 16) == _PIXEL_DATA and (syntax in COMPRESSED or not syntax.is_little_endian):
            return b"".join(native_frames(content, range(1, frame_count(file) + 1)))
        wanted = int(tag, 16)
        value = file[wanted].value if wanted in file else None
        if not isinstance(value, bytes):
            raise UnreadableImage("the object has no such bulk data")
        length = file.get("EncapsulatedDocumentLength") if tag == "00420011" else None
        return value[:length] if isinstance(length, int) else value


def frame_picture(content: bytes, number: int, window: Window, kind: Literal["PNG", "JPEG"]) -> bytes:
    """A CT frame as it is stored, in grey levels of a window, or a frame in colours. number: from 1.

    Raises UnreadableImage, UnsupportedImage, ImageTooLarge.
    """
    with decoder_errors():
        header = read_header(content)
        dataset = header.with_pixels()
        _check_numbers([number], frame_count(dataset))
        if dataset.get("PhotometricInterpretation") == "RGB" and dataset.get("PlanarConfiguration") == 0:
            size = whole_number(dataset, "Columns"), whole_number(dataset, "Rows")
            check_size(*size)
            picture = Image.frombytes("RGB", size, _native_frame(header, dataset, number - 1))
        else:
            picture = Image.fromarray(_grey(dataset, number - 1, window))
        buffer = io.BytesIO()
        picture.save(buffer, kind)
        return buffer.getvalue()


def _grey(dataset: pydicom.Dataset, index: int, window: Window) -> GreyImage:
    if dataset.get("Modality") != "CT":
        raise UnsupportedImage("only CT images and pictures in colours are rendered")
    check_pixels(dataset, check_size, len(dataset.PixelData))
    form, container = stored_format(dataset), frame_values(dataset, index)
    padding = padding_mask(dataset, form, container)
    return grey_levels(dataset, index, form, form.values(container), padding, window).pixels


def _check_numbers(numbers: Sequence[int], count: int) -> None:
    if not all(1 <= number <= count for number in numbers):
        raise UnreadableImage(f"the object has {count} frames, counted from 1")


def _native_frame(header: DicomHeader, dataset: pydicom.Dataset, index: int) -> bytes:
    syntax = dataset.file_meta.TransferSyntaxUID
    bits = whole_number(dataset, "BitsAllocated")
    if syntax in COMPRESSED or not syntax.is_little_endian:
        if (element(dataset, "SamplesPerPixel") or 1) != 1:
            raise UnsupportedImage("only greyscale pixels are decompressed")
        check_pixels(dataset, check_size, header.pixel_bytes())
        values = frame_values(dataset, index)
        return values.astype(values.dtype.newbyteorder("<")).tobytes()
    pixels = whole_number(dataset, "Rows") * whole_number(dataset, "Columns")
    frame_bits = pixels * int(element(dataset, "SamplesPerPixel") or 1) * bits
    first, end = index * frame_bits, (index + 1) * frame_bits
    if end > 8 * len(dataset.PixelData):
        raise UnreadableImage("the pixel data ends too early")
    if first % 8 == 0 and end % 8 == 0:
        return bytes(dataset.PixelData[first // 8 : end // 8])
    whole = np.frombuffer(dataset.PixelData[first // 8 : (end + 7) // 8], dtype=np.uint8)
    single: NDArray[np.uint8] = np.unpackbits(whole, bitorder="little")[first % 8 :][:frame_bits]
    return np.packbits(single, bitorder="little").tobytes()
