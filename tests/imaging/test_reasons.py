"""The reason of a refusal is true: each kind of file is named as what it is."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from jpeg_ls import encode_array
from PIL import Image
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    MPEG2MPML,
    UID,
    DeflatedExplicitVRLittleEndian,
    HTJ2KLossless,
    JPEG2000Lossless,
    MediaStorageDirectoryStorage,
)

from hepar.imaging import decode
from hepar.imaging.errors import ImageError, UnreadableImage, UnsupportedImage
from tests.support.phantom import phantom_grey, phantom_hu
from tests.support.pictures import ct_dataset, dicom_bytes, encoded, jpeg_lossless, twelve_bit_jpeg, with_elements
from tests.support.raw_pictures import chunk, png

PLAIN = dicom_bytes(ct_dataset(phantom_hu()))
GREY_RGB = np.repeat(phantom_grey()[..., None], 3, axis=2)


def compressed_file() -> bytes:
    dataset = ct_dataset(phantom_hu())
    dataset.compress(JPEG2000Lossless)
    return dicom_bytes(dataset)


def deflated_file() -> bytes:
    dataset = ct_dataset(phantom_hu())
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    return dicom_bytes(dataset)


def with_syntax(syntax: UID) -> bytes:
    dataset = ct_dataset(phantom_hu())
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset["PixelData"].is_undefined_length = True
    dataset.PixelData = encapsulate([b"\0" * 8])
    return dicom_bytes(dataset)


def without_pixels(**elements: object) -> FileDataset:
    dataset = ct_dataset(phantom_hu())
    del dataset.PixelData
    return with_elements(dataset, **elements)


def float_pixels() -> bytes:
    dataset = without_pixels()
    dataset.FloatPixelData = phantom_hu().astype(np.float32).tobytes()
    return dicom_bytes(dataset)


def without_preamble(*, implicit: bool) -> bytes:
    dataset = ct_dataset(phantom_hu())
    del dataset.file_meta, dataset.preamble
    buffer = io.BytesIO()
    dcmwrite(buffer, dataset, implicit_vr=implicit, little_endian=True)
    return buffer.getvalue()


def dicomdir() -> bytes:
    return dicom_bytes(without_pixels(SOPClassUID=MediaStorageDirectoryStorage))


def with_a_long_sequence_in_front() -> bytes:
    """Its header ends with a sequence of undefined length."""
    dataset = without_pixels()
    item = Dataset()
    item.PatientComments = "x" * 4_000
    dataset.add_new(0x54000100, "SQ", [item])
    dataset[0x54000100].is_undefined_length = True
    return dicom_bytes(dataset)


CASES: dict[str, tuple[bytes, type[ImageError], str]] = {
    "a file cut in its pixels": (PLAIN[:-9_000], UnreadableImage, "ends before its last pixel"),
    "a compressed file cut in its pixels": (compressed_file()[:-9_000], UnreadableImage, "ends within its pixel data"),
    "a deflated file cut": (deflated_file()[:-1_000], UnreadableImage, "deflated data .* ends too early"),
    "a file cut in an element of its header": (PLAIN[:560], UnreadableImage, "ends before its pixel data"),
    "a file cut in a sequence": (with_a_long_sequence_in_front()[:-900], UnreadableImage, "ends before its pixel data"),
    "a file cut in its meta group": (PLAIN[:170], UnreadableImage, "header is damaged or ends too early"),
    "a file cut after its signature": (PLAIN[:132], UnreadableImage, "header is damaged or ends too early"),
    "no pixels": (dicom_bytes(without_pixels()), UnreadableImage, "has no pixels"),
    "a report": (dicom_bytes(without_pixels(Modality="SR")), UnsupportedImage, "modality is SR, not CT"),
    "floating-point pixels": (float_pixels(), UnsupportedImage, "floating-point"),
    "a DICOMDIR": (dicomdir(), UnsupportedImage, "DICOMDIR is a list of files"),
    "high-throughput JPEG 2000": (with_syntax(HTJ2KLossless), UnsupportedImage, "High-Throughput JPEG 2000"),
    "a video": (with_syntax(MPEG2MPML), UnsupportedImage, "MPEG2 Main Profile"),
    "a text in the preamble": (b"A text".ljust(128, b" ") + PLAIN[128:], UnsupportedImage, "preamble"),
    "a program in the preamble": (b"MZ".ljust(128, b"\1") + PLAIN[128:], UnsupportedImage, "preamble"),
    "a picture's signature in the preamble": (b"\xff\xd8\xff" + PLAIN[3:], UnsupportedImage, "preamble of the DICOM"),
    "no preamble": (PLAIN[132:], UnsupportedImage, "without the preamble"),
    "no preamble but DICM": (PLAIN[128:], UnsupportedImage, "without the preamble"),
    "no preamble, implicit": (without_preamble(implicit=True), UnsupportedImage, "without the preamble"),
    "no preamble, explicit": (without_preamble(implicit=False), UnsupportedImage, "without the preamble"),
    "a TIFF with fax compression": (
        encoded(phantom_grey() > 99, "TIFF", compression="group4"),
        UnsupportedImage,
        "fax",
    ),
    "a JPEG of 12 bits": (twelve_bit_jpeg(), UnsupportedImage, "JPEG pictures of 12 bits are not read"),
    "a lossless JPEG": (jpeg_lossless(phantom_hu() + 1024), UnsupportedImage, "lossless JPEG pictures are not read"),
    "a JPEG-LS": (bytes(encode_array(phantom_grey())), UnsupportedImage, "JPEG-LS pictures are not read"),
    "a JPEG cut in its header": (encoded(phantom_grey(), "JPEG")[:100], UnreadableImage, "ends too early"),
    "a JPEG cut": (encoded(phantom_grey(), "JPEG")[:-500], UnreadableImage, "ends too early"),
    "a PNG cut in its header": (encoded(phantom_grey())[:30], UnreadableImage, "ends within its header"),
    "a PNG cut": (encoded(phantom_grey())[:-900], UnreadableImage, "ends too early"),
    "a BMP cut": (encoded(phantom_grey(), "BMP")[:-900], UnreadableImage, "ends too early"),
    "a TIFF cut": (encoded(phantom_grey(), "TIFF")[:-900], UnreadableImage, "ends too early"),
    "a GIF": (encoded(phantom_grey(), "GIF"), UnsupportedImage, "neither PNG"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_file_is_refused_for_what_it_is(name: str) -> None:
    content, error, words = CASES[name]
    with pytest.raises(error, match=words):
        decode(content)


def test_a_file_that_is_damaged_but_whole_is_not_said_to_end_too_early() -> None:
    content = bytearray(encoded(phantom_grey()))
    content[len(content) // 2] ^= 0x10
    with pytest.raises(UnreadableImage, match=r"^the file is damaged$"):
        decode(bytes(content))


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("pixels", [phantom_grey(), GREY_RGB])
def test_a_jpeg_with_missing_data_and_an_end_marker_is_refused(pixels: np.ndarray, progressive: bool) -> None:
    whole = encoded(pixels, "JPEG", quality=92, progressive=progressive)
    middle = len(whole) // 2
    for damaged in (whole[:middle] + b"\xff\xd9", whole[:middle] + whole[middle + 300 :]):
        with pytest.raises(UnreadableImage, match="JPEG data is damaged or ends too early"):
            decode(damaged)


def test_the_jpeg_parts_of_a_tiff_are_checked() -> None:
    whole = encoded(phantom_grey(), "TIFF", compression="jpeg", quality=95)
    assert np.abs(decode(whole).pixels.astype(int) - phantom_grey()).mean() < 2
    with Image.open(io.BytesIO(whole)) as opened:
        tags = opened.tag_v2  # type: ignore[attr-defined]
        (start,), (length,) = tags[273], tags[279]
    end = start + length
    middle = start + length // 2
    for damaged in (bytes(end - middle), b"\xff\xd9" + bytes(end - middle - 2)):
        with pytest.raises(UnreadableImage, match="JPEG data is damaged or ends too early"):
            decode(whole[:middle] + damaged + whole[end:])


@pytest.mark.parametrize("start", [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"])
def test_a_tiff_header_in_the_preamble_is_allowed(start: bytes) -> None:
    assert decode(start + PLAIN[4:]).format == "DICOM"


@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt", b"iTXt", b"iCCP"])
def test_a_large_text_or_colour_profile_in_a_png_is_left_out(kind: bytes) -> None:
    text = bytes(2_000_000)
    body = {
        b"tEXt": b"Comment\0" + text.replace(b"\0", b"a"),
        b"zTXt": b"Comment\0\0" + zlib.compress(text),
        b"iTXt": b"Comment\0\1\0\0\0" + zlib.compress(text.replace(b"\0", b"a")),
        b"iCCP": b"profile\0\0" + zlib.compress(text),
    }[kind]
    assert np.array_equal(decode(png(phantom_grey(), 8, chunk(kind, body))).pixels, phantom_grey())


def test_a_tiff_whose_tags_point_outside_of_it_is_said_to_be_damaged() -> None:
    content = bytearray(encoded(phantom_grey(), "TIFF", tiffinfo={270: "a description"}))
    (directory,) = struct.unpack_from("<I", content, 4)
    place = next(place for place in range(directory + 2, len(content), 12) if content[place : place + 2] == b"\x0e\x01")
    struct.pack_into("<I", content, place + 8, 10_000_000)
    with pytest.raises(UnreadableImage, match="TIFF file ends within its header, or its header is damaged"):
        decode(bytes(content))
