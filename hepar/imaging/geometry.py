"""How the pixels of a file relate to the image that the networks see, and to the one that people see.

The networks see an image in standard radiological display with square pixels; a file may store it turned, and with
pixels that are not square. Two coordinate systems follow, both in pixels from the upper left corner, x to the right
and y down: "as sent" (the raster as the file stores it) and "display".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value", bound=np.generic)
Points = NDArray[np.float64]


def polygon_area(points: Points) -> float:
    """Of a closed polygon, (n, 2) with the first point again at the end: the shoelace formula (Meister, 1769)."""
    x, y = points[:, 0], points[:, 1]
    return float(abs((x[:-1] * y[1:] - x[1:] * y[:-1]).sum()) / 2)


@dataclass(frozen=True)
class Orientation:
    """One of the eight ways to turn a raster: rows and columns are exchanged first, then the axes are reversed."""

    transposed: bool = False
    flipped_x: bool = False
    flipped_y: bool = False

    def to_display(self, raster: NDArray[Value]) -> NDArray[Value]:
        """(rows, columns) as sent, turned for display."""
        return self._flipped(raster.T if self.transposed else raster)

    def to_sent(self, raster: NDArray[Value]) -> NDArray[Value]:
        """(rows, columns) in display orientation, turned back. Works for maps of any resolution."""
        flipped = self._flipped(raster)
        return flipped.T if self.transposed else flipped

    def _flipped(self, raster: NDArray[Value]) -> NDArray[Value]:
        return raster[:: -1 if self.flipped_y else 1, :: -1 if self.flipped_x else 1]


AS_SENT = Orientation()


@dataclass(frozen=True)
class Geometry:
    """The transform between pixels as sent and pixels of the display.

    width, height: of the image as sent, in pixels.
    pixel_aspect: height of a pixel as sent divided by its width. The display's pixels have the shorter side.
    sides_known: whether the file states how the patient lies.
    """

    width: int
    height: int
    orientation: Orientation = AS_SENT
    pixel_aspect: float = 1.0
    sides_known: bool = False

    @property
    def display_size(self) -> tuple[float, float]:
        """Width and height of the display, in its pixels."""
        across, down = (np.array([self.width, self.height]) * self._scale).tolist()
        return (down, across) if self.orientation.transposed else (across, down)

    @property
    def matrix(self) -> tuple[float, float, float, float, float, float]:
        """a, b, c, d, e, f of x' = a x + c y + e and y' = b x + d y + f, from pixels as sent to the display."""
        (e, f), (x_end, y_of_x), (x_of_y, y_end) = self.to_display(np.array([[0, 0], [1, 0], [0, 1]])).tolist()
        a, b, c, d = (round(value, 9) for value in (x_end - e, y_of_x - f, x_of_y - e, y_end - f))
        return a, b, c, d, e, f

    def to_display(self, points: NDArray[np.number]) -> Points:
        """(n, 2) points, x and y, as sent."""
        scaled = np.asarray(points, dtype=np.float64) * self._scale
        return self._flipped(scaled[:, ::-1] if self.orientation.transposed else scaled)

    def to_sent(self, points: NDArray[np.number]) -> Points:
        """(n, 2) points, x and y, of the display."""
        flipped = self._flipped(np.asarray(points, dtype=np.float64))
        return np.asarray((flipped[:, ::-1] if self.orientation.transposed else flipped) / self._scale)

    def boxes_to_display(self, boxes: NDArray[np.number]) -> NDArray[np.float64]:
        """(n, 4) boxes as sent, x_min, y_min, x_max, y_max."""
        return _ordered(self.to_display(np.asarray(boxes).reshape(-1, 2)))

    def boxes_to_sent(self, boxes: NDArray[np.number]) -> NDArray[np.float64]:
        """(n, 4) boxes of the display, x_min, y_min, x_max, y_max; clipped to the image."""
        corners = self.to_sent(np.asarray(boxes).reshape(-1, 2))
        return _ordered(np.clip(corners, 0, np.array([self.width, self.height])))

    @property
    def _scale(self) -> NDArray[np.float64]:
        """Display pixels per pixel as sent, across and down."""
        return np.array([max(1.0, 1 / self.pixel_aspect), max(1.0, self.pixel_aspect)])

    def _flipped(self, points: Points) -> Points:
        """Mirrors display points in place of the axes that are reversed. Its own inverse."""
        reversed_axes = [self.orientation.flipped_x, self.orientation.flipped_y]
        return np.where(reversed_axes, np.array(self.display_size) - points, points)


def _ordered(corners: Points) -> NDArray[np.float64]:
    """(2 n, 2) opposite corners as (n, 4) boxes."""
    pairs = corners.reshape(-1, 2, 2)
    return np.concatenate([pairs.min(axis=1), pairs.max(axis=1)], axis=1)
