"""A decoded image reduced to what a model service needs. Runs in the decode worker: the result is small."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from hepar.imaging.ct_image import CtImage, GreyImage, ImageFormat
from hepar.imaging.geometry import Geometry
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
    """The display of the image: its longer side has at most PREVIEW_SIDE_MAX pixels.

    geometry: of the image itself; boxes refer to its pixels as sent.
    """

    pixels: GreyImage
    geometry: Geometry


@dataclass(frozen=True)
class PreparedImage:
    """Properties of an image, and its pixels in the sizes that were requested.

    spacing_mm, warnings: see CtImage.  grey_mean: 0 to 255.  preview: None unless requested.
    """

    geometry: Geometry
    format: ImageFormat
    spacing_mm: tuple[float, float] | None
    warnings: tuple[str, ...]
    grey_mean: float
    inputs: Mapping[InputSize, NetworkInput]
    preview: Preview | None


@dataclass(frozen=True)
class ImageBatch:
    """Images that are analysed together; often only one.

    stacks: the pixels of all images by input size, (images, height, width).
    """

    images: tuple[PreparedImage, ...]
    stacks: Mapping[InputSize, GreyImage]

    @classmethod
    def of(cls, images: Sequence[PreparedImage]) -> ImageBatch:
        """images: prepared for the same sizes; at least one. The work of a thread."""
        sizes = images[0].inputs
        return cls(tuple(images), {size: np.stack([image.inputs[size].pixels for image in images]) for size in sizes})


def prepare(image: CtImage, sizes: Collection[InputSize], *, with_preview: bool) -> PreparedImage:
    """sizes: of the inputs of the networks that will be called."""
    geometry = image.geometry
    return PreparedImage(
        geometry=geometry,
        format=image.format,
        spacing_mm=image.spacing_mm,
        warnings=image.warnings,
        grey_mean=float(image.pixels.mean()),
        inputs={size: NetworkInput(*letterbox(image.pixels, *size, geometry.display_size)) for size in sizes},
        preview=make_preview(image) if with_preview else None,
    )


def make_preview(image: CtImage) -> Preview:
    """Shrinks a large image; a smaller one keeps its size."""
    scale = min(PREVIEW_SIDE_MAX / max(image.geometry.display_size), 1)
    return Preview(square_pixels(image, scale), image.geometry)


def square_pixels(image: CtImage, scale: float = 1.0) -> GreyImage:
    """The display of the image as a raster. scale: its pixels per pixel of the display."""
    width, height = image.geometry.display_size
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if size == (image.pixels.shape[1], image.pixels.shape[0]):
        return image.pixels
    return np.asarray(Image.fromarray(image.pixels).resize(size, Image.Resampling.BICUBIC))
