from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from hepar.contracts.analyses import Box
from hepar.imaging import decode
from hepar.imaging.annotation import annotated_png
from hepar.imaging.decoding import PICTURE_BYTES_MAX
from hepar.imaging.errors import ImageError, ImageTooLarge, UnreadableImage, UnsupportedImage
from hepar.imaging.letterbox import letterbox
from hepar.imaging.prepared import make_preview
from tests.support.pictures import encoded, gradient, png_header_only


def test_a_grey_png_keeps_its_pixels() -> None:
    image = decode(encoded(gradient(40, 60)))
    assert (image.geometry.width, image.geometry.height, image.format, image.spacing_mm, image.warnings) == (
        60,
        40,
        "PNG",
        None,
        (),
    )
    assert (image.pixels == gradient(40, 60)).all()


def test_sixteen_bit_grey_is_scaled_to_eight() -> None:
    sixteen = gradient().astype(np.uint16) << 8
    assert (decode(encoded(sixteen)).pixels == gradient()).all()


def test_a_jpeg_is_read_as_grey() -> None:
    image = decode(encoded(gradient(), "JPEG", quality=95))
    assert image.format == "JPEG"
    assert np.abs(image.pixels.astype(int) - gradient()).max() <= 3


@pytest.mark.parametrize("form", ["TIFF", "BMP"])
def test_other_lossless_pictures_keep_their_pixels(form: str) -> None:
    image = decode(encoded(gradient(40, 60), form))
    assert image.format == form
    assert np.array_equal(image.pixels, gradient(40, 60))


def test_a_webp_is_read_as_grey() -> None:
    image = decode(encoded(gradient(), "WEBP", lossless=True))
    assert image.format == "WEBP"
    assert np.abs(image.pixels.astype(int) - gradient()).max() <= 2


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_sixteen_bits_with_twelve_used_are_read_as_twelve(form: str) -> None:
    image = decode(encoded(gradient().astype(np.uint16) << 4, form))
    assert np.array_equal(image.pixels, gradient())
    assert "12 of its 16 bits" in image.warnings[0]
    assert np.array_equal(decode(encoded(gradient().astype(np.uint16) << 8, form)).pixels, gradient())


def test_transparent_pixels_are_black_and_palettes_are_resolved() -> None:
    grey = gradient()
    alpha = np.full_like(grey, 255)
    alpha[:32] = 0
    see_through = Image.merge("LA", [Image.fromarray(grey), Image.fromarray(alpha)])
    buffer = io.BytesIO()
    see_through.save(buffer, "PNG")
    image = decode(buffer.getvalue())
    assert (image.pixels[:32] == 0).all()
    assert np.abs(image.pixels[32:].astype(int) - grey[32:]).max() <= 1
    buffer = io.BytesIO()
    Image.fromarray(255 - grey).convert("P").save(buffer, "PNG")
    assert np.array_equal(decode(buffer.getvalue()).pixels, 255 - grey)


@pytest.mark.parametrize("form", ["TIFF", "PNG"])
def test_the_first_of_several_pictures_in_a_file_is_read(form: str) -> None:
    buffer = io.BytesIO()
    pages = [Image.fromarray(gradient()), Image.fromarray(255 - gradient())]
    pages[0].save(buffer, form, save_all=True, append_images=pages[1:])
    image = decode(buffer.getvalue())
    assert np.array_equal(image.pixels, gradient())
    assert image.warnings == ("The file has 2 pictures; the first was read.",)


def test_a_cmyk_jpeg_is_read_as_grey() -> None:
    buffer = io.BytesIO()
    Image.fromarray(gradient()).convert("RGB").convert("CMYK").save(buffer, "JPEG", quality=95)
    image = decode(buffer.getvalue())
    assert np.abs(image.pixels.astype(int) - gradient()).max() < 8
    assert image.warnings == ()
    with pytest.raises(UnreadableImage):
        decode(buffer.getvalue()[:-300] + b"\xff\xd9")


@pytest.mark.parametrize("value", [np.nan, 1e30, 0.5])
def test_floating_point_pictures_are_rejected(value: float) -> None:
    values = gradient().astype(np.float32)
    values[0, 0] = value
    with pytest.raises(UnsupportedImage, match="floating-point"):
        decode(encoded(values, "TIFF"))


def test_more_than_sixteen_bits_are_rejected() -> None:
    with pytest.raises(UnsupportedImage, match="more than 16 bits"):
        decode(encoded(gradient().astype(np.int32) * 100_000, "TIFF"))


def test_a_frame_number_is_rejected_for_other_formats_than_dicom() -> None:
    with pytest.raises(UnsupportedImage, match="frames"):
        decode(encoded(gradient()), frame=1)


FORMS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP")


@pytest.mark.parametrize("form", FORMS)
def test_a_truncated_picture_is_rejected_or_read(form: str) -> None:
    whole = encoded(gradient(96, 96), form)
    for end in range(0, len(whole), 64):
        try:
            assert decode(whole[:end]).geometry.width == 96
        except ImageError as error:
            assert str(error)  # noqa: PT017  either outcome is right, a third is not


def test_a_coloured_picture_is_read_with_a_warning_and_a_grey_rgb_one_without() -> None:
    coloured = np.zeros((64, 64, 3), dtype=np.uint8)
    coloured[..., 0] = gradient()
    assert "coloured" in decode(encoded(coloured)).warnings[0]
    assert decode(encoded(np.repeat(gradient()[..., None], 3, axis=2))).warnings == ()


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", UnsupportedImage),
        (b"just some text, no picture at all", UnsupportedImage),
        (encoded(gradient(), "GIF"), UnsupportedImage),
        (encoded(gradient())[:60], UnreadableImage),
        (encoded(gradient(), "JPEG")[:200], UnreadableImage),
        (encoded(np.full((64, 64), 77, dtype=np.uint8)), UnreadableImage),
        (encoded(gradient(20, 20)), UnreadableImage),
        (png_header_only(40_000, 64), ImageTooLarge),
        (png_header_only(10_000, 10_000), ImageTooLarge),
        (png_header_only(16_000, 16_000), ImageTooLarge),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * PICTURE_BYTES_MAX, ImageTooLarge),
    ],
    ids=[
        "empty", "text", "gif", "truncated png", "truncated jpeg", "flat", "tiny", "wide", "bomb", "huge bomb", "bytes",
    ],
)  # fmt: skip
def test_invalid_pictures_are_rejected_with_a_reason(content: bytes, error: type[ImageError]) -> None:
    with pytest.raises(error):
        decode(content)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_damaged_files_raise_only_image_errors(data: st.DataObject) -> None:
    whole = bytearray(data.draw(st.sampled_from([encoded(gradient(), form) for form in FORMS])))
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert decode(bytes(whole)).pixels.size > 0
    except ImageError as error:
        assert str(error)  # noqa: PT017  either outcome is right, a third is not


def test_letterboxing_keeps_the_aspect_ratio_and_boxes_are_mapped_back() -> None:
    pixels, placement = letterbox(gradient(100, 200), 64, 64)
    assert pixels.shape == (64, 64)
    assert (pixels[:16] == 0).all()
    assert (pixels[48:] == 0).all()
    whole = placement.to_display(np.array([[0.0, 0.25, 1.0, 0.75]]))
    assert whole == pytest.approx(np.array([[0, 0, 200, 100]]))
    outside = placement.to_display(np.array([[0.0, 0.0, 0.5, 1.0]]))
    assert outside == pytest.approx(np.array([[0, 0, 100, 100]]))


def test_letterboxing_an_image_of_the_input_size_changes_nothing() -> None:
    pixels, placement = letterbox(gradient(), 64, 64)
    assert (pixels == gradient()).all()
    assert placement.to_display(np.array([0.25, 0.5, 0.75, 1.0])).tolist() == [[16, 32, 48, 64]]


def test_the_annotated_image_shows_the_box_and_no_metadata_of_the_source() -> None:
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "Jane Doe"
    Image.fromarray(gradient()).save(buffer, "JPEG", exif=exif)
    box = Box(
        x_min=16,
        y_min=16,
        x_max=48,
        y_max=48,
        label="metastasis",
        score=0.9,
        detectors=["a"],
        size_px=(32, 32),
        size_mm=None,
        longest_diameter_px=32,
        longest_diameter_mm=None,
        liver_share=None,
        inside_liver=None,
        outline=None,
    )
    content = annotated_png(make_preview(decode(buffer.getvalue())), [box], "a headline")
    picture = Image.open(io.BytesIO(content))
    assert picture.size == (768, 768 + 56)
    assert picture.getpixel((16 * 12, 16 * 12 + 28)) == (0x2E, 0xC4, 0xFF)
    assert b"Jane Doe" not in content
    assert picture.info == {}
