"""Compressed frames of DICOM objects: read when whole, refused when anything is missing; never a guess at the rest."""

from __future__ import annotations

import functools
import io
import time
from collections.abc import Callable

import numpy as np
import pytest
from jpeg_ls import encode_array
from pydicom.dataset import FileDataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import (
    UID,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from hepar.imaging import decode
from hepar.imaging.errors import UnreadableImage, UnsupportedImage
from tests.support.phantom import phantom_grey, phantom_hu
from tests.support.pictures import (
    compressed,
    ct_dataset,
    dicom_bytes,
    encoded,
    jpeg_lossless,
    slope_hu,
    twelve_bit_jpeg,
)

END_OF_IMAGE = b"\xff\xd9"


def stored() -> np.ndarray:
    return (phantom_hu() + 1024).astype(np.uint16)


def by_pydicom(syntax: UID) -> bytes:
    dataset = ct_dataset(phantom_hu())
    dataset.compress(syntax)
    return bytes(get_frame(dataset.PixelData, 0))


FRAMES: dict[str, tuple[UID, Callable[[], bytes]]] = {
    "jpeg": (JPEGBaseline8Bit, lambda: encoded(phantom_grey(), "JPEG", quality=95)),
    "jpeg of 8 bits as extended": (JPEGExtended12Bit, lambda: encoded(phantom_grey(), "JPEG", quality=95)),
    "jpeg of 12 bits": (JPEGExtended12Bit, twelve_bit_jpeg),
    "lossless jpeg": (JPEGLossless, lambda: jpeg_lossless(stored())),
    "lossless jpeg, selection value 1": (JPEGLosslessSV1, lambda: jpeg_lossless(stored())),
    "jpeg-ls": (JPEGLSLossless, lambda: bytes(encode_array(stored()))),
    "near-lossless jpeg-ls": (JPEGLSNearLossless, lambda: bytes(encode_array(stored(), lossy_error=2))),
    "jpeg 2000": (JPEG2000Lossless, lambda: by_pydicom(JPEG2000Lossless)),
    "rle": (RLELossless, lambda: by_pydicom(RLELossless)),
}
LOSSLESS = ("lossless jpeg", "lossless jpeg, selection value 1", "jpeg-ls", "jpeg 2000", "rle")


@functools.cache
def whole_frame(name: str) -> bytes:
    return FRAMES[name][1]()


def ct_of(name: str, frame: bytes) -> FileDataset:
    """A CT object with one compressed frame."""
    dataset = ct_dataset(phantom_hu())
    if name == "jpeg of 12 bits":
        dataset = ct_dataset(slope_hu())
        dataset.BitsStored, dataset.HighBit = 12, 11
    elif name in ("jpeg", "jpeg of 8 bits as extended"):
        dataset.BitsAllocated = dataset.BitsStored = 8
        dataset.HighBit, dataset.RescaleSlope, dataset.RescaleIntercept = 7, str(250 / 255)[:16], "0"
    dataset.RescaleType = "HU"
    return compressed(dataset, FRAMES[name][0], frame)


@pytest.mark.parametrize("name", FRAMES)
def test_a_whole_frame_is_read(name: str) -> None:
    image = decode(dicom_bytes(ct_of(name, whole_frame(name))))
    expected = phantom_grey() if name != "jpeg of 12 bits" else decode(dicom_bytes(ct_dataset(slope_hu()))).pixels
    difference = np.abs(image.pixels.astype(int) - expected)
    assert difference.max() <= (0 if name in LOSSLESS else 3 if "near" in name else 40)
    assert difference.mean() < 2


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.98])
@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_that_was_cut_is_refused(name: str, share: float) -> None:
    whole = whole_frame(name)
    with pytest.raises(UnreadableImage, match=r"ends too early|has no JPEG"):
        decode(dicom_bytes(ct_of(name, whole[: int(len(whole) * share)])))


@pytest.mark.parametrize("comment", [b"", b"\xff\xfe\0\4" + END_OF_IMAGE], ids=["plain", "an end marker in a comment"])
def test_a_jpeg_ls_frame_without_an_end_takes_little_time(comment: bytes) -> None:
    """CharLS computes for 10 s where the data ends at certain bits; a whole frame takes a few milliseconds."""
    whole = whole_frame("jpeg-ls")
    files = [dicom_bytes(ct_of("jpeg-ls", whole[:2] + comment + whole[2:end])) for end in (None, *range(-66, -2))]
    started = time.process_time()
    decode(files[0])
    of_the_whole = time.process_time() - started
    for file in files[1:]:
        with pytest.raises(UnreadableImage, match="ends too early"):
            decode(file)
    assert time.process_time() - started < 200 * of_the_whole


@pytest.mark.parametrize("share", [0.5, 0.9, 0.98])
@pytest.mark.parametrize("name", [name for name in FRAMES if name != "rle"])
def test_an_end_marker_after_the_cut_does_not_hide_it(name: str, share: float) -> None:
    whole = whole_frame(name)
    with pytest.raises(UnreadableImage, match="ends too early"):
        decode(dicom_bytes(ct_of(name, whole[: int(len(whole) * share)] + END_OF_IMAGE)))


@pytest.mark.parametrize("name", [name for name in FRAMES if name != "rle"])
def test_a_frame_with_a_hole_is_refused(name: str) -> None:
    whole = whole_frame(name)
    middle = len(whole) // 2
    with pytest.raises(UnreadableImage, match="damaged"):
        decode(dicom_bytes(ct_of(name, whole[:middle] + whole[middle + len(whole) // 10 :])))


@pytest.mark.parametrize("name", [name for name in FRAMES if name != "rle"])
def test_padding_after_the_end_marker_is_allowed(name: str) -> None:
    whole = whole_frame(name)
    image = decode(dicom_bytes(ct_of(name, whole)))
    assert np.array_equal(decode(dicom_bytes(ct_of(name, whole + b"\0\0"))).pixels, image.pixels)


@pytest.mark.parametrize("frame", [0, 1, 2])
def test_each_frame_of_a_multi_frame_object_is_checked_on_its_own(frame: int) -> None:
    streams = [bytes(encode_array(stored() + np.uint16(place))) for place in range(3)]
    streams[1] = streams[1][: len(streams[1]) // 2]
    dataset = compressed(ct_dataset(phantom_hu()), JPEGLSLossless, b"\0\0")
    dataset.NumberOfFrames, dataset.PixelData = 3, encapsulate(streams)
    if frame == 1:
        with pytest.raises(UnreadableImage, match="ends too early"):
            decode(dicom_bytes(dataset), frame=frame)
    else:
        assert decode(dicom_bytes(dataset), frame=frame).pixels.shape == phantom_hu().shape


def test_a_frame_that_is_not_in_the_file_is_refused_by_its_number() -> None:
    dataset = compressed(ct_dataset(phantom_hu()), JPEGLSLossless, b"\0\0")
    dataset.NumberOfFrames, dataset.PixelData = 3, encapsulate([bytes(encode_array(stored()))] * 2)
    with pytest.raises(UnreadableImage, match="no frame 2, counted from 0"):
        decode(dicom_bytes(dataset), frame=2)


@pytest.mark.parametrize("has_bot", [True, False])
def test_a_frame_in_several_fragments_is_read(has_bot: bool) -> None:
    dataset = compressed(ct_dataset(phantom_hu()), JPEGLosslessSV1, whole_frame("lossless jpeg"))
    dataset.PixelData = encapsulate([whole_frame("lossless jpeg")], fragments_per_frame=3, has_bot=has_bot)
    assert np.array_equal(decode(dicom_bytes(dataset)).pixels, phantom_grey())


def cut_file(lost_bytes: int) -> bytes:
    content = dicom_bytes(ct_of("jpeg-ls", whole_frame("jpeg-ls")))
    return content[: len(content) - lost_bytes]


@pytest.mark.parametrize("lost_bytes", [1, 4, 8])
def test_a_missing_last_delimiter_is_read(lost_bytes: int) -> None:
    assert np.array_equal(decode(cut_file(lost_bytes)).pixels, phantom_grey())


@pytest.mark.parametrize("lost_bytes", [9, 100, 2_000])
def test_a_file_that_was_cut_in_its_pixels_says_so(lost_bytes: int) -> None:
    with pytest.raises(UnreadableImage, match="ends within its pixel data"):
        decode(cut_file(lost_bytes))


def test_a_stream_that_is_not_what_the_header_states_is_refused() -> None:
    for name in ("jpeg", "lossless jpeg", "jpeg-ls", "jpeg 2000"):
        other_size = ct_of(name, whole_frame(name))
        other_size.Columns = 64
        with pytest.raises(UnreadableImage, match=r"has 128 x 128 pixels, the DICOM header states 64 x 128"):
            decode(dicom_bytes(other_size))
    coloured = encoded(np.repeat(phantom_grey()[..., None], 3, axis=2), "JPEG")
    with pytest.raises(UnsupportedImage, match="has colours"):
        decode(dicom_bytes(ct_of("jpeg", coloured)))
    with pytest.raises(UnsupportedImage, match="another kind of JPEG"):
        decode(dicom_bytes(compressed(ct_dataset(phantom_hu()), JPEGLSLossless, jpeg_lossless(stored()))))


def test_pixels_whose_form_contradicts_the_transfer_syntax_are_refused() -> None:
    plain, fragments = ct_dataset(phantom_hu()), ct_of("jpeg-ls", whole_frame("jpeg-ls"))
    syntax = b"1.2.840.10008.1.2.1\0"
    content = dicom_bytes(fragments)
    place = content.index(b"1.2.840.10008.1.2.4.80")
    as_plain = content[:place] + syntax.ljust(22, b"\0") + content[place + 22 :]
    with pytest.raises(UnreadableImage, match="uncompressed, but the pixel data is in fragments"):
        decode(as_plain)
    content = dicom_bytes(plain).replace(syntax, b"1.2.840.10008.1.2.5\0")
    with pytest.raises(UnreadableImage, match="compressed, but the pixel data is not in fragments"):
        decode(content)


def test_negative_values_of_a_signed_jpeg_2000_stream_are_not_read_as_large_ones() -> None:
    signed = ct_dataset(phantom_hu())
    signed.PixelRepresentation, signed.RescaleIntercept = 1, "0"
    signed.PixelData = phantom_hu().astype(np.int16).tobytes()
    signed.compress(JPEG2000Lossless)
    assert np.array_equal(decode(dicom_bytes(signed)).pixels, phantom_grey())
    signed.PixelRepresentation = 0
    buffer = io.BytesIO()
    signed.save_as(buffer, enforce_file_format=True)
    with pytest.raises(UnreadableImage, match="PixelRepresentation is 0"):
        decode(buffer.getvalue())
