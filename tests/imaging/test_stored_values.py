"""Bits outside of the stored ones never count, and padding is black, however its value is written."""

from __future__ import annotations

import numpy as np
import pytest
from jpeg_ls import encode_array
from pydicom.dataset import FileDataset
from pydicom.uid import UID, JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless

from hepar.imaging import decode
from hepar.imaging.errors import UnreadableImage
from tests.support.phantom import SIDE_PX, phantom_grey, phantom_hu
from tests.support.pictures import compressed, ct_dataset, dicom_bytes, jpeg_lossless

HALF = (slice(None), slice(0, SIDE_PX // 2))
OVERLAY = np.zeros((SIDE_PX, SIDE_PX), dtype=np.uint16)
OVERLAY[10:90, 20:70] = 0xF000


def ct(container: np.ndarray, bits: int = 12, *, high: int | None = None, signed: bool = False) -> FileDataset:
    """A CT object with the given 16-bit container values."""
    dataset = ct_dataset(phantom_hu())
    dataset.BitsStored, dataset.HighBit = bits, bits - 1 if high is None else high
    dataset.PixelRepresentation = int(signed)
    dataset.RescaleIntercept = "0" if signed else "-1024"
    dataset.RescaleType = "HU"
    dataset.PixelData = container.astype(np.uint16).tobytes()
    return dataset


def unsigned() -> np.ndarray:
    return (phantom_hu() + 1024).astype(np.uint16)


def as_signed(bits: int = 16) -> np.ndarray:
    """Hounsfield units in the lowest bits of 16, the others 0."""
    return (np.clip(phantom_hu(), -(1 << (bits - 1)), (1 << (bits - 1)) - 1) & ((1 << bits) - 1)).astype(np.uint16)


def pixels_of(dataset: FileDataset) -> np.ndarray:
    return decode(dicom_bytes(dataset)).pixels


def test_an_overlay_above_the_stored_bits_is_left_out() -> None:
    assert np.array_equal(pixels_of(ct(unsigned() | OVERLAY)), phantom_grey())
    assert np.array_equal(pixels_of(ct(as_signed(12) | OVERLAY, signed=True)), phantom_grey())


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless, JPEGLosslessSV1])
def test_an_overlay_in_a_compressed_stream_of_16_bits_is_left_out(syntax: UID) -> None:
    container = unsigned() | OVERLAY
    dataset = ct(container, 16)
    if syntax == JPEG2000Lossless:
        dataset.compress(JPEG2000Lossless)
    else:
        stream = jpeg_lossless(container) if syntax == JPEGLosslessSV1 else bytes(encode_array(container))
        compressed(dataset, syntax, stream)
    dataset.BitsStored, dataset.HighBit = 12, 11
    assert np.array_equal(pixels_of(dataset), phantom_grey())


def test_values_in_the_upper_bits_are_shifted_down() -> None:
    shifted = (unsigned() << 4) | (OVERLAY >> 12)
    assert np.array_equal(pixels_of(ct(shifted, 12, high=15)), phantom_grey())
    assert np.array_equal(pixels_of(ct(as_signed(12) << 4, 12, high=15, signed=True)), phantom_grey())


@pytest.mark.parametrize("bits", [12, 13, 16])
def test_signed_values_whose_upper_bits_are_not_extended_are_read(bits: int) -> None:
    assert np.array_equal(pixels_of(ct(as_signed(bits), bits, signed=True)), phantom_grey())


@pytest.mark.parametrize(
    ("bits", "high", "word"),
    [(0, 11, "BitsStored is 0"), (17, 16, "BitsStored is 17"), (12, 9, "HighBit is 9"), (12, 16, "HighBit is 16")],
)
def test_bits_that_contradict_one_another_are_refused(bits: int, high: int, word: str) -> None:
    with pytest.raises(UnreadableImage, match=word):
        pixels_of(ct(unsigned(), bits, high=high))


@pytest.mark.parametrize("name", ["Rows", "Columns", "BitsAllocated", "BitsStored", "PixelRepresentation"])
def test_a_missing_element_is_named(name: str) -> None:
    dataset = ct(unsigned())
    delattr(dataset, name)
    with pytest.raises(UnreadableImage, match=f"{name} is missing"):
        pixels_of(dataset)


def test_a_pixel_representation_that_means_nothing_is_named() -> None:
    dataset = ct(unsigned())
    dataset.PixelRepresentation = 2
    with pytest.raises(UnreadableImage, match="PixelRepresentation is neither 0 nor 1"):
        pixels_of(dataset)


def test_eight_bits_are_read() -> None:
    dataset = ct(unsigned())
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.RescaleIntercept, dataset.PixelData = "0", phantom_grey().tobytes()
    dataset.RescaleSlope = str(250 / 255)[:16]
    assert np.abs(pixels_of(dataset).astype(int) - phantom_grey()).max() <= 1


def padded(value: int, *, signed: bool = False, bits: int = 16) -> tuple[FileDataset, np.ndarray]:
    """The left half is padding; and what is right for it."""
    container = as_signed(bits) if signed else unsigned()
    container[HALF] = value & 0xFFFF
    expected = phantom_grey().copy()
    expected[HALF] = 0
    return ct(container, bits, signed=signed), expected


def with_padding(dataset: FileDataset, value: int, limit: int | None = None, representation: str = "US") -> FileDataset:
    dataset.add_new("PixelPaddingValue", representation, value)
    if limit is not None:
        dataset.add_new("PixelPaddingRangeLimit", representation, limit)
    return dataset


@pytest.mark.parametrize(
    ("stored", "signed", "stated", "representation"),
    [
        (-2000, True, -2000, "SS"),
        (-2000, True, 63536, "US"),
        (63536, False, 63536, "US"),
        (63536, False, -2000, "SS"),
        (4000, False, 4000, "US"),
        (3000, True, 3000, "SS"),
        (0, False, 0, "US"),
    ],
)
def test_padding_is_black_whatever_its_sign(stored: int, signed: bool, stated: int, representation: str) -> None:
    dataset, expected = padded(stored, signed=signed)
    assert np.array_equal(pixels_of(with_padding(dataset, stated, representation=representation)), expected)


def test_padding_that_needs_more_bits_than_are_stored_is_black_and_hides_nothing_else() -> None:
    dataset, expected = padded(63536, bits=12)
    container = np.frombuffer(dataset.PixelData, dtype=np.uint16).reshape(SIDE_PX, SIDE_PX).copy()
    container[5, 100] = 63536 & 0xFFF
    dataset.PixelData = container.tobytes()
    expected[5, 100] = 255
    assert np.array_equal(pixels_of(with_padding(dataset, 63536)), expected)


@pytest.mark.parametrize("stated", [-2000, 63536, 2096])
def test_padding_in_twelve_signed_bits_is_black(stated: int) -> None:
    dataset, expected = padded(-2000 & 0xFFF, signed=True, bits=12)
    representation = "SS" if stated < 0 else "US"
    assert np.array_equal(pixels_of(with_padding(dataset, stated, representation=representation)), expected)


@pytest.mark.parametrize(("first", "last"), [(3500, 4095), (4095, 3500)])
def test_a_range_of_padding_is_black_in_either_order(first: int, last: int) -> None:
    dataset, expected = padded(0)
    container = np.frombuffer(dataset.PixelData, dtype=np.uint16).reshape(SIDE_PX, SIDE_PX).copy()
    container[HALF] = np.linspace(3500, 4095, SIDE_PX // 2).astype(np.uint16)
    dataset.PixelData = container.tobytes()
    assert np.array_equal(pixels_of(with_padding(dataset, first, last)), expected)


def test_padding_does_not_widen_a_files_own_window() -> None:
    dataset, expected = padded(63536)
    del dataset.RescaleSlope, dataset.RescaleIntercept
    dataset.WindowCenter, dataset.WindowWidth = "1149", "250"
    difference = np.abs(pixels_of(with_padding(dataset, 63536)).astype(int) - expected)
    assert difference[HALF].max() == 0
    assert difference.max() <= 2
    inverted, _ = padded(63536)
    inverted.PhotometricInterpretation = "MONOCHROME1"
    del inverted.RescaleSlope, inverted.RescaleIntercept
    assert (pixels_of(with_padding(inverted, 63536))[HALF] == 0).all()


def test_a_slice_of_nothing_but_padding_is_refused() -> None:
    with pytest.raises(UnreadableImage, match="every pixel is padding"):
        pixels_of(with_padding(ct(unsigned()), 0, 4095))


def test_negative_values_written_as_large_ones_are_refused_where_nothing_declares_them() -> None:
    dataset, _ = padded(63536)
    with pytest.raises(UnreadableImage, match="PixelRepresentation is wrong, or padding"):
        pixels_of(dataset)
    wrong = ct(as_signed(), 16, signed=True)
    wrong.PixelRepresentation = 0
    with pytest.raises(UnreadableImage, match="PixelRepresentation is wrong, or padding"):
        pixels_of(wrong)
