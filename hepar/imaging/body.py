"""Where the patient's body lies in an axial slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from contourpy import LineType, contour_generator
from numpy.typing import NDArray
from PIL import Image

from hepar.imaging.geometry import polygon_area

TISSUE_HU = -300
"""Skin, fat and all other tissue have more; air, blankets and mattresses less."""
TISSUE_GREY = 16
"""In a picture, whose window is not known."""
_RASTER_SIDE = 160
_BODY_SHARE, _ORGAN_SHARE = 0.05, 0.001
"""Smaller parts of the image are none."""
_FULL, _HALF = 255, 127


@dataclass(frozen=True)
class BodyBox:
    """The box around the body, maxima exclusive: 0 to 1 of the image's width and height."""

    x_min: float
    y_min: float
    x_max: float
    y_max: float


WHOLE_IMAGE = BodyBox(0.0, 0.0, 1.0, 1.0)


def body_box(tissue: NDArray[np.bool_]) -> BodyBox | None:
    """The box around the largest connected part with all that it encloses; None where there is no large one.

    tissue: (rows, columns), true where the slice shows no air. Lungs and bowel gas are enclosed by the body. Opening
    separates arms and a table that touch it.  The box is up to one pixel of a raster of 160 too large on each side.
    """
    raster = _opened(tissue)
    largest = max(_parts(raster), key=polygon_area, default=None)
    if largest is None or polygon_area(largest) < _BODY_SHARE * raster.size:
        return None
    return _box([largest], raster.shape)


def organs_box(grey: NDArray[np.uint8]) -> BodyBox | None:
    """The box around all that is bright and not thin: muscles, bones and organs, where fat is black; None without any.

    grey: (rows, columns) in a window of soft tissue.
    """
    raster = _opened(grey > TISSUE_GREY)
    parts = [part for part in _parts(raster) if polygon_area(part) >= _ORGAN_SHARE * raster.size]
    return _box(parts, raster.shape) if parts else None


def united(boxes: Sequence[BodyBox]) -> BodyBox | None:
    """The box around all of the boxes; None without any."""
    if not boxes:
        return None
    return BodyBox(
        min(box.x_min for box in boxes),
        min(box.y_min for box in boxes),
        max(box.x_max for box in boxes),
        max(box.y_max for box in boxes),
    )


def _parts(raster: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """Closed outlines, x and y in pixels of the raster; 0 is its left and upper edge."""
    framed = np.pad(raster, 1).astype(np.float64)  # outlines end inside the array
    lines = contour_generator(z=framed, line_type=LineType.Separate).lines(0.5)
    return [np.asarray(line, dtype=np.float64) - 0.5 for line in lines]  # a pixel's centre is at its half


def _box(parts: Sequence[NDArray[np.float64]], shape: tuple[int, ...]) -> BodyBox:
    """Half a pixel larger than the outlines, which lie between the centres of two pixels."""
    height, width = shape
    points = np.concatenate(parts)
    x_min, y_min = np.maximum(points.min(axis=0) - 0.5, 0)
    x_max, y_max = np.minimum(points.max(axis=0) + 0.5, (width, height))
    return BodyBox(float(x_min) / width, float(y_min) / height, float(x_max) / width, float(y_max) / height)


def _opened(tissue: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The tissue in a raster of at most _RASTER_SIDE, without what is thin.

    Thin is less than three pixels: 7 mm in a field of view of 400 mm. The shells of a table are thinner.
    """
    height, width = tissue.shape
    reduction = max(1.0, max(height, width) / _RASTER_SIDE)
    size = (max(1, round(width / reduction)), max(1, round(height / reduction)))
    picture = Image.fromarray(tissue.view(np.uint8) * np.uint8(_FULL))
    raster = np.asarray(picture.resize(size, Image.Resampling.BOX)) > _HALF
    return _dilated(~_dilated(~raster))


def _dilated(raster: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """With the eight neighbours of each pixel; several times as fast as Pillow's filters."""
    framed = np.pad(raster, 1)
    rows = framed[:-2] | framed[1:-1] | framed[2:]
    return rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:]
