"""Compressed data of the right length in which a part is zeros, as an interrupted copy leaves it."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom.uid import JPEG2000Lossless

from hepar.imaging import decode
from hepar.imaging.errors import UnreadableImage
from hepar.imaging.zeroed_data import MIN_ZEROS
from tests.imaging.test_compressed_frames import FRAMES, ct_of, whole_frame
from tests.support.phantom import phantom_grey, phantom_hu
from tests.support.pictures import compressed, ct_dataset, dicom_bytes, encoded

PLACES = (0.5, 0.6, 0.75, 0.9)
"""In the pixels, not in the tables before them."""
PICTURES: dict[str, dict[str, Any]] = {
    "jpeg": {"form": "JPEG", "quality": 95},
    "jpeg with its own tables": {"form": "JPEG", "quality": 95, "optimize": True},
    "progressive jpeg": {"form": "JPEG", "quality": 95, "progressive": True},
    "jpeg with restart markers": {"form": "JPEG", "quality": 95, "restart_marker_rows": 1},
    "coloured jpeg": {"form": "JPEG", "quality": 95},
    "png": {"form": "PNG"},
    "deflated tiff": {"form": "TIFF", "compression": "tiff_adobe_deflate"},
    "jpeg in tiff": {"form": "TIFF", "compression": "jpeg"},
}


def zeroed(whole: bytes, place: float, count: int = 2 * MIN_ZEROS) -> bytes:
    start = int(len(whole) * place) - count // 2
    return whole[:start] + bytes(count) + whole[start + count :]


def picture(name: str) -> bytes:
    grey = phantom_grey()
    pixels = np.repeat(grey[..., None], 3, axis=2) if "coloured" in name else grey
    return encoded(pixels, **PICTURES[name])


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", FRAMES)
def test_a_zeroed_part_of_a_compressed_frame_is_refused(name: str, place: float) -> None:
    with pytest.raises(UnreadableImage, match="damaged"):
        decode(dicom_bytes(ct_of(name, zeroed(whole_frame(name), place))))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", PICTURES)
def test_a_zeroed_part_of_a_picture_is_refused(name: str, place: float) -> None:
    whole = picture(name)
    assert decode(whole).pixels.shape == phantom_grey().shape
    with pytest.raises(UnreadableImage, match="damaged"):
        decode(zeroed(whole, place))


def test_even_a_few_bytes_of_a_deflated_tiff_are_checked() -> None:
    whole = picture("deflated tiff")
    for place in PLACES:
        with pytest.raises(UnreadableImage, match="damaged"):
            decode(zeroed(whole, place, count=2))


def mostly_even(side_px: int, background: int) -> np.ndarray:
    pixels = np.full((side_px, side_px), background, dtype=np.uint8)
    middle = slice(side_px // 2, side_px // 2 + 100)
    pixels[middle, middle] = np.random.default_rng(3).integers(0, 256, (100, 100))
    return pixels


@pytest.mark.parametrize("background", [0, 128, 255])
@pytest.mark.parametrize("name", [name for name in PICTURES if "jpeg" in name])
@pytest.mark.parametrize("quality", [40, 100])
def test_a_picture_that_is_mostly_even_is_read(name: str, background: int, quality: int) -> None:
    pixels = mostly_even(2_048, background)
    shown = np.repeat(pixels[..., None], 3, axis=2) if "coloured" in name else pixels
    options: dict[str, Any] = PICTURES[name] | {"quality": quality}
    assert decode(encoded(shown, **options)).pixels.shape == pixels.shape


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"precinct_size": (128, 128), "codeblock_size": (32, 32), "progression": "RLCP"},
        {"irreversible": True, "quality_mode": "rates", "quality_layers": [400, 200, 100, 50, 20, 10]},
        {"tile_size": (128, 128)},
    ],
)
def test_a_jpeg_2000_frame_that_is_mostly_even_is_read(options: dict[str, Any]) -> None:
    pixels = mostly_even(512, 0)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG2000", no_jp2=True, **options)
    dataset = ct_dataset(np.zeros((512, 512), dtype=np.int32))
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = 7, "1", "0", "HU"
    assert decode(dicom_bytes(compressed(dataset, JPEG2000Lossless, buffer.getvalue()))).pixels.shape == (512, 512)


def test_the_limit_a_zeroed_part_of_a_webp_picture_is_not_noticed() -> None:
    """docs/operations says so: WebP has no checksum, and its encoders write zeros for even areas."""
    whole = encoded(phantom_grey(), "WEBP", quality=95)
    assert not np.array_equal(decode(zeroed(whole, 0.5)).pixels, decode(whole).pixels)


def test_zeros_in_metadata_are_no_damage() -> None:
    whole = encoded(phantom_grey(), "JPEG", quality=95, comment=bytes(4 * MIN_ZEROS))
    assert decode(whole).pixels.shape == phantom_hu().shape
