"""Pictures of 16 bits: which of the bits are used, and whether they show a window at all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hepar.imaging.ct_image import GreyImage
from hepar.imaging.errors import UnsupportedImage

_USED_BITS = (8, 12, 16)
_USED_BITS_SIGNED = (8, 12, 15)
_DARK, _WHITE = 0.05, 0.995
_BRIGHTEST_MIN = 0.1
_HALF_MIN = 0.055
_SAMPLED_PIXELS = 4_000_000
_NOT_A_WINDOW = (
    "the picture hardly uses the range of its 16 bits, as values in Hounsfield units do; window it first: "
    "black at 0 HU, white at 250 HU"
)


def eight_of_sixteen_bits(
    values: NDArray[np.integer], transparent: NDArray[np.bool_], *, signed: bool, white_is_zero: bool
) -> tuple[GreyImage, list[str]]:
    """The upper eight bits of (h, w) values; of an image whose values need only 8 or 12 bits, the upper eight of those.

    transparent: (h, w), these pixels become black.  white_is_zero: of a TIFF (its photometric interpretation).
    signed: of a file whose values could be negative.
    Raises UnsupportedImage for negative values, for more than 16 bits, and for values that are no window.
    """
    if values.min() < 0:
        raise UnsupportedImage("pictures of signed values are not read; window them first, and send 8 or 16 bits")
    if values.max() > (32_767 if signed else 65_535):
        raise UnsupportedImage("pictures of more than 16 bits are not read; send 8 or 16 bits")
    widths = _USED_BITS_SIGNED if signed else _USED_BITS
    if white_is_zero:
        values = (1 << _needed(values, widths)) - 1 - values
    shown = np.where(transparent, 0, values)
    used = _needed(shown, widths)
    if used > 8:
        check_use_of_range(shown[~transparent], (1 << used) - 1)
    notes = [f"The picture uses {used} of its 16 bits; it was read as {used} bits."] if used in (8, 12) else []
    return np.asarray(shown >> (used - 8), dtype=np.uint8), notes


def _needed(values: NDArray[np.integer], widths: tuple[int, ...]) -> int:
    return next(bits for bits in widths if int(values.max()) < 1 << bits)


def check_use_of_range(values: NDArray[np.integer], full: int) -> None:
    """Raises UnsupportedImage where the values, 0 to `full`, are not those of a window: docs/decisions/0035."""
    if not values.size or values.min() == values.max():
        return
    sampled = values.ravel()[:: 1 + values.size // _SAMPLED_PIXELS]
    if np.percentile(sampled, 99.9) < _BRIGHTEST_MIN * full or narrowest_half(sampled, full) < _HALF_MIN:
        raise UnsupportedImage(_NOT_A_WINDOW)


def narrowest_half(values: NDArray[np.integer], full: int) -> float:
    """The narrowest interval that holds half of the values between black and white, as a share of 0 to `full`.

    1 where all are black or white.
    """
    total = np.cumsum(np.bincount(values.ravel(), minlength=full + 1))
    below = np.concatenate(([0], total[:-1]))
    between = np.arange(round(_DARK * full), round(_WHITE * full))
    pixels = int(total[between[-1]] - below[between[0]])
    if not pixels:
        return 1.0
    ends = np.searchsorted(total, below[between] + (pixels + 1) // 2)
    inside = ends <= between[-1]
    return float((int((ends - between)[inside].min()) + 1) / full)
