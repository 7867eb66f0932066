"""Scaling of an image to the input of a network, and of boxes back to the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hepar.imaging.ct_image import GreyImage

Extent = tuple[float, float, float, float]
"""Left, top, right and bottom in a raster, in its pixels."""


@dataclass(frozen=True)
class LetterboxTransform:
    """Position of the image in the network's input.

    left, top: offset of the image's corner, in input pixels; negative where the image is cropped.
    scale: input pixels per pixel of the display.  width, height: of the display, in its pixels, which are square.
    """

    left: float
    top: float
    scale: float
    input_width: int
    input_height: int
    width: float
    height: float

    def to_display(self, boxes: NDArray[np.floating]) -> NDArray[np.float64]:
        """Boxes (n, 4), 0 to 1 of the input, in pixels of the display, clipped to it."""
        size = np.array([self.input_width, self.input_height] * 2, dtype=np.float64)
        offset = np.array([self.left, self.top] * 2)
        pixels = (np.asarray(boxes, dtype=np.float64).reshape(-1, 4) * size - offset) / self.scale
        return np.asarray(np.clip(pixels, 0, np.array([self.width, self.height] * 2)))

    def to_input(self, boxes: NDArray[np.floating]) -> NDArray[np.float64]:
        """Boxes (n, 4) in pixels of the display, as 0 to 1 of the input; outside of these where it is cropped."""
        size = np.array([self.input_width, self.input_height] * 2, dtype=np.float64)
        offset = np.array([self.left, self.top] * 2)
        return np.asarray((np.asarray(boxes, dtype=np.float64).reshape(-1, 4) * self.scale + offset) / size)

    @property
    def cropped(self) -> bool:
        """Whether a part of the image lies outside of the input."""
        right, bottom = self._end
        return self.left < 0 or self.top < 0 or round(right) > self.input_width or round(bottom) > self.input_height

    @property
    def padded(self) -> bool:
        """Whether a part of the input lies outside of the image, and is black."""
        right, bottom = self._end
        return self.left > 0 or self.top > 0 or round(right) < self.input_width or round(bottom) < self.input_height

    def whole_image(self, raster: NDArray[np.generic]) -> tuple[NDArray[np.generic], Extent]:
        """A map over the input, enlarged by zeros to hold all of the image, and where the image lies in it.

        raster: (input_height, input_width).
        """
        right, bottom = self._end
        before = [max(0, int(np.ceil(-offset))) for offset in (self.top, self.left)]
        after = [
            max(0, int(np.ceil(end - size))) for end, size in ((bottom, self.input_height), (right, self.input_width))
        ]
        enlarged = np.pad(raster, tuple(zip(before, after, strict=True)))
        return enlarged, (self.left + before[1], self.top + before[0], right + before[1], bottom + before[0])

    @property
    def _end(self) -> tuple[float, float]:
        """The image's right and lower edge in the input."""
        return self.left + self.width * self.scale, self.top + self.height * self.scale


@dataclass(frozen=True)
class InputFrame:
    """The part of the display that a network sees: a square. centre_x, centre_y, side: in pixels of the display.

    It moves towards the image where it would show more outside of the image than it must.
    """

    centre_x: float
    centre_y: float
    side: float

    @property
    def text(self) -> str:
        """As the services send it to one another: see hepar.contracts.slices.FRAME_HEADER."""
        return f"{self.centre_x:.3f} {self.centre_y:.3f} {self.side:.3f}"

    @classmethod
    def parse(cls, text: str) -> InputFrame:
        """text: as above. Raises ValueError."""
        centre_x, centre_y, side = map(float, text.split(" "))
        return cls(centre_x, centre_y, side)


def letterbox(
    pixels: GreyImage,
    input_height: int,
    input_width: int,
    display_size: tuple[float, float] | None = None,
    frame: InputFrame | None = None,
) -> tuple[GreyImage, LetterboxTransform]:
    """Scales an image (h, w), or the part of it in a frame, to a network's input, with square pixels, on black.

    display_size: width and height of the image in square pixels; by default its own pixels are square.
    frame: fills the shorter side of the input; by default the whole image fits, in the middle.
    Returns the input, (input_height, input_width) uint8, and where the image lies in it.
    """
    width, height = display_size or (pixels.shape[1], pixels.shape[0])
    if frame is None:
        frame, scale = InputFrame(width / 2, height / 2, 0), min(input_height / height, input_width / width)
    else:
        scale = min(input_height, input_width) / frame.side
    across = _Axis.of(width, input_width, scale, frame.centre_x)
    down = _Axis.of(height, input_height, scale, frame.centre_y)
    canvas = np.zeros((input_height, input_width), dtype=np.uint8)
    left, top = max(0, round(across.offset)), max(0, round(down.offset))
    canvas[top : top + down.size, left : left + across.size] = _resized(pixels, across, down)
    return canvas, LetterboxTransform(across.offset, down.offset, scale, input_width, input_height, width, height)


@dataclass(frozen=True)
class _Axis:
    """One axis. offset: of the image in the input.  size: of what is shown, in input pixels.

    start, end: what is shown of the image, 0 to 1.
    """

    offset: float
    size: int
    start: float = 0.0
    end: float = 1.0

    @classmethod
    def of(cls, length: float, input_length: int, scale: float, centre: float) -> _Axis:
        """length, centre: of the image and of the frame, in pixels of the display.  scale: see LetterboxTransform."""
        size = max(1, round(length * scale))
        if size <= input_length:
            wanted = input_length / 2 - centre / length * size
            return cls(int(min(max(wanted, 0), input_length - size)), size)
        offset = min(max(input_length / 2 - centre * scale, input_length - length * scale), 0.0)
        shown = [-offset / scale / length, (input_length - offset) / scale / length]
        return cls(offset, input_length, max(shown[0], 0.0), min(shown[1], 1.0))


def _resized(pixels: GreyImage, across: _Axis, down: _Axis) -> GreyImage:
    whole = (across.start, across.end, down.start, down.end) == (0, 1, 0, 1)
    if whole and (down.size, across.size) == pixels.shape:
        return pixels
    rows, columns = pixels.shape
    extent = (across.start * columns, down.start * rows, across.end * columns, down.end * rows)
    enlarged = across.size > extent[2] - extent[0]
    method = Image.Resampling.BICUBIC if enlarged else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(pixels).resize((across.size, down.size), method, box=extent))
