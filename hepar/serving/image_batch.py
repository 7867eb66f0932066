"""Images that are analysed together; often only one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hepar.imaging.ct_image import GreyImage
from hepar.imaging.prepared import InputSize, PreparedImage


@dataclass(frozen=True)
class ImageBatch:
    """stacks: the pixels of all images by input size, (images, height, width)."""

    images: tuple[PreparedImage, ...]
    stacks: Mapping[InputSize, GreyImage]

    @classmethod
    def of_one(cls, image: PreparedImage) -> ImageBatch:
        """Copies no pixels."""
        return cls((image,), {size: prepared.pixels[None] for size, prepared in image.inputs.items()})

    @classmethod
    def of(cls, images: Sequence[PreparedImage]) -> ImageBatch:
        """images: prepared for the same sizes; at least one. The work of a thread."""
        sizes = images[0].inputs
        return cls(tuple(images), {size: np.stack([image.inputs[size].pixels for image in images]) for size in sizes})
