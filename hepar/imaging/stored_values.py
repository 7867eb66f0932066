"""Stored values of a DICOM frame: which bits count, and which pixels are padding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from hepar.imaging.errors import UnreadableImage
from hepar.imaging.file_values import quoted_number
from hepar.imaging.functional_groups import element, whole_number


@dataclass(frozen=True)
class StoredFormat:
    """PS3.5, 8.1.1: the value has `stored` bits, of which the highest is bit `high`, in a container of `allocated`."""

    allocated: int
    stored: int
    high: int
    signed: bool

    def values(self, container: NDArray[np.integer]) -> NDArray[np.int32]:
        """The stored values; bits of the container outside of them may hold overlays, and do not count."""
        if self.stored == self.allocated:
            return _wrapped(container, self.stored, signed=self.signed)
        shifted = container.astype(np.int32) >> (self.high + 1 - self.stored)
        return _wrapped(shifted, self.stored, signed=self.signed)

    def minimum(self) -> int:
        return -(1 << (self.stored - 1)) if self.signed else 0

    def maximum(self) -> int:
        return (1 << (self.stored - self.signed)) - 1


def stored_format(dataset: Dataset) -> StoredFormat:
    """Raises UnreadableImage, with the element's name, for what contradicts itself."""
    allocated, stored = whole_number(dataset, "BitsAllocated"), whole_number(dataset, "BitsStored")
    if not 1 <= stored <= allocated:
        raise UnreadableImage(f"BitsStored is {quoted_number(stored)}, with {allocated} bits allocated")
    high = stored - 1 if element(dataset, "HighBit") is None else whole_number(dataset, "HighBit")
    if not stored - 1 <= high < allocated:
        raise UnreadableImage(f"HighBit is {quoted_number(high)}, with {stored} of {allocated} bits stored")
    representation = whole_number(dataset, "PixelRepresentation")
    if representation not in (0, 1):
        raise UnreadableImage("PixelRepresentation is neither 0 nor 1")
    return StoredFormat(allocated, stored, high, signed=representation == 1)


def padding_mask(dataset: Dataset, form: StoredFormat, container: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Where a pixel lies outside of what the scanner reconstructed (PS3.3, C.7.5.1.1.2).

    A value written with the other sign, such as 63536 for -2000, means the same bits. It may also need more bits than
    are stored; then the whole container is compared.
    """
    first = element(dataset, "PixelPaddingValue")
    if first is None:
        return np.zeros(container.shape, dtype=np.bool_)
    bounds = [whole_number(dataset, "PixelPaddingValue")]
    if element(dataset, "PixelPaddingRangeLimit") is not None:
        bounds.append(whole_number(dataset, "PixelPaddingRangeLimit"))
    mask = _within(container, bounds, form.allocated, signed=form.signed)
    if form.stored == form.allocated:
        return mask
    values = form.values(container)
    as_stored = _wrapped(np.array(bounds), form.allocated, signed=form.signed)
    if form.signed or (as_stored.min() >= form.minimum() and as_stored.max() <= form.maximum()):
        mask |= _within(values, bounds, form.stored, signed=form.signed)
    return mask


def _within(values: NDArray[np.integer], bounds: list[int], bits: int, *, signed: bool) -> NDArray[np.bool_]:
    limits = _wrapped(np.array(bounds), bits, signed=signed)
    wrapped = _wrapped(values, bits, signed=signed)
    return np.asarray((wrapped >= limits.min()) & (wrapped <= limits.max()))


def _wrapped(values: NDArray[np.integer], bits: int, *, signed: bool) -> NDArray[np.int32]:
    """The lowest `bits` of each value, read with or without a sign; those of an array of just that type as they are."""
    if np.iinfo(values.dtype).bits == bits and (values.dtype.kind == "i") == signed:
        return values.astype(np.int32)
    wide = values if values.dtype.itemsize > np.int16().itemsize else values.astype(np.int32)
    wrapped, sign = (wide & ((1 << bits) - 1)).astype(np.int32), 1 << (bits - 1)
    return (wrapped ^ sign) - sign if signed else wrapped
