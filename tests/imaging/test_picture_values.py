"""Grey levels of pictures: which end is black, what is transparent, and how 16 bits are read or refused."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from hepar.imaging import CtImage, Window, decode
from hepar.imaging.errors import UnreadableImage, UnsupportedImage
from hepar.imaging.sixteen_bits import narrowest_half
from tests.support.phantom import phantom_grey, phantom_hu
from tests.support.pictures import encoded, gradient
from tests.support.raw_pictures import chunk, png, tiff

WINDOWS = [Window(0, 250), Window(-160, 240), Window(-100, 400), Window(-125, 225)]
TRANSPARENT = (slice(0, 40), slice(0, 40))


def scaled(window: Window, full: int) -> np.ndarray:
    """The phantom in a window, 0 to `full`."""
    relative = (phantom_hu() - window.low_hu) / (window.high_hu - window.low_hu)
    return np.asarray(np.clip(np.rint(relative * full), 0, full), dtype=np.int64)


def stored(image: Image.Image, form: str = "PNG", **options: object) -> CtImage:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return decode(buffer.getvalue())


@pytest.mark.parametrize(("big", "byte_order"), [(False, "<"), (False, ">"), (True, "<")])
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 12, 16])
def test_a_tiff_where_white_is_zero_is_turned_at_every_depth(bits: int, big: bool, byte_order: str) -> None:
    full = (1 << bits) - 1
    container = 16 if bits == 12 else bits
    values = scaled(Window(0, 250), full)
    plain = decode(tiff(values, container, big=big, byte_order=byte_order))
    turned = decode(tiff((1 << container) - 1 - values, container, white_is_zero=True, big=big, byte_order=byte_order))
    assert plain.format == "TIFF"
    assert np.array_equal(turned.pixels, plain.pixels)
    assert np.abs(plain.pixels.astype(int) - phantom_grey()).max() <= 256 >> min(bits, 7)


def test_a_tiff_with_alpha_where_white_is_zero_is_turned() -> None:
    alpha = np.full_like(phantom_grey(), 255)
    alpha[:20] = 0
    image = decode(tiff(np.dstack([255 - phantom_grey(), alpha]), 8, white_is_zero=True))
    assert np.array_equal(image.pixels, np.where(alpha, phantom_grey(), 0))


def test_a_big_endian_bigtiff_is_named() -> None:
    with pytest.raises(UnsupportedImage, match="BigTIFF in big-endian byte order"):
        decode(tiff(scaled(Window(0, 250), 255), 8, big=True, byte_order=">"))


def test_what_is_transparent_is_black_for_every_mode() -> None:
    grey = phantom_grey().copy()
    white = grey == 255
    expected = np.where(white, 0, grey)
    image = Image.fromarray(grey)
    alpha = Image.fromarray(np.where(white, 0, 255).astype(np.uint8))
    rgb = image.convert("RGB")
    palette = Image.frombytes("P", image.size, grey.tobytes())
    palette.putpalette([level for level in range(256) for _ in range(3)])
    cases = {
        "L with tRNS": stored(image, transparency=255),
        "RGB with tRNS": stored(rgb, transparency=(255, 255, 255)),
        "P with one index": stored(palette, transparency=255),
        "P with alpha per index": stored(palette, transparency=bytes([255] * 255 + [0])),
        "LA": stored(Image.merge("LA", [image, alpha])),
        "RGBA": stored(Image.merge("RGBA", [*rgb.split(), alpha])),
        "WebP": stored(Image.merge("RGBA", [*rgb.split(), alpha]), "WEBP", lossless=True),
        "RGBA TIFF": stored(Image.merge("RGBA", [*rgb.split(), alpha]), "TIFF"),
        "LA TIFF": decode(tiff(np.dstack((grey, np.where(white, 0, 255))), 8)),
    }
    for name, found in cases.items():
        assert np.abs(found.pixels.astype(int) - expected).max() <= 1, name


def test_transparent_values_of_16_bits_and_of_1_bit_are_black() -> None:
    values = scaled(Window(0, 250), 65535)
    full = decode(png(values, 16, chunk(b"tRNS", struct.pack(">H", 65535)))).pixels
    assert np.array_equal(full, np.where(values == 65535, 0, values >> 8))
    one_bit = Image.fromarray(phantom_grey()).convert("1", dither=Image.Dither.NONE)
    assert (stored(one_bit).pixels == 255).any()
    with pytest.raises(UnreadableImage, match="no contrast"):
        stored(one_bit, transparency=1)


@pytest.mark.parametrize("window", WINDOWS)
def test_windows_of_8_12_and_16_bits_in_16_are_read(window: Window) -> None:
    expected = scaled(window, 255)
    for full, words in ((65535, ""), (4095, "uses 12 of its 16 bits"), (255, "uses 8 of its 16 bits")):
        values = scaled(window, full)
        for content in (png(values, 16), tiff(values, 16), tiff(values, 16, byte_order=">")):
            image = decode(content)
            assert np.abs(image.pixels.astype(int) - expected).max() <= 1
            assert words in " ".join(image.warnings)
            assert bool(image.warnings) == bool(words)


@pytest.mark.parametrize("seed", range(8))
def test_the_narrowest_half_tells_windows_from_hounsfield_units(seed: int) -> None:
    hu = phantom_hu(seed)
    for window in WINDOWS:
        relative = (hu - window.low_hu) / (window.high_hu - window.low_hu)
        assert narrowest_half(np.clip(np.rint(relative * 4095), 0, 4095).astype(np.int64), 4095) > 0.055
    assert narrowest_half(hu + 1024, 4095) < 0.045


def with_metal(hu: np.ndarray) -> np.ndarray:
    changed = hu.copy()
    changed[60:64, 60:64] = 12_000
    return changed


HOUNSFIELD = {
    "HU + 1024": phantom_hu() + 1024,
    "HU + 1024 with metal": with_metal(phantom_hu()) + 1024,
    "HU + 1000": np.clip(phantom_hu() + 1000, 0, None),
    "HU + 32768": phantom_hu() + 32768,
    "HU + 32768 with metal": with_metal(phantom_hu()) + 32768,
    "HU + 8192": phantom_hu() + 8192,
    "stretched to the whole range": (phantom_hu() + 1024) * 16,
}


@pytest.mark.parametrize("name", HOUNSFIELD)
def test_hounsfield_units_with_an_offset_are_refused_and_the_reason_says_what_to_do(name: str) -> None:
    values = HOUNSFIELD[name]
    turned = 65535 - values
    for content in (png(values, 16), tiff(values, 16), tiff(turned, 16, white_is_zero=True), tiff(values, 32)):
        with pytest.raises(UnsupportedImage, match=r"hardly uses the range of its 16 bits.*window it first"):
            decode(content)


@pytest.mark.parametrize("bits", [16, 32])
def test_signed_values_are_refused_as_signed(bits: int) -> None:
    with pytest.raises(UnsupportedImage, match=r"signed values.*window them first"):
        decode(tiff(phantom_hu(), bits, signed=True))
    with pytest.raises(UnsupportedImage, match="signed values"):
        decode(tiff(np.clip(phantom_hu(), -128, 127), 8, signed=True))
    windowed = scaled(Window(0, 250), 32767)
    assert decode(tiff(windowed, bits, signed=True)).pixels.max() == 255


@pytest.mark.parametrize("samples", [2, 3, 4])
def test_16_bits_with_alpha_or_colours_are_read_where_they_use_their_range(samples: int) -> None:
    def with_alpha(values: np.ndarray) -> np.ndarray:
        opaque = [np.full_like(values, 65535)] if samples in (2, 4) else []
        return np.dstack([values] * (samples - len(opaque)) + opaque)

    image = decode(png(with_alpha(scaled(Window(0, 250), 65535)), 16))
    assert np.abs(image.pixels.astype(int) - phantom_grey()).max() <= 1
    for values in (scaled(Window(0, 250), 4095), phantom_hu() + 1024, phantom_hu() + 32768):
        with pytest.raises(UnsupportedImage, match="window it first"):
            decode(png(with_alpha(values), 16))


def test_a_kind_of_tiff_that_is_not_read_is_named() -> None:
    with pytest.raises(UnsupportedImage, match="2 x 16 bits of this kind are not read; window it first"):
        decode(tiff(np.dstack([scaled(Window(0, 250), 4095)] * 2), 16))
    with pytest.raises(UnsupportedImage, match="1 x 64 bits of this kind are not read"):
        decode(tiff(scaled(Window(0, 250), 4095), 64, big=True))


def test_a_flat_picture_of_any_depth_is_said_to_be_flat() -> None:
    for content in (encoded(np.full((64, 64), 77, dtype=np.uint8)), png(np.full((64, 64), 30_000), 16)):
        with pytest.raises(UnreadableImage, match="no contrast"):
            decode(content)


def test_a_picture_of_black_and_white_alone_uses_its_range() -> None:
    values = np.where(gradient() > 100, 65535, 0)
    assert set(np.unique(decode(png(values, 16)).pixels)) == {0, 255}
