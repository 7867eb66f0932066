"""From an image of any size to a network's square input, and boxes back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hepar.imaging.ct_image import GreyImage


@dataclass(frozen=True)
class LetterboxTransform:
    """Where the image lies in the network's input, in input pixels: offset of its corner, and its scale."""

    left: float
    top: float
    scale: float
    input_width: int
    input_height: int
    width: int
    height: int

    def to_image(self, boxes: NDArray[np.floating]) -> NDArray[np.float64]:
        """(n, 4) boxes, 0..1 of the input, to pixels of the image, clipped to it."""
        size = np.array([self.input_width, self.input_height] * 2, dtype=np.float64)
        offset = np.array([self.left, self.top] * 2)
        pixels = (np.asarray(boxes, dtype=np.float64).reshape(-1, 4) * size - offset) / self.scale
        return np.asarray(np.clip(pixels, 0, np.array([self.width, self.height] * 2)))

    def to_input(self, boxes: NDArray[np.floating]) -> NDArray[np.float64]:
        """(n, 4) boxes in pixels of the image to 0..1 of the input."""
        size = np.array([self.input_width, self.input_height] * 2, dtype=np.float64)
        offset = np.array([self.left, self.top] * 2)
        return np.asarray((np.asarray(boxes, dtype=np.float64).reshape(-1, 4) * self.scale + offset) / size)


class LetterboxCache:
    """One image in the sizes that networks take, each made once."""

    def __init__(self, pixels: GreyImage) -> None:
        self._pixels = pixels
        self._made: dict[tuple[int, int], tuple[GreyImage, LetterboxTransform]] = {}

    def to(self, input_height: int, input_width: int) -> tuple[GreyImage, LetterboxTransform]:
        """As `fit`."""
        size = (input_height, input_width)
        if size not in self._made:
            self._made[size] = fit(self._pixels, *size)
        return self._made[size]


def fit(pixels: GreyImage, input_height: int, input_width: int) -> tuple[GreyImage, LetterboxTransform]:
    """Scales (h, w) to fit, keeping its proportions, centred on black. Returns (input_height, input_width)."""
    height, width = pixels.shape
    scale = min(input_height / height, input_width / width)
    new_width, new_height = max(1, round(width * scale)), max(1, round(height * scale))
    left, top = (input_width - new_width) // 2, (input_height - new_height) // 2
    canvas = np.zeros((input_height, input_width), dtype=np.uint8)
    resized = pixels
    if (new_height, new_width) != pixels.shape:
        resized = np.asarray(Image.fromarray(pixels).resize((new_width, new_height), Image.Resampling.BILINEAR))
    canvas[top : top + new_height, left : left + new_width] = resized
    return canvas, LetterboxTransform(left, top, scale, input_width, input_height, width, height)
