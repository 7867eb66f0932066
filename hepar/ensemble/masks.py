"""The segmenter's masks of one image: a gate for boxes, and outlines in pixels of the image as sent. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
from contourpy import FillType, contour_generator
from numpy.typing import NDArray
from PIL import Image

from hepar.imaging.geometry import Geometry, polygon_area
from hepar.imaging.letterbox import LetterboxTransform

Corners = tuple[float, float, float, float]
Ring = NDArray[np.float64]
"""(n, 2): x and y, in pixels of the image as sent; the last point is the first one."""
LIVER, LESION = 0, 1
LIVER_THRESHOLD = 0.5
LIVER_SEEN_PX = 60
"""Fewer pixels of the network's input (150 mm2 at 1.6 mm) count as no liver."""
SMALLEST_REGION_PX = 4
"""Smaller parts of a mask, in pixels of the network's input, are noise."""
_FULL = 255
_Outlines = tuple[list[NDArray[np.float64]], list[NDArray[np.uint32]]]
"""What contourpy returns for OuterOffset: the points of each polygon, and where its rings begin."""


@dataclass(frozen=True)
class MaskRegion:
    """A connected part of a mask. rings: the outer one, then the holes.  area_px: in pixels of the image as sent."""

    rings: tuple[Ring, ...]
    area_px: float


@dataclass(frozen=True)
class OrganMasks:
    """shares: (2, h, w) uint8, the probabilities of liver and lesion at each pixel of the network's input, in 255ths.

    lesion_threshold: 0 to 1.  transform: where the image lies in that input.  geometry: of that image.
    """

    shares: NDArray[np.uint8]
    lesion_threshold: float
    transform: LetterboxTransform
    geometry: Geometry

    @cached_property
    def liver(self) -> NDArray[np.bool_]:
        """(h, w)"""
        return np.asarray(self.shares[LIVER] >= LIVER_THRESHOLD * _FULL)

    @property
    def liver_seen(self) -> bool:
        return int(np.count_nonzero(self.liver)) >= LIVER_SEEN_PX

    @property
    def liver_area_px(self) -> float:
        """In pixels of the image as sent."""
        return int(np.count_nonzero(self.liver)) / self._input_px_per_sent_px

    def share_in_liver(self, corners: Corners) -> float:
        """Of a box (x_min, y_min, x_max, y_max in pixels of the display): the share of its area inside the liver."""
        (in_input,) = self.transform.to_input(np.array([corners]))
        return share_inside(in_input, self.liver)

    def regions(self, index: int) -> list[MaskRegion]:
        """Of a mask (LIVER or LESION), largest first."""
        return self._regions(self.shares[index], self._threshold(index))

    def lesions_in(self, corners: Corners) -> list[MaskRegion]:
        """The parts of the lesion's mask inside a box (in pixels of the display), cut off at its edges."""
        (in_input,) = self.transform.to_input(np.array([corners]))
        rows, columns = _pixels_of(in_input, self.shares.shape[1:])
        inside = np.zeros_like(self.shares[LESION])
        inside[rows, columns] = self.shares[LESION][rows, columns]
        return self._regions(inside, self.lesion_threshold)

    def picture(self, index: int) -> NDArray[np.uint8]:
        """A mask in the size of the image as sent: (height, width), 255 inside and 0 outside."""
        image = self.geometry
        enlarged, extent = self.transform.whole_image(self.shares[index])
        size = (image.height, image.width) if image.orientation.transposed else (image.width, image.height)
        resized = Image.fromarray(enlarged).resize(size, Image.Resampling.BILINEAR, box=extent)
        level = self._threshold(index) * _FULL
        binary = resized.point([_FULL if value >= level else 0 for value in range(_FULL + 1)])
        return image.orientation.to_sent(np.asarray(binary))

    def _threshold(self, index: int) -> float:
        return LIVER_THRESHOLD if index == LIVER else self.lesion_threshold

    @property
    def _input_px_per_sent_px(self) -> float:
        """By area."""
        width, height = self.geometry.display_size
        return self.transform.scale**2 * (width * height) / (self.geometry.width * self.geometry.height)

    def _regions(self, shares: NDArray[np.uint8], threshold: float) -> list[MaskRegion]:
        """Contours where the interpolated probability crosses the threshold."""
        where, smallest_px = self.transform, SMALLEST_REGION_PX / self._input_px_per_sent_px
        framed = np.pad(shares, 1).astype(np.float64)  # contours end inside the array
        contours = contour_generator(z=framed, fill_type=FillType.OuterOffset)
        outlines, ring_starts = cast("_Outlines", contours.filled(threshold * _FULL, np.inf))
        regions = []
        for points, starts in zip(outlines, ring_starts, strict=True):
            displayed = (points - 0.5 - (where.left, where.top)) / where.scale  # pixel centres are at halves
            as_sent = self.geometry.to_sent(np.clip(displayed, 0, (where.width, where.height)))
            rings = tuple(np.split(as_sent, starts[1:-1].astype(int)))
            area_px = polygon_area(rings[0]) - sum(map(polygon_area, rings[1:]))
            if area_px >= smallest_px:
                regions.append(MaskRegion(rings, area_px))
        return sorted(regions, key=lambda region: -region.area_px)


def share_inside(corners: NDArray[np.floating], liver: NDArray[np.bool_]) -> float:
    """Of a box (x_min, y_min, x_max, y_max), 0 to 1 of the image, the share that lies in the liver; whole pixels.

    liver: (h, w) over the same image.
    """
    rows, columns = _pixels_of(corners, liver.shape)
    inside = liver[rows, columns]
    return int(np.count_nonzero(inside)) / inside.size


def _pixels_of(corners: NDArray[np.floating], shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of a box, at least one of each. corners: 0 to 1 of an array of `shape`."""
    height, width = shape
    x_min, x_max = (min(max(round(float(value) * width), 0), width) for value in corners[[0, 2]])
    y_min, y_max = (min(max(round(float(value) * height), 0), height) for value in corners[[1, 3]])
    x_min, y_min = min(x_min, width - 1), min(y_min, height - 1)
    return slice(y_min, max(y_max, y_min + 1)), slice(x_min, max(x_max, x_min + 1))
