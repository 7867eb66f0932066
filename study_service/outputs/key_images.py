"""Key slices with the outlines and boxes of what was found, in square pixels and the fixed liver window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from contourpy import LineType, contour_generator
from numpy.typing import NDArray
from PIL import Image

from hepar.contracts.lesions import Lesion
from hepar.contracts.study_results import StudyResult
from hepar.imaging.ct_image import LIVER_WINDOW, GreyImage

from .context import OutputContext

KEY_IMAGES_MAX = 5
LONGER_SIDE_PX = 768
_BODY_HU = -300.0
_BODY_SHARE = 0.03
"""A row or column with a smaller share of tissue is outside the body, or the table."""
_MARGIN_MM = 8.0

Line = NDArray[np.float64]
"""(n, 2): x and y in pixels of the picture."""


@dataclass(frozen=True, eq=False)
class LesionMark:
    """outlines: empty for a lesion without a mask.  axes: of a mask, in the lesion's key slice only.

    box: x_min, y_min, x_max, y_max in pixels of the picture.
    """

    lesion: Lesion
    outlines: list[Line]
    axes: list[Line]
    box: tuple[float, float, float, float] | None


@dataclass(frozen=True, eq=False)
class KeyImage:
    """grey: (height, width) uint8, LONGER_SIDE_PX on the longer side, cut to the body.

    slice_index: in the volume.  position_mm: of the slice's centre along z.  mm_per_px: side of a pixel.
    """

    slice_index: int
    position_mm: float
    mm_per_px: float
    grey: GreyImage
    liver: list[Line]
    marks: list[LesionMark]


def key_slices(context: OutputContext) -> list[int]:
    return list(context.chosen_slices) or key_slice_indices(context.result, context.geometry.shape[0])


def key_slice_indices(result: StudyResult, slices: int) -> list[int]:
    """The result's key slices; without any, the middle of the liver, or else of the volume.

    slices: of the volume.
    """
    if result.key_slices:
        return [key.slice for key in result.key_slices if key.slice < slices][:KEY_IMAGES_MAX]
    first, last = result.volume.liver_slices or (0, slices - 1)
    return [min((first + last) // 2, slices - 1)]


def key_image(context: OutputContext, slice_index: int) -> KeyImage:
    _, row_mm, column_mm = context.geometry.spacing_mm
    top, bottom, left, right = _body(context)
    height_mm, width_mm = (bottom - top) * row_mm, (right - left) * column_mm
    mm_per_px = max(height_mm, width_mm) / LONGER_SIDE_PX
    size = (max(1, round(width_mm / mm_per_px)), max(1, round(height_mm / mm_per_px)))
    grey = LIVER_WINDOW.to_grey(context.hu[slice_index, top:bottom, left:right].astype(np.float32))
    offset, scale = np.array([left, top]), np.array([column_mm, row_mm]) / mm_per_px
    centre = np.array([[float(slice_index), *((side - 1) / 2 for side in context.geometry.shape[1:])]])

    def placed(lines: list[Line]) -> list[Line]:
        return [(line - offset) * scale for line in lines]

    marks = []
    for number, lesion in enumerate(context.result.lesions, start=1):
        outlines = placed(_lines(context.lesions[slice_index] == number))
        corners = placed([np.array(corners) for corners in _box_corners(lesion, slice_index)])
        if outlines or corners:
            marks.append(LesionMark(lesion, outlines, placed(_axes(lesion, slice_index)), _box(corners)))
    return KeyImage(
        slice_index=slice_index,
        position_mm=float(context.geometry.to_patient_mm(centre)[0, 2]),
        mm_per_px=mm_per_px,
        grey=np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BICUBIC)),
        liver=placed(_lines(context.liver[slice_index])),
        marks=marks,
    )


def _box_corners(lesion: Lesion, slice_index: int) -> list[list[list[float]]]:
    return [[[box.x_min, box.y_min], [box.x_max, box.y_max]] for box in lesion.boxes if box.slice == slice_index][:1]


def _box(corners: list[Line]) -> tuple[float, float, float, float] | None:
    if not corners:
        return None
    left, top, right, bottom = corners[0].reshape(-1).tolist()
    return left, top, right, bottom


def _axes(lesion: Lesion, slice_index: int) -> list[Line]:
    if lesion.measured_on == "box" or lesion.key_slice != slice_index:
        return []
    return [np.array([axis.start_px, axis.end_px]) for axis in (lesion.long_axis, lesion.short_axis)]


def _lines(mask: NDArray[np.bool_]) -> list[Line]:
    """Outlines in pixels of the slice, from its upper left corner."""
    framed = np.pad(mask, 1).astype(np.float64)  # so that lines close at the edge
    lines = contour_generator(z=framed, line_type=LineType.Separate).lines(0.5)
    return [np.asarray(line, dtype=np.float64) - 0.5 for line in lines]  # pixel centres are at halves


def _body(context: OutputContext) -> tuple[int, int, int, int]:
    """Top, bottom, left and right of the body in all key slices, with a margin; the whole slice where there is none."""
    tissue = (context.hu[key_slices(context)] > _BODY_HU).any(axis=0)
    _, row_mm, column_mm = context.geometry.spacing_mm
    top, bottom = _extent(tissue.mean(axis=1) > _BODY_SHARE, round(_MARGIN_MM / row_mm))
    left, right = _extent(tissue.mean(axis=0) > _BODY_SHARE, round(_MARGIN_MM / column_mm))
    return top, bottom, left, right


def _extent(inside: NDArray[np.bool_], margin: int) -> tuple[int, int]:
    places = np.flatnonzero(inside)
    if not places.size:
        return 0, inside.size
    return max(0, int(places[0]) - margin), min(inside.size, int(places[-1]) + 1 + margin)
