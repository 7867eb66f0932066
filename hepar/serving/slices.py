"""Slices of a volume: raw grey levels from the study worker, and its masks where it has them already."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepar.contracts.slices import FRAME_HEADER
from hepar.contracts.study_results import ModelVersion
from hepar.contracts.views import View
from hepar.core.errors import InvalidField, InvalidRequest, TooLarge
from hepar.ensemble.masks import OrganMasks
from hepar.imaging.ct_image import GreyImage
from hepar.imaging.decoding import check_size
from hepar.imaging.errors import ImageError, ImageTooLarge
from hepar.imaging.letterbox import InputFrame
from hepar.imaging.npy import InvalidArray, npy_bytes, read_arrays
from hepar.imaging.prepared import ImageBatch, prepare_slice
from hepar.inference.version_routing import VersionRouting
from hepar.serving.segmenter import SegmenterOutput

_SLICE_AXES, _MASK_AXES = 3, 4


@dataclass(frozen=True)
class Slices:
    """pixels: (slices, rows, columns) in the liver window and in standard display; a pixel is square.

    masks: (slices, 2, height, width) of the segmenter's input, in 255ths.  segmenter: that computed them.
    Both are None where the service is to compute them.  frame: that the networks see of each slice; None for all of it.
    pixel_mm: side of a pixel; None where it is unknown: closer views then show a share of the slice.
    """

    pixels: GreyImage
    masks: NDArray[np.uint8] | None = None
    segmenter: ModelVersion | None = None
    frame: InputFrame | None = None
    pixel_mm: float | None = None

    @property
    def answer_headers(self) -> dict[str, str]:
        """The frame that was used, which tells the worker that this version of the service knows frames."""
        return {} if self.frame is None else {FRAME_HEADER: self.frame.text}

    def prepared(self, views: Collection[View]) -> ImageBatch:
        """Each slice as the decoder would prepare it: the work of a thread. views: of the networks."""
        return ImageBatch.of([prepare_slice(pixels, views, self.frame, self.pixel_mm) for pixels in self.pixels])

    def segmented(self, batch: ImageBatch, routing: VersionRouting | None) -> list[SegmenterOutput] | None:
        """The masks that came with the slices; None where there are none, or of another segmenter than is served."""
        if self.masks is None or self.segmenter is None or routing is None:
            return None
        card = routing.cards.get(self.segmenter.version, routing.card)
        view = card.input.view
        if card.name != self.segmenter.model or self.masks.shape[2:] != (view.height, view.width):
            return None
        return [
            SegmenterOutput(
                card.name,
                self.segmenter.version,
                0.0,
                OrganMasks(masks, card.decision_threshold, image.inputs[view].transform, image.geometry),
            )
            for masks, image in zip(self.masks, batch.images, strict=True)
        ]


def read_slices(content: bytes | bytearray, segmenter: ModelVersion | None, slices_max: int) -> Slices:
    """content: one array of slices, followed by that of their masks where `segmenter` is given.

    Raises InvalidRequest, and TooLarge for more slices or pixels than the limits.
    """
    wanted = 1 if segmenter is None else 2
    try:
        arrays = read_arrays(content, arrays_max=wanted)
    except InvalidArray as error:
        raise _invalid(str(error)) from error
    if len(arrays) < wanted:
        raise _invalid("send an array of slices, followed by that of their masks where the segmenter is named")
    pixels = arrays[0]
    if pixels.ndim != _SLICE_AXES:
        raise _invalid("the array of slices has the axes slice, row and column")
    count, rows, columns = pixels.shape
    if count > slices_max:
        raise TooLarge(f"at most {slices_max} slices in one request")
    try:
        check_size(columns, rows)
    except ImageTooLarge as error:
        raise TooLarge(str(error)) from error
    except ImageError as error:
        raise _invalid(str(error)) from error
    masks = None if segmenter is None else arrays[1]
    if masks is not None and (masks.ndim != _MASK_AXES or masks.shape[:2] != (count, 2)):
        raise _invalid("the array of masks has the axes slice, mask (of liver and lesion), row and column")
    return Slices(pixels, masks, segmenter)


def masks_of(outputs: Sequence[SegmenterOutput]) -> bytes:
    """The body of an answer: (slices, 2, height, width). The work of a thread."""
    return npy_bytes(np.stack([output.masks.shares for output in outputs]))


def _invalid(message: str) -> InvalidRequest:
    return InvalidRequest(message, InvalidField("body", "", "invalid_array", message))
