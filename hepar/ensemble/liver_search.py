"""Which slices of a volume the segmenter has to see to find the liver's extent. Pure.

The cost follows the liver, not the volume: first samples are segmented, then the slices around what they show. The
extent is the one that all slices would give, unless the samples mistake another part for the largest.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from hepar.ensemble.liver_extent import liver_extent, liver_gap, liver_pixels

SAMPLES_MM = (60.0, 30.0)
"""Between samples; the closer ones are segmented only where the others show no liver, or a doubtful one."""
LIVER_MM = 100.0
"""An adult's liver is longer. Where a volume shows less, it does so at its first or last slice, which are samples too:
a shorter part between them is doubtful."""


class LiverSearch:
    """Segment the slices that are `wanted`, `add` their masks, and repeat until none is wanted.

    count: slices of the volume.  spacing_mm: between slices.
    """

    def __init__(self, count: int, spacing_mm: float) -> None:
        self._pixels = [0] * count
        self._spacing_mm = spacing_mm
        self._gap = liver_gap(spacing_mm)
        self._shares: dict[int, NDArray[np.uint8]] = {}
        self._steps = [max(self._gap, math.floor(distance_mm / spacing_mm)) for distance_mm in SAMPLES_MM]
        self._sampled: tuple[int, int] | None = None
        self._step: int | None = self._steps.pop(0)
        self._wanted = self._samples(self._step)

    @property
    def wanted(self) -> list[int]:
        return self._wanted

    @property
    def extent(self) -> tuple[int, int] | None:
        """First and last slice of the liver, once none is wanted."""
        return liver_extent(self._pixels, self._spacing_mm)

    @property
    def probable(self) -> range:
        """From the first sample that shows the liver on: slices that are known, and that belong to the liver unless
        another part turns out to be larger. Empty until all samples are known.
        """
        if self._sampled is None:
            return range(0)
        first, last = self._sampled
        extent = self.extent
        if extent is not None and extent[0] <= first:
            last = max(last, extent[1])
        known = takewhile(self._shares.__contains__, range(first, last + 1))
        return range(first, first + sum(1 for _ in known))

    def add(self, indices: Sequence[int], shares: NDArray[np.uint8]) -> None:
        """indices: some of the wanted slices.

        shares: (n, 2, h, w) of them, the probabilities of liver and lesion, in 255ths.
        """
        for index, count, item in zip(indices, liver_pixels(shares), shares, strict=True):
            self._pixels[index], self._shares[index] = count, item
        self._wanted = self._unknown(self._wanted)
        if not self._wanted:
            self._wanted = self._further()

    def shares(self, indices: Iterable[int]) -> NDArray[np.uint8]:
        """Of slices that are known."""
        return np.stack([self._shares[index] for index in indices])

    def _further(self) -> list[int]:
        """After samples what lies around those that show the liver, then what lies around its extent."""
        extent = self.extent
        if self._step is not None:
            extent = self._sampled = self._evaluated(self._step)
            self._step = None
        if extent is not None and (wanted := self._unknown(self._around(extent))):
            return wanted
        if self._steps and (extent is None or self._is_doubtful(extent)):
            self._step = self._steps.pop(0)
            return self._unknown(self._samples(self._step)) or self._further()
        return self._unknown(range(len(self._pixels))) if extent is None else []

    def _samples(self, step: int) -> list[int]:
        return sorted({*range(0, len(self._pixels), step), len(self._pixels) - 1})

    def _evaluated(self, step: int) -> tuple[int, int] | None:
        """First and last sample that show the liver."""
        samples = self._samples(step)
        found = liver_extent([self._pixels[index] for index in samples], step * self._spacing_mm)
        return found and (samples[found[0]], samples[found[1]])

    def _around(self, extent: tuple[int, int]) -> range:
        """The extent, and as far beyond it as the liver may be missing."""
        return range(max(extent[0] - self._gap - 1, 0), min(extent[1] + self._gap + 2, len(self._pixels)))

    def _is_doubtful(self, extent: tuple[int, int]) -> bool:
        is_short = (extent[1] - extent[0] + 1) * self._spacing_mm < LIVER_MM
        return is_short and extent[0] > 0 and extent[1] < len(self._pixels) - 1

    def _unknown(self, indices: Iterable[int]) -> list[int]:
        return [index for index in indices if index not in self._shares]
