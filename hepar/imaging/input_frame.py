"""Which part of an image the networks see: where the spacing is known, the one that they were trained on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hepar.contracts.views import FIELD_MM, View
from hepar.imaging.body import TISSUE_HU, WHOLE_IMAGE, BodyBox, body_box, organs_box, united
from hepar.imaging.ct_image import CtImage
from hepar.imaging.letterbox import InputFrame, LetterboxTransform

ORGANS_WIDTH_MM = 338.0
"""What `organs_box` is wide in the training images: the median, which `python -m training scale` prints."""
IMAGE_MM_MIN, IMAGE_MM_MAX = 150.0, 1000.0
"""The longer side of an image of the abdomen; outside of these limits the file's spacing is not believed."""
BODY_DISTANCE_MM = 10.0
"""Between two slices of a volume whose body is looked for."""

_ESTIMATE_FACTOR = 1.15
_ORGANS_PX_MIN = 100
"""In a picture with fewer pixels across, the organs tell no scale."""
_ROUNDING = 1e-6
_SHRUNK_FROM_MM = 1.65
_LEFT_SHARE = 0.2
IMPLAUSIBLE_SPACING = (
    "The file's pixel spacing is implausible for a slice of the abdomen; the networks see the whole image."
)

ScaleSource = Literal["file", "estimated", "unknown"]


@dataclass(frozen=True)
class InputScale:
    """Of the input that shows most; of several, of the largest.

    mm_per_pixel: None where it is unknown.  cropped: whether a part of the image is not shown.
    padded: whether black was added.  closest_mm_per_pixel: of the input that shows least, None as `mm_per_pixel` is.
    """

    mm_per_pixel: float | None
    source: ScaleSource
    cropped: bool
    padded: bool
    closest_mm_per_pixel: float | None = None


@dataclass(frozen=True)
class ChosenFrame:
    """frame: of FIELD_MM; None for the whole image.  warnings: see CtImage.

    pixel_mm: side of a pixel of the display; None where it is unknown.
    """

    frame: InputFrame | None
    pixel_mm: float | None
    source: ScaleSource
    warnings: tuple[str, ...] = ()

    def of_field(self, image: CtImage, field_mm: float) -> InputFrame | None:
        """`field_mm` around the organs, or the smallest larger square that holds all of them.

        Where the patient's sides are known and the organs are a little wider than the field, the part at the patient's
        right is shown, where the liver is (docs/decisions/0079). Without a stated spacing, what `frame` shows is taken
        for FIELD_MM. Never more than `frame` shows, and the same where no organs are seen.
        """
        organs = None if field_mm == FIELD_MM else organs_box(image.pixels)
        if organs is None:
            return self.frame
        size = image.geometry.display_size
        side = max(size) if self.frame is None else self.frame.side
        stated_mm = self.pixel_mm if self.source == "file" else None
        pixel_mm = stated_mm or FIELD_MM / side
        if image.sides_known:
            organs = _right_part(organs, size, field_mm / pixel_mm)
        closer = frame_around(organs, size, pixel_mm, field_mm)
        return closer if closer.side < side else self.frame

    def scale(self, transforms: Mapping[View, LetterboxTransform]) -> InputScale:
        """transforms: of all inputs; without any, nothing is cropped or padded, and the scale is unknown."""
        if not transforms:
            return InputScale(None, "unknown", cropped=False, padded=False)
        by_field = sorted(transforms, key=lambda view: (view.field_mm, view.height * view.width))
        closest, widest = transforms[by_field[0]], transforms[by_field[-1]]
        return InputScale(
            self._mm(widest), self.source, widest.cropped, widest.padded, closest_mm_per_pixel=self._mm(closest)
        )

    def _mm(self, transform: LetterboxTransform) -> float | None:
        return None if self.pixel_mm is None else round(self.pixel_mm / transform.scale, 3)


def shrunk_warning(scale: InputScale) -> tuple[str, ...]:
    """Empty where the networks see the scale that they were trained on, or one that nobody stated."""
    if scale.source != "file" or scale.mm_per_pixel is None or scale.mm_per_pixel < _SHRUNK_FROM_MM:
        return ()
    seen = f"{scale.mm_per_pixel:.2f}"
    return (f"The body is larger than the training images; the networks saw {seen} mm per pixel instead of 1.6.",)


def choose_frame(image: CtImage) -> ChosenFrame:
    """Around the body, by the file's spacing or else by the width of the organs; the whole image without both."""
    display_size = image.geometry.display_size
    if image.spacing_mm is None:
        return _estimated_frame(image)
    pixel_mm = min(image.spacing_mm)
    if not _is_plausible(display_size, pixel_mm):
        return ChosenFrame(None, None, "unknown", (IMPLAUSIBLE_SPACING,))
    body = image.body or organs_box(image.pixels) or WHOLE_IMAGE
    return ChosenFrame(frame_around(body, display_size, pixel_mm), pixel_mm, "file")


def _estimated_frame(image: CtImage) -> ChosenFrame:
    """The whole image where its size may be that of the training images: patients differ by 13 % in their width.

    Elsewhere the estimate is better than nothing: docs/training-log.md has the figures.
    """
    width, height = image.geometry.display_size
    organs = organs_box(image.pixels)
    organs_width_px = (organs.x_max - organs.x_min) * width if organs else 0.0
    if organs is None or organs_width_px < _ORGANS_PX_MIN:
        return ChosenFrame(None, None, "unknown")
    pixel_mm = ORGANS_WIDTH_MM / organs_width_px
    longer_mm = max(width, height) * pixel_mm
    if not _is_plausible((width, height), pixel_mm):
        return ChosenFrame(None, None, "unknown")
    if FIELD_MM / _ESTIMATE_FACTOR <= longer_mm <= FIELD_MM * _ESTIMATE_FACTOR:
        return ChosenFrame(None, pixel_mm, "estimated")
    return ChosenFrame(frame_around(organs, (width, height), pixel_mm), pixel_mm, "estimated")


def _is_plausible(display_size: tuple[float, float], pixel_mm: float) -> bool:
    return IMAGE_MM_MIN <= max(display_size) * pixel_mm <= IMAGE_MM_MAX


def frame_around(
    body: BodyBox, display_size: tuple[float, float], pixel_mm: float, field_mm: float = FIELD_MM
) -> InputFrame:
    """`field_mm` around the body, or the smallest larger square that holds all of it.

    display_size: width and height of the image, in pixels of the display.  pixel_mm: side of one of these.
    In thousandths of a pixel, as the study worker sends a frame: slices and images are seen alike.
    """
    width, height = display_size
    body_width, body_height = (body.x_max - body.x_min) * width, (body.y_max - body.y_min) * height
    side = max(field_mm / pixel_mm, body_width, body_height)
    return InputFrame(
        round((body.x_min + body.x_max) / 2 * width, 3),
        round((body.y_min + body.y_max) / 2 * height, 3),
        math.ceil(side * 1000 - _ROUNDING) / 1000,
    )


def _right_part(organs: BodyBox, display_size: tuple[float, float], field_px: float) -> BodyBox:
    """What a square of field_px, or of the organs' height, shows of them from the patient's right side on.

    All of them where more than _LEFT_SHARE would be left out: the box then holds arms.
    """
    width, height = display_size
    shown = max(field_px, (organs.y_max - organs.y_min) * height) / width
    if (organs.x_max - organs.x_min) * (1 - _LEFT_SHARE) > shown:
        return organs
    return replace(organs, x_max=min(organs.x_max, organs.x_min + shown))


def bodies_of_volume(hu: NDArray[np.floating] | NDArray[np.int16], slice_spacing_mm: float) -> dict[int, BodyBox]:
    """By slice, where a body is seen; one slice in BODY_DISTANCE_MM. hu: (slices, rows, columns)."""
    step = max(1, int(BODY_DISTANCE_MM / slice_spacing_mm))
    found = {index: body_box(hu[index] > TISSUE_HU) for index in range(0, len(hu), step)}
    return {index: body for index, body in found.items() if body is not None}


def frame_of_slices(
    bodies: Mapping[int, BodyBox], first: int, last: int, display_size: tuple[float, float], pixel_mm: float
) -> InputFrame | None:
    """One frame for the slices from `first` to `last`, around the body in all of them; None where none is seen.

    display_size, pixel_mm: see `frame_around`.
    """
    known = sorted(bodies, key=lambda index: max(first - index, index - last))
    inside = [bodies[index] for index in known if first <= index <= last] or [bodies[index] for index in known[:1]]
    body = united(inside)
    if body is None or not _is_plausible(display_size, pixel_mm):
        return None
    return frame_around(body, display_size, pixel_mm)
