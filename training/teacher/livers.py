"""Where the liver is in prepared images: found once for all copies of a slice."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from training.lesions import LABELS
from training.prepared.dataset import NO_TUMOUR, Example

_COPY = re.compile(rf"_(?:{NO_TUMOUR}(?:_\d+)?|(?:real_)?(?:{'|'.join(LABELS)})_\d+)$")


FindLivers = Callable[[NDArray[np.uint8]], NDArray[np.bool_]]
"""(n, side, side) masks of images (n, side, side)."""


def livers_of(examples: Sequence[Example], images: NDArray[np.uint8], find: FindLivers) -> NDArray[np.bool_]:
    """(n, side, side) predicted masks of images (n, side, side).

    All copies of a slice get the mask of its first copy, which has no synthesised lesion where there is such a copy:
    copies do not move the anatomy, and the segmenter sees a liver without large lesions best.
    """
    slices = [f"{example.part}/{slice_name(example.name)}" for example in examples]
    _, first, of_slice = np.unique(slices, return_index=True, return_inverse=True)
    return find(images[first])[of_slice]


def slice_name(name: str) -> str:
    """The name of the slice that a prepared image is a copy of."""
    return _COPY.sub("", name)
