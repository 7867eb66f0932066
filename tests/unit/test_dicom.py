from __future__ import annotations

import numpy as np
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from hepar.imaging import Window, decode
from hepar.imaging.errors import ImageError, ImageTooLarge, UnreadableImage, UnsupportedImage
from tests.pictures import ct_dataset, dicom_bytes

HU = np.tile(np.linspace(-200, 400, 64).astype(np.int32), (48, 1))


def test_hounsfield_units_are_windowed_and_the_spacing_is_kept() -> None:
    image = decode(dicom_bytes(ct_dataset(HU)), Window(0, 250))
    assert (image.format, image.height, image.width) == ("DICOM", 48, 64)
    assert image.spacing_mm == (0.8, 0.7)
    assert image.warnings == ()
    expected = np.clip(np.rint(HU * 255 / 250), 0, 255)
    assert (image.pixels == expected).all()


def test_monochrome1_is_turned_over() -> None:
    dataset = ct_dataset(HU)
    dataset.PhotometricInterpretation = "MONOCHROME1"
    image = decode(dicom_bytes(dataset))
    assert image.pixels[0, 0] > image.pixels[0, -1]


def test_missing_and_unusual_orientation_are_told() -> None:
    silent, sagittal = ct_dataset(HU), ct_dataset(HU)
    del silent.ImageOrientationPatient
    sagittal.ImageOrientationPatient = ["0", "1", "0", "0", "0", "-1"]
    assert "how the patient lies" in decode(dicom_bytes(silent)).warnings[0]
    assert "not a standard axial" in decode(dicom_bytes(sagittal)).warnings[0]


@pytest.mark.parametrize("spacing", [None, ["0.8"], ["0", "0"], ["1e9", "1"]])
def test_a_spacing_that_cannot_be_true_is_left_out(spacing: list[str] | None) -> None:
    dataset = ct_dataset(HU)
    if spacing is None:
        del dataset.PixelSpacing
    else:
        dataset.PixelSpacing = spacing
    assert decode(dicom_bytes(dataset)).spacing_mm is None


def changed(**elements: object) -> Dataset:
    dataset = ct_dataset(HU)
    for name, value in elements.items():
        setattr(dataset, name, value)
    return dataset


@pytest.mark.parametrize(
    ("dataset", "error", "words"),
    [
        (changed(Modality="MR"), UnsupportedImage, "MR, not CT"),
        (changed(NumberOfFrames=2), UnsupportedImage, "single-frame"),
        (changed(SamplesPerPixel=3), UnsupportedImage, "single-frame"),
        (changed(Rows=60_000), ImageTooLarge, "60000"),
        (changed(Rows=4000), UnreadableImage, "before its last pixel"),
        (changed(RescaleSlope="1e9"), UnreadableImage, "RescaleSlope"),
        (changed(BitsAllocated=7), UnreadableImage, "broken"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(dataset: Dataset, error: type[ImageError], words: str) -> None:
    with pytest.raises(error, match=words):
        decode(dicom_bytes(dataset))


@pytest.mark.parametrize("intercept", [b"inf   ", b"nan   ", b"words "])
def test_a_rescale_value_that_is_no_number_is_refused(intercept: bytes) -> None:
    with pytest.raises(UnreadableImage):
        decode(dicom_bytes(ct_dataset(HU)).replace(b"-1024 ", intercept))


def test_an_object_without_pixels_is_refused() -> None:
    dataset = ct_dataset(HU)
    del dataset.PixelData
    with pytest.raises(UnreadableImage, match="no pixels"):
        decode(dicom_bytes(dataset))


def test_a_compressed_transfer_syntax_is_named() -> None:
    with pytest.raises(UnsupportedImage, match="JPEG 2000"):
        decode(_bytes("JPEG2000.dcm"))


def test_a_deflated_data_set_is_refused_before_it_is_inflated() -> None:
    with pytest.raises(UnsupportedImage, match="Deflated"):
        decode(_bytes("image_dfl.dcm"))


def test_a_preamble_that_may_hide_a_program_is_no_dicom() -> None:
    content = bytearray(dicom_bytes(ct_dataset(HU)))
    content[:2] = b"MZ"
    with pytest.raises(UnsupportedImage):
        decode(bytes(content))
    content[:4] = b"II*\0"
    assert decode(bytes(content)).format == "DICOM"


def test_deeply_nested_sequences_are_unreadable_not_a_crash() -> None:
    item = b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    sequence = b"\x40\x00\x75\x02SQ\x00\x00\xff\xff\xff\xff"
    whole = dicom_bytes(ct_dataset(HU))
    with pytest.raises(ImageError):
        decode(whole[:400] + (sequence + item) * 3000)


def _bytes(name: str) -> bytes:
    path = get_testdata_file(name)
    assert isinstance(path, str)
    with open(path, "rb") as file:  # noqa: PTH123  pydicom gives a string
        return file.read()
