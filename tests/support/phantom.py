"""The synthetic abdomen in the forms that files have."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from hepar.imaging.ct_image import LIVER_WINDOW, GreyImage
from training.phantom.abdomen import abdomen_phantom

SIDE_PX = 128


@functools.cache
def phantom_hu(seed: int = 11) -> NDArray[np.int32]:
    """(SIDE_PX, SIDE_PX) Hounsfield units of a slice through the liver, at least -1024."""
    hu = abdomen_phantom(np.random.default_rng(seed), SIDE_PX, 360.0).hu
    return np.asarray(np.clip(np.rint(hu), -1024, 3071), dtype=np.int32)


def phantom_grey() -> GreyImage:
    """The phantom as the networks see it."""
    return LIVER_WINDOW.to_grey(phantom_hu().astype(np.float32))
