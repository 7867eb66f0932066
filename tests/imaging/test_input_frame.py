"""The part of an image that the networks see, and the way back to the pixels as sent."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hepar.contracts.views import FIELD_MM, View
from hepar.imaging.body import BodyBox, organs_box
from hepar.imaging.ct_image import CtImage
from hepar.imaging.geometry import Geometry, Orientation
from hepar.imaging.input_frame import (
    IMPLAUSIBLE_SPACING,
    ORGANS_WIDTH_MM,
    bodies_of_volume,
    choose_frame,
    frame_of_slices,
)
from hepar.imaging.letterbox import InputFrame, LetterboxTransform, letterbox
from hepar.imaging.prepared import prepare, prepare_slice

SIZE, CLOSER = View(256, 256), View(256, 256, 320.0)
CENTRAL = BodyBox(0.2, 0.25, 0.8, 0.75)
SOME_BODIES = st.tuples(*[st.floats(0, 0.6), st.floats(0, 0.6), st.floats(0.2, 0.4), st.floats(0.2, 0.4)])


def image(
    field_mm: float,
    side_px: int = 512,
    body: BodyBox | None = CENTRAL,
    aspect: float = 1.0,
    turned: Orientation | None = None,
) -> CtImage:
    """field_mm: of its longer side as sent. The display has square pixels."""
    rows = round(side_px / aspect)
    sent = Geometry(side_px, rows, turned or Orientation(), aspect)
    grey = np.full((rows, side_px), 90, dtype=np.uint8)
    width_mm = field_mm / side_px
    pixels = np.ascontiguousarray(sent.orientation.to_display(grey))
    return CtImage(pixels, "DICOM", (width_mm * aspect, width_mm), (), sent.orientation, aspect, body=body)


def transform(of: CtImage) -> LetterboxTransform:
    return prepare(of, {SIZE}, with_preview=False).inputs[SIZE].transform


@pytest.mark.parametrize(
    ("field_mm", "cropped", "padded"), [(350, False, True), (409.6, False, False), (500, True, False)]
)
def test_the_networks_see_the_training_scale(field_mm: float, cropped: bool, padded: bool) -> None:
    scale = prepare(image(field_mm), {SIZE}, with_preview=False).scale
    assert (scale.mm_per_pixel, scale.source) == (1.6, "file")
    assert (scale.cropped, scale.padded) == (cropped, padded)


def test_a_smaller_image_is_whole_and_black_surrounds_it() -> None:
    seen = prepare(image(320), {SIZE}, with_preview=False).inputs[SIZE]
    assert np.count_nonzero(seen.pixels) == 200 * 200
    assert (seen.transform.left, seen.transform.top) == (28, 28)


def test_a_body_at_the_edge_is_whole_and_the_input_stays_within_the_image() -> None:
    placed = transform(image(600, body=BodyBox(0.0, 0.5, 0.5, 1.0)))
    assert (placed.left, placed.top) == pytest.approx((0, 256 - 600 / 1.6), abs=0.001)


def test_a_body_larger_than_the_training_images_is_shrunk_as_little_as_it_takes() -> None:
    of = image(600, body=BodyBox(0.1, 0.2, 0.9, 0.8))
    scale = prepare(of, {SIZE}, with_preview=False).scale
    assert scale.mm_per_pixel == pytest.approx(480 / 256, abs=0.001)
    placed = transform(of)
    assert placed.to_input(np.array([[51.2, 0, 460.8, 512]]))[0, [0, 2]] == pytest.approx((0, 1), abs=1e-6)


@given(SOME_BODIES, st.floats(200, 900), st.sampled_from([128, 300, 512]))
@settings(max_examples=60)
def test_a_body_is_never_cut(corners: tuple[float, ...], field_mm: float, side_px: int) -> None:
    x_min, y_min, width, height = corners
    placed = transform(image(field_mm, side_px, BodyBox(x_min, y_min, x_min + width, y_min + height)))
    box = np.array([[x_min, y_min, x_min + width, y_min + height]]) * side_px
    half_a_pixel = 0.5 / 256
    seen = placed.to_input(box)[0]
    assert seen.min() >= -half_a_pixel
    assert seen.max() <= 1 + half_a_pixel


@given(
    SOME_BODIES,
    st.floats(200, 900),
    st.floats(0.5, 2.0),
    st.builds(Orientation, st.booleans(), st.booleans(), st.booleans()),
    st.tuples(st.floats(0.0, 0.7), st.floats(0.0, 0.7)),
)
@settings(max_examples=60)
def test_boxes_return_to_the_pixels_as_sent(
    corners: tuple[float, ...], field_mm: float, aspect: float, turned: Orientation, place: tuple[float, float]
) -> None:
    """What lies in the input comes back exactly; what lies outside of it comes back clipped to what is shown."""
    x_min, y_min, width, height = corners
    of = image(field_mm, 512, BodyBox(x_min, y_min, x_min + width, y_min + height), aspect, turned)
    geometry, placed = of.geometry, transform(of)
    x, y = place[0] * geometry.width, place[1] * geometry.height
    sent = np.array([[x, y, x + 0.2 * geometry.width, y + 0.2 * geometry.height]])
    in_input = placed.to_input(geometry.boxes_to_display(sent))
    assert geometry.boxes_to_sent(placed.to_display(in_input)) == pytest.approx(sent, abs=1e-6)


@given(
    SOME_BODIES,
    st.floats(250, 900),
    st.floats(0.7, 1.5),
    st.builds(Orientation, st.booleans(), st.booleans(), st.booleans()),
)
@settings(max_examples=30)
def test_pixels_lie_where_the_transform_says(
    corners: tuple[float, ...], field_mm: float, aspect: float, turned: Orientation
) -> None:
    """A bright rectangle of the image as sent is found in the network's input, and its bounds come back."""
    x_min, y_min, width, height = corners
    of = image(field_mm, 300, BodyBox(x_min, y_min, x_min + width, y_min + height), aspect, turned)
    geometry = of.geometry
    raster = np.zeros((geometry.height, geometry.width), dtype=np.uint8)
    sent = np.array([[90, 60, 150, 110]])
    raster[60:110, 90:150] = 255
    pixels = np.ascontiguousarray(turned.to_display(raster))
    seen = prepare(
        CtImage(pixels, "DICOM", of.spacing_mm, (), turned, of.pixel_aspect, body=of.body), {SIZE}, with_preview=False
    )
    grey, placed = seen.inputs[SIZE].pixels, seen.inputs[SIZE].transform
    expected = placed.to_input(geometry.boxes_to_display(sent))[0]
    assume(expected.min() > 0.02 and expected.max() < 0.98)
    rows, columns = np.nonzero(grey > 127)
    bounds = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    assert bounds == pytest.approx(expected * 256, abs=1.01)


@pytest.mark.parametrize("spacing_mm", [0.01, 5.0])
def test_an_implausible_spacing_is_not_believed(spacing_mm: float) -> None:
    chosen = choose_frame(image(512 * spacing_mm))
    assert (chosen.frame, chosen.source, chosen.warnings) == (None, "unknown", (IMPLAUSIBLE_SPACING,))


def picture(organs_px: int, width: int = 600) -> CtImage:
    grey = np.zeros((400, width), dtype=np.uint8)
    start = (width - organs_px) // 2
    grey[100:300, start : start + organs_px] = 100
    return CtImage(grey, "PNG")


def test_without_a_spacing_the_scale_is_estimated_from_the_width_of_the_organs() -> None:
    scale = prepare(picture(500), {SIZE}, with_preview=False).scale
    assert scale.mm_per_pixel == pytest.approx(ORGANS_WIDTH_MM / 500 * 600 / 256, rel=0.02)
    assert (scale.source, scale.cropped, scale.padded) == ("estimated", False, True)
    black = CtImage(np.zeros((600, 600), np.uint8), "PNG")
    assert prepare(black, {SIZE}, with_preview=False).scale.source == "unknown"


@pytest.mark.parametrize(("organs_px", "field_mm", "is_used"), [(590, 344, True), (450, 451, False), (300, 676, True)])
def test_an_estimate_is_used_where_the_field_of_view_is_surely_another(
    organs_px: int, field_mm: float, is_used: bool
) -> None:
    scale = prepare(picture(organs_px), {SIZE}, with_preview=False).scale
    assert scale.source == "estimated"
    assert scale.mm_per_pixel == pytest.approx(1.6 if is_used else field_mm / 256, rel=0.03)
    assert scale.cropped == (is_used and field_mm > 410)


@pytest.mark.parametrize("organs_px", [60, 130])
def test_no_scale_is_estimated_from_a_few_pixels_or_for_a_giant_image(organs_px: int) -> None:
    scale = prepare(picture(organs_px, 90 if organs_px < 100 else 600), {SIZE}, with_preview=False).scale
    assert (scale.mm_per_pixel, scale.source, scale.cropped) == (None, "unknown", False)


def test_a_volume_has_one_frame_around_the_bodies_of_its_slices() -> None:
    hu = np.full((30, 128, 128), -1000, dtype=np.int16)
    hu[:10, 40:90, 10:120] = 40  # shoulders
    hu[10:, 40:90, 40:90] = 40
    bodies = bodies_of_volume(hu, 5.0)
    assert sorted(bodies) == list(range(0, 30, 2))
    shoulders = frame_of_slices(bodies, 0, 29, (128, 128), 4.5)
    below = frame_of_slices(bodies, 14, 20, (128, 128), 4.5)
    assert shoulders is not None
    assert below is not None
    assert shoulders.side == pytest.approx(110, abs=2)
    assert below.side == pytest.approx(FIELD_MM / 4.5, abs=0.01)
    assert (below.centre_x, below.centre_y) == pytest.approx((65, 65), abs=1)
    between = frame_of_slices(bodies, 15, 15, (128, 128), 4.5)
    assert between is not None
    assert between.side == below.side, "the body of the nearest slice"
    assert frame_of_slices({}, 0, 29, (128, 128), 4.5) is None
    assert frame_of_slices(bodies, 0, 29, (128, 128), 0.1) is None


def test_a_slice_is_seen_as_the_image_of_it_is() -> None:
    of = image(500)
    frame = choose_frame(of).frame
    assert frame is not None
    sent = InputFrame.parse(frame.text)
    seen = prepare_slice(of.pixels, {SIZE}, sent).inputs[SIZE]
    assert np.array_equal(seen.pixels, prepare(of, {SIZE}, with_preview=False).inputs[SIZE].pixels)
    assert seen.transform.left == pytest.approx(transform(of).left, abs=0.001)


@given(
    st.floats(-500, 1500), st.floats(-500, 1500), st.floats(1, 5000), st.sampled_from([(64, 64), (64, 128), (96, 40)])
)
@settings(max_examples=40)
def test_any_frame_gives_an_input_of_the_size(x: float, y: float, side: float, size: tuple[int, int]) -> None:
    grey, placed = letterbox(np.full((200, 300), 80, dtype=np.uint8), *size, None, InputFrame(x, y, side))
    assert grey.shape == size
    assert grey.max() == 80
    assert placed.scale == pytest.approx(min(size) / side)


def ellipse_image(
    field_mm: float | None, centre: tuple[float, float], radii: tuple[float, float], *, sides_known: bool = False
) -> CtImage:
    """Organs of grey 120 on black. centre, radii: x and y, shares of the image.  field_mm: None for a PNG file."""
    y, x = (np.mgrid[:256, :256] + 0.5) / 256
    inside = ((x - centre[0]) / radii[0]) ** 2 + ((y - centre[1]) / radii[1]) ** 2 <= 1
    grey = np.where(inside, 120, 0).astype(np.uint8)
    if field_mm is None:
        return CtImage(grey, "PNG")
    body = BodyBox(
        max(0.0, centre[0] - radii[0] - 0.05),
        max(0.0, centre[1] - radii[1] - 0.05),
        min(1.0, centre[0] + radii[0] + 0.05),
        min(1.0, centre[1] + radii[1] + 0.05),
    )
    return CtImage(grey, "DICOM", (field_mm / 256, field_mm / 256), sides_known=sides_known, body=body)


ELLIPSES = st.tuples(
    st.one_of(st.none(), st.floats(250, 900)),
    st.tuples(st.floats(0.3, 0.7), st.floats(0.3, 0.7)),
    st.tuples(st.floats(0.1, 0.3), st.floats(0.1, 0.3)),
)


@given(ELLIPSES)
@settings(max_examples=25)
def test_a_closer_view_shows_all_organs_at_its_scale_and_boxes_return_from_it(
    drawn: tuple[float | None, tuple[float, float], tuple[float, float]],
) -> None:
    of = ellipse_image(*drawn)
    organs = organs_box(of.pixels)
    assert organs is not None
    inputs = prepare(of, {SIZE, CLOSER}, with_preview=False).inputs
    wide, closer = inputs[SIZE].transform, inputs[CLOSER].transform
    box = np.array([[organs.x_min, organs.y_min, organs.x_max, organs.y_max]]) * 256
    half_a_pixel = 0.5 / 256
    for placed in (wide, closer):
        seen = placed.to_input(box)
        assert seen.min() >= -half_a_pixel
        assert seen.max() <= 1 + half_a_pixel
        assert placed.to_display(seen) == pytest.approx(box, abs=1e-6)
    extent = max(box[0, 2] - box[0, 0], box[0, 3] - box[0, 1])
    field_mm = drawn[0]
    wanted = 320 / field_mm * 256 if field_mm else 320 / FIELD_MM * 256 / wide.scale
    assert 256 / closer.scale == pytest.approx(min(max(wanted, extent), 256 / wide.scale), abs=0.01)
    rows, columns = np.nonzero(inputs[CLOSER].pixels > 60)
    shown = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]]) / 256
    y, x = np.nonzero(of.pixels)
    assert closer.to_display(shown)[0] == pytest.approx([x.min(), y.min(), x.max() + 1, y.max() + 1], abs=2.1)


def test_the_scale_names_the_widest_and_the_closest_view() -> None:
    of = ellipse_image(500, (0.5, 0.5), (0.25, 0.25))
    scale = prepare(of, {SIZE, CLOSER}, with_preview=False).scale
    assert (scale.mm_per_pixel, scale.closest_mm_per_pixel) == (1.6, 1.25)
    assert prepare(of, {SIZE}, with_preview=False).scale.closest_mm_per_pixel == 1.6


@pytest.mark.parametrize(("width_mm", "shown_mm"), [(300, 300), (360, 320), (390, 320), (440, 440)])
def test_a_closer_view_shows_the_right_side_of_organs_that_are_a_little_wider(width_mm: int, shown_mm: int) -> None:
    """Of much wider ones, which hold arms, all is shown."""
    of = ellipse_image(512, (0.5, 0.5), (width_mm / 1024, 0.2), sides_known=True)
    placed = prepare(of, {CLOSER}, with_preview=False).inputs[CLOSER].transform
    box = (np.array([[256 - width_mm / 2, 256, 256 + width_mm / 2, 257]])) / 2
    x_min, _, x_max, _ = placed.to_input(box)[0]
    assert (min(x_max, 1) - x_min) * 256 / placed.scale * 2 == pytest.approx(shown_mm, abs=7)
    assert -0.01 < x_min < (0.01 if shown_mm > 300 else 0.1)


def test_a_slice_has_the_closer_view_of_the_image_of_it() -> None:
    """The study worker sends the frame and the size of a pixel."""
    of = ellipse_image(500, (0.4, 0.5), (0.35, 0.2), sides_known=True)
    frame = choose_frame(of).frame
    seen = prepare_slice(of.pixels, {SIZE, CLOSER}, frame, 500 / 256).inputs
    alone = prepare(of, {SIZE, CLOSER}, with_preview=False).inputs
    for view in (SIZE, CLOSER):
        assert np.array_equal(seen[view].pixels, alone[view].pixels)
        assert seen[view].transform == alone[view].transform


def test_without_organs_a_closer_view_shows_what_the_others_do() -> None:
    inputs = prepare(CtImage(np.zeros((64, 64), np.uint8), "PNG"), {SIZE, CLOSER}, with_preview=False).inputs
    assert inputs[CLOSER].transform == inputs[SIZE].transform
