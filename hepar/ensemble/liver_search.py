"""Which slices of a volume the segmenter has to see to find the liver's extent. Pure.

The cost follows the liver, not the volume: first samples are segmented, then the slices around what they show. The
extent is the one that all slices would give, unless the samples mistake another part for the largest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hepar.ensemble.liver_extent import liver_extent, liver_gap, liver_pixels


class LiverSearch:
    """Segment the slices that are `wanted`, `add` their masks, and repeat until none is wanted.

    count: slices of the volume.  spacing_mm: between slices.
    """

    def __init__(self, count: int, spacing_mm: float) -> None:
        self._pixels = [0] * count
        self._spacing_mm = spacing_mm
        self._gap = liver_gap(spacing_mm)
        self._shares: dict[int, NDArray[np.uint8]] = {}
        self._wanted = list(range(0, count, self._gap))

    @property
    def wanted(self) -> list[int]:
        return self._wanted

    @property
    def extent(self) -> tuple[int, int] | None:
        """First and last slice of the liver."""
        return liver_extent(self._pixels, self._spacing_mm)

    def add(self, shares: NDArray[np.uint8]) -> None:
        """shares: (n, 2, h, w) of the wanted slices, the probabilities of liver and lesion, in 255ths."""
        for index, count, item in zip(self._wanted, liver_pixels(shares), shares, strict=True):
            self._pixels[index], self._shares[index] = count, item
        self._wanted = [index for index in self._around() if index not in self._shares]

    def shares(self) -> NDArray[np.uint8]:
        """Of the slices of the extent."""
        first, last = self.extent or (0, -1)
        return np.stack([self._shares[index] for index in range(first, last + 1)])

    def _around(self) -> range:
        """The extent, and as far beyond it as the liver may be missing; all slices where no sample shows one."""
        extent, count = self.extent, len(self._pixels)
        if extent is None:
            return range(count)
        return range(max(extent[0] - self._gap - 1, 0), min(extent[1] + self._gap + 2, count))
