"""A decoded image reduced to what a model service needs. Runs in the decode worker: the result is small."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from hepar.imaging.ct_image import CtImage, GreyImage, ImageFormat
from hepar.imaging.letterbox import LetterboxTransform, letterbox

PREVIEW_SIDE_MAX = 2048
InputSize = tuple[int, int]
"""Height and width of a network's input, in pixels."""


@dataclass(frozen=True)
class NetworkInput:
    """pixels: (height, width) uint8.  transform: where the image lies in it."""

    pixels: GreyImage
    transform: LetterboxTransform


@dataclass(frozen=True)
class Preview:
    """The image for display: its longer side has at most PREVIEW_SIDE_MAX pixels.

    width, height: of the image itself, in pixels; boxes refer to these.
    """

    pixels: GreyImage
    width: int
    height: int


@dataclass(frozen=True)
class PreparedImage:
    """Properties of an image, and its pixels in the sizes that were requested.

    spacing_mm, warnings: see CtImage.  grey_mean: 0 to 255.  preview: None unless requested.
    """

    width: int
    height: int
    format: ImageFormat
    spacing_mm: tuple[float, float] | None
    warnings: tuple[str, ...]
    grey_mean: float
    inputs: Mapping[InputSize, NetworkInput]
    preview: Preview | None


def prepare(image: CtImage, sizes: Collection[InputSize], *, with_preview: bool) -> PreparedImage:
    """sizes: of the inputs of the networks that will be called."""
    return PreparedImage(
        width=image.width,
        height=image.height,
        format=image.format,
        spacing_mm=image.spacing_mm,
        warnings=image.warnings,
        grey_mean=float(image.pixels.mean()),
        inputs={size: NetworkInput(*letterbox(image.pixels, *size)) for size in sizes},
        preview=make_preview(image) if with_preview else None,
    )


def make_preview(image: CtImage) -> Preview:
    """Shrinks a large image; a smaller one keeps its size."""
    pixels = image.pixels
    scale = PREVIEW_SIDE_MAX / max(image.width, image.height)
    if scale < 1:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        pixels = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
    return Preview(pixels, image.width, image.height)
