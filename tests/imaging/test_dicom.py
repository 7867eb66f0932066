from __future__ import annotations

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileDataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEGBaseline8Bit, JPEGLosslessSV1

from hepar.imaging import Window, decode
from hepar.imaging.dicom_file import COMPRESSED
from hepar.imaging.errors import ImageError, ImageTooLarge, UnreadableImage, UnsupportedImage
from tests.support.pictures import (
    compressed,
    ct_dataset,
    dicom_bytes,
    encoded,
    jpeg_lossless,
    multi_frame,
    with_elements,
)

HU = np.tile(np.linspace(-200, 400, 64).astype(np.int32), (48, 1))


def test_hounsfield_units_are_windowed_and_the_spacing_is_kept() -> None:
    image = decode(dicom_bytes(ct_dataset(HU)), Window(0, 250))
    assert (image.format, image.pixels.shape) == ("DICOM", (48, 64))
    assert image.spacing_mm == (0.8, 0.7)
    assert image.warnings == ()
    expected = np.clip(np.rint(HU * 255 / 250), 0, 255)
    assert (image.pixels == expected).all()


@pytest.mark.parametrize("spacing", [None, ["0.8"], ["0", "0"], ["1e9", "1"]])
def test_an_implausible_spacing_is_left_out(spacing: list[str] | None) -> None:
    dataset = ct_dataset(HU)
    if spacing is None:
        del dataset.PixelSpacing
    else:
        dataset.PixelSpacing = spacing
    assert decode(dicom_bytes(dataset)).spacing_mm is None


def changed(**elements: object) -> Dataset:
    return with_elements(ct_dataset(HU), **elements)


@pytest.mark.parametrize(
    ("dataset", "error", "words"),
    [
        (changed(Modality="MR"), UnsupportedImage, "MR, not CT"),
        (changed(NumberOfFrames=2), UnreadableImage, "before its last pixel"),
        (changed(NumberOfFrames=4000), ImageTooLarge, "4000 frames"),
        (changed(SamplesPerPixel=3), UnsupportedImage, "greyscale"),
        (changed(Rows=60_000), ImageTooLarge, "60000"),
        (changed(Rows=4000), UnreadableImage, "before its last pixel"),
        (changed(RescaleSlope="1e9"), UnreadableImage, "RescaleSlope"),
        (changed(BitsAllocated=7), UnsupportedImage, "7 bits"),
        (changed(BitsAllocated=32), UnsupportedImage, "32 bits"),
        (changed(ImageOrientationPatient=["1", "0", "0"]), UnreadableImage, "3 values, not 6"),
    ],
)
def test_unreadable_objects_are_rejected_with_a_reason(dataset: Dataset, error: type[ImageError], words: str) -> None:
    with pytest.raises(error, match=words):
        decode(dicom_bytes(dataset))


@pytest.mark.parametrize("intercept", [b"inf   ", b"nan   ", b"words "])
def test_a_rescale_value_that_is_not_a_number_is_rejected(intercept: bytes) -> None:
    with pytest.raises(UnreadableImage):
        decode(dicom_bytes(ct_dataset(HU)).replace(b"-1024 ", intercept))


def test_an_object_without_pixels_is_rejected() -> None:
    dataset = ct_dataset(HU)
    del dataset.PixelData
    with pytest.raises(UnreadableImage, match="no pixels"):
        decode(dicom_bytes(dataset))


def ct_of(name: str) -> Dataset:
    """One of pydicom's MR files with the given transfer syntax, its modality changed to CT."""
    path = get_testdata_file(name)
    assert isinstance(path, str)
    dataset = pydicom.dcmread(path)
    dataset.Modality = "CT"
    dataset.RescaleSlope, dataset.RescaleIntercept = "0.1", "0"
    return dataset


@pytest.mark.parametrize(
    "name",
    [
        "MR_small_RLE.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_implicit.dcm",
        "MR_small_jp2klossless.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
    ],
)
def test_lossless_transfer_syntaxes_give_the_pixels_of_the_uncompressed_file(name: str) -> None:
    assert np.array_equal(decode(dicom_bytes(ct_of(name))).pixels, decode(dicom_bytes(ct_of("MR_small.dcm"))).pixels)


def test_jpeg_baseline_is_read() -> None:
    dataset = ct_dataset(HU)
    grey = np.clip(HU, 0, 255).astype(np.uint8)
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.RescaleIntercept = 7, "0"
    content = dicom_bytes(compressed(dataset, JPEGBaseline8Bit, encoded(grey, "JPEG", quality=98)))
    image = decode(content, Window(0, 255))
    assert np.abs(image.pixels.astype(int) - grey).max() <= 6


def test_lossless_jpeg_gives_every_pixel() -> None:
    stored = (HU + 1024).astype(np.uint16)
    stored[3, 5:9] = (0, 65535, 1, 32768)
    dataset = compressed(ct_dataset(HU), JPEGLosslessSV1, jpeg_lossless(stored))
    plain = ct_dataset(stored.astype(np.int32) - 1024)
    window = Window(-1024, 64_511)
    assert np.array_equal(decode(dicom_bytes(dataset), window).pixels, decode(dicom_bytes(plain), window).pixels)


def test_every_transfer_syntax_has_a_decoder() -> None:
    assert all(get_decoder(syntax).is_available for syntax in COMPRESSED)


def test_an_unsupported_transfer_syntax_is_named() -> None:
    content = bytearray(dicom_bytes(ct_dataset(HU)))
    place = content.index(b"1.2.840.10008.1.2.1\0")
    content[place : place + 20] = b"1.2.840.10008.9.9.9\0"
    with pytest.raises(UnsupportedImage, match="is not read; send it uncompressed"):
        decode(bytes(content))


def deflated(dataset: FileDataset) -> bytes:
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    return dicom_bytes(dataset)


def test_a_deflated_data_set_is_read_and_a_bomb_is_rejected_before_it_is_inflated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert np.array_equal(decode(deflated(ct_dataset(HU))).pixels, decode(dicom_bytes(ct_dataset(HU))).pixels)
    monkeypatch.setattr("hepar.imaging.dicom_file.INFLATED_BYTES_MAX", 5_000)
    with pytest.raises(ImageTooLarge, match="over 5000 bytes when inflated"):
        decode(deflated(ct_dataset(HU)))


def test_one_frame_of_a_multi_frame_object_is_read() -> None:
    content = dicom_bytes(multi_frame(3))
    first, third = decode(content), decode(content, frame=2)
    assert first.warnings == ("The object has 3 frames; the first was read.",)
    assert third.warnings == ()
    assert first.spacing_mm == third.spacing_mm == (0.8, 0.7)
    assert np.array_equal(first.pixels, decode(dicom_bytes(ct_dataset(HU))).pixels)
    assert np.array_equal(third.pixels, decode(dicom_bytes(ct_dataset(HU + 20))).pixels)
    with pytest.raises(UnreadableImage, match="no frame 3: the object has 3"):
        decode(content, frame=3)


def test_without_a_rescale_the_files_own_window_is_used_with_a_warning() -> None:
    dataset = ct_dataset(HU)
    for name in ("RescaleSlope", "RescaleIntercept"):
        delattr(dataset, name)
    dataset.WindowCenter, dataset.WindowWidth = "1124", "200"
    image = decode(dicom_bytes(dataset))
    assert "Hounsfield" in image.warnings[0]
    assert image.pixels[0, 0] == 0
    assert image.pixels[0, -1] == 255
    assert int(image.pixels[0, np.abs(HU[0] - 100).argmin()]) == pytest.approx(127, abs=8)


def test_a_file_whose_preamble_may_be_a_program_is_not_dicom() -> None:
    content = bytearray(dicom_bytes(ct_dataset(HU)))
    content[:2] = b"MZ"
    with pytest.raises(UnsupportedImage):
        decode(bytes(content))
    content[:4] = b"II*\0"
    assert decode(bytes(content)).format == "DICOM"


def test_deeply_nested_sequences_are_rejected() -> None:
    item = b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    sequence = b"\x40\x00\x75\x02SQ\x00\x00\xff\xff\xff\xff"
    whole = dicom_bytes(ct_dataset(HU))
    with pytest.raises(ImageError):
        decode(whole[:400] + (sequence + item) * 3000)
