"""A decoded image reduced to what a model service needs. Runs in the decode worker: the result is small."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from hepar.contracts.views import View
from hepar.imaging.ct_image import CtImage, GreyImage, ImageFormat
from hepar.imaging.geometry import Geometry
from hepar.imaging.input_frame import ChosenFrame, InputScale, choose_frame, shrunk_warning
from hepar.imaging.letterbox import InputFrame, LetterboxTransform, letterbox

PREVIEW_SIDE_MAX = 2048


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
    """Properties of an image, and its pixels in the views that were requested.

    spacing_mm, warnings: see CtImage.  grey_mean: 0 to 255.  preview: None unless requested.
    scale: of the networks' inputs.
    """

    geometry: Geometry
    format: ImageFormat
    spacing_mm: tuple[float, float] | None
    warnings: tuple[str, ...]
    grey_mean: float
    inputs: Mapping[View, NetworkInput]
    preview: Preview | None
    scale: InputScale


@dataclass(frozen=True)
class ImageBatch:
    """Images that are analysed together; often only one.

    stacks: the pixels of all images by view, (images, height, width).
    """

    images: tuple[PreparedImage, ...]
    stacks: Mapping[View, GreyImage]

    @classmethod
    def of(cls, images: Sequence[PreparedImage]) -> ImageBatch:
        """images: prepared for the same views; at least one. The work of a thread."""
        views = images[0].inputs
        return cls(tuple(images), {view: np.stack([image.inputs[view].pixels for image in images]) for view in views})


def prepare(image: CtImage, views: Collection[View], *, with_preview: bool) -> PreparedImage:
    """views: of the networks that will be called."""
    return _prepared(image, views, choose_frame(image), make_preview(image) if with_preview else None)


def prepare_slice(
    pixels: GreyImage, views: Collection[View], frame: InputFrame | None, pixel_mm: float | None = None
) -> PreparedImage:
    """A slice of a volume. pixels: (rows, columns), square, in standard display.

    frame: that of the whole volume; closer views have one of their own in each slice.  pixel_mm: side of a pixel.
    """
    chosen = ChosenFrame(frame, pixel_mm, "unknown" if pixel_mm is None else "file")
    return _prepared(CtImage(pixels, "DICOM", sides_known=True), views, chosen, None)


def _prepared(image: CtImage, views: Collection[View], chosen: ChosenFrame, preview: Preview | None) -> PreparedImage:
    size = image.geometry.display_size
    frames = {field_mm: chosen.of_field(image, field_mm) for field_mm in {view.field_mm for view in views}}
    inputs = {
        view: NetworkInput(*letterbox(image.pixels, view.height, view.width, size, frames[view.field_mm]))
        for view in views
    }
    scale = chosen.scale({view: item.transform for view, item in inputs.items()})
    return PreparedImage(
        geometry=image.geometry,
        format=image.format,
        spacing_mm=image.spacing_mm,
        warnings=(*image.warnings, *chosen.warnings, *shrunk_warning(scale)),
        grey_mean=float(image.pixels.mean()),
        inputs=inputs,
        preview=preview,
        scale=scale,
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
