"""One affine change of an image and its masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from PIL import Image

from training.fields import FloatImage


@dataclass(frozen=True)
class Affine:
    """turn: radians.  right, down: shares of the side.  wider, taller: scale, 1 for none; about the image's centre."""

    turn: float
    right: float
    down: float
    wider: float
    taller: float

    @classmethod
    def drawn(cls, rng: np.random.Generator, rotation_degrees: float, translation: float, zoom: float) -> Self:
        """Uniform within the largest values; both scales are alike but for a tenth."""
        turn = np.deg2rad(rng.uniform(-rotation_degrees, rotation_degrees))
        right, down = rng.uniform(-translation, translation, 2)
        scale = rng.uniform(1 - zoom, 1 + zoom)
        ratio = rng.uniform(0.95, 1.05)
        return cls(float(turn), float(right), float(down), float(scale * ratio), float(scale / ratio))

    def apply(self, image: FloatImage, way: Image.Resampling) -> FloatImage:
        """(h, w) to the same size; what moves in from outside is 0."""
        height, width = image.shape
        x, y = (width - 1) / 2, (height - 1) / 2
        cosine, sine = np.cos(self.turn), np.sin(self.turn)
        xx, xy = cosine / self.wider, sine / self.wider
        yx, yy = -sine / self.taller, cosine / self.taller
        left, top = x + self.right * width, y + self.down * height
        coefficients = (xx, xy, x - xx * left - xy * top, yx, yy, y - yx * left - yy * top)
        moved = Image.fromarray(image).transform((width, height), Image.Transform.AFFINE, coefficients, way)
        return np.asarray(moved, dtype=np.float32)
