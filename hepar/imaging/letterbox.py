"""Scaling of an image to the input of a network, and of boxes back to the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hepar.imaging.ct_image import GreyImage


@dataclass(frozen=True)
class LetterboxTransform:
    """Position of the image in the network's input.

    left, top: offset of the image's corner, in input pixels.  scale: input pixels per pixel of the display.
    width, height: of the display, in its pixels, which are square.
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
        """Boxes (n, 4) in pixels of the display, as 0 to 1 of the input."""
        size = np.array([self.input_width, self.input_height] * 2, dtype=np.float64)
        offset = np.array([self.left, self.top] * 2)
        return np.asarray((np.asarray(boxes, dtype=np.float64).reshape(-1, 4) * self.scale + offset) / size)


def letterbox(
    pixels: GreyImage, input_height: int, input_width: int, display_size: tuple[float, float] | None = None
) -> tuple[GreyImage, LetterboxTransform]:
    """Scales an image (h, w) to fit a network's input, with square pixels, centred on black.

    display_size: width and height of the image in square pixels; by default its own pixels are square.
    Returns the input, (input_height, input_width) uint8, and where the image lies in it.
    """
    width, height = display_size or (pixels.shape[1], pixels.shape[0])
    scale = min(input_height / height, input_width / width)
    new_width, new_height = max(1, round(width * scale)), max(1, round(height * scale))
    left, top = (input_width - new_width) // 2, (input_height - new_height) // 2
    canvas = np.zeros((input_height, input_width), dtype=np.uint8)
    resized = pixels
    if (new_height, new_width) != pixels.shape:
        resized = np.asarray(Image.fromarray(pixels).resize((new_width, new_height), Image.Resampling.BILINEAR))
    canvas[top : top + new_height, left : left + new_width] = resized
    return canvas, LetterboxTransform(left, top, scale, input_width, input_height, width, height)
