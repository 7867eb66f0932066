"""Input drift: recent images compared with the held-out images that the models were evaluated on. Pure."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Mapping, Sequence

from hepar.contracts.cards import Distribution

WINDOW = 500
IMAGES_MIN = 100
_SMALLEST_SHARE = 1e-3


def population_stability_index(reference: Sequence[float], recent: Sequence[float]) -> float:
    """Sum of (recent - reference) ln(recent / reference) over bins (Siddiqi, Credit Risk Scorecards, 2006, chapter 9).

    reference, recent: shares by bin. 0 for equal distributions; 0.2 and above is commonly regarded as a shift. A share
    below 0.001 is taken as 0.001.
    """
    pairs = [(max(a, _SMALLEST_SHARE), max(b, _SMALLEST_SHARE)) for a, b in zip(reference, recent, strict=True)]
    return sum((b - a) * math.log(b / a) for a, b in pairs)


class DriftStatistics:
    """The last WINDOW values of each signal that has a reference, and their drift index."""

    def __init__(self, reference: Mapping[str, Distribution]) -> None:
        self._reference = dict(reference)
        self._bins: dict[str, deque[int]] = {name: deque(maxlen=WINDOW) for name in reference}

    @property
    def reference(self) -> Mapping[str, Distribution]:
        """By signal."""
        return self._reference

    def observe(self, signals: Mapping[str, float]) -> None:
        """Adds one image. Signals without a reference are ignored."""
        for name, value in signals.items():
            if name in self._bins:
                self._bins[name].append(bisect_right(self._reference[name].edges, value))

    def image_count(self) -> int:
        """Number of images in the window."""
        return max(map(len, self._bins.values()), default=0)

    def indices(self) -> dict[str, float]:
        """Population stability index by signal; signals with fewer than IMAGES_MIN values are left out."""
        by_signal = {}
        for name, bins in self._bins.items():
            if len(bins) >= IMAGES_MIN:
                shares = self._reference[name].shares
                recent = [bins.count(index) / len(bins) for index in range(len(shares))]
                by_signal[name] = population_stability_index(shares, recent)
        return by_signal
