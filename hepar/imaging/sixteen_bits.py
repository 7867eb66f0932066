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
    """Raises UnsupportedImage where the values, 0 to `full`, are not those of a window.

    Of the pixels between black and white, half lie within 1 to 5 % of the range in CT values that were stored as they
    are (4,096 Hounsfield units or more), and within 6 to 36 % in windows of 250 to 500: docs/decisions/0035.
    """
    if not values.size or values.min() == values.max():
        return
    counts = np.bincount(values.ravel(), minlength=full + 1)
    total = np.cumsum(counts)
    brightest = int(np.searchsorted(total, 0.999 * total[-1]))
    if brightest < _BRIGHTEST_MIN * full:
        raise UnsupportedImage(_NOT_A_WINDOW)
    below = np.concatenate(([0], total[:-1]))
    between = np.arange(round(_DARK * full), round(_WHITE * full))
    pixels = int(total[between[-1]] - below[between[0]])
    ends = np.searchsorted(total, below[between] + (pixels + 1) // 2)
    if pixels and int((ends - between)[ends <= between[-1]].min()) + 1 < _HALF_MIN * full:
        raise UnsupportedImage(_NOT_A_WINDOW)
