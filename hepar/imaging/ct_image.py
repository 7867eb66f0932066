"""One axial CT slice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hepar.imaging.body import BodyBox
from hepar.imaging.geometry import AS_SENT, Geometry, Orientation

GreyImage = NDArray[np.uint8]
ImageFormat = Literal["PNG", "JPEG", "TIFF", "BMP", "WEBP", "DICOM"]


@dataclass(frozen=True)
class Window:
    """The grey levels 0 to 255 span low_hu to high_hu, in Hounsfield units."""

    low_hu: float
    high_hu: float

    def to_grey(self, hu: NDArray[np.floating]) -> GreyImage:
        """(h, w) Hounsfield units to (h, w) uint8, clipped at both ends."""
        relative = (hu - self.low_hu) * (255 / (self.high_hu - self.low_hu))
        return np.asarray(np.clip(np.rint(relative), 0, 255), dtype=np.uint8)


LIVER_WINDOW = Window(0.0, 250.0)
"""The window that the shipped networks were trained with: docs/decisions/0004."""


@dataclass(frozen=True)
class CtImage:
    """pixels: (height, width) uint8 in standard radiological display (patient's right on the left).

    spacing_mm: distance between rows and between columns as sent; None where the file does not state it.
    warnings: what a reader of the result should know about the image.
    orientation: how the pixels as sent were turned.  pixel_aspect, sides_known: see Geometry.
    body: where the patient lies in `pixels`; None without Hounsfield units, and where no body is seen.
    """

    pixels: GreyImage
    format: ImageFormat
    spacing_mm: tuple[float, float] | None = None
    warnings: tuple[str, ...] = ()
    orientation: Orientation = AS_SENT
    pixel_aspect: float = 1.0
    sides_known: bool = False
    body: BodyBox | None = None

    @property
    def geometry(self) -> Geometry:
        """Between the pixels as sent and the display with square pixels."""
        height, width = self.orientation.to_sent(self.pixels).shape
        return Geometry(width, height, self.orientation, self.pixel_aspect, self.sides_known)
