"""What looks like a lesion and is none, drawn into a slice before its lesions: networks see it labelled as nothing.

Real detectors put their false boxes on the gallbladder, on fat in fissures and around the kidney, and on bowel and
stomach. Slices are in Hounsfield units, (h, w) float32.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from training.fields import BoolImage, FloatImage, harmonic_radius, smooth_field
from training.lesions.outline import opacity, polar
from training.lesions.placement import body

BONE_HU = 220.0


@dataclass(frozen=True)
class Slice:
    """liver: (h, w) bool; what a distractor displaces is no liver any more.  spacing_mm: one pixel's side."""

    hu: FloatImage
    liver: BoolImage
    spacing_mm: float


Distractor = Callable[[np.random.Generator, Slice], Slice]


def add_distractors(rng: np.random.Generator, item: Slice) -> Slice:
    """Each distractor with its own probability; about two in three slices get at least one."""
    for share, distractor in SHARES:
        if rng.random() < share:
            item = distractor(rng, item)
    return item


def gallbladder(rng: np.random.Generator, item: Slice) -> Slice:
    """A sharp ellipse of bile, 15 to 45 mm long, at the liver's visceral surface, which it may indent."""
    border = _visceral_border(item)
    if len(border) == 0:
        return item
    row, column = border[rng.integers(len(border))]
    length_mm, ratio = rng.uniform(15, 45), rng.uniform(1.1, 2.2)
    inside = _ellipse_depth_mm(rng, item, (row + rng.uniform(-2, 6), column + rng.uniform(-2, 6)), length_mm, ratio)
    bile_hu = rng.uniform(0, 28) + rng.uniform(1, 4) * rng.standard_normal(item.hu.shape)
    return _laid(item, opacity(inside, rng.uniform(0.2, 0.6)), np.asarray(bile_hu, dtype=np.float32))


def fat_wedge(rng: np.random.Generator, item: Slice) -> Slice:
    """A tapering wedge of fat from the liver's contour inwards, 10 to 40 mm deep, as fissures and ligaments are."""
    rows, columns = np.nonzero(_border(item.liver))
    if len(rows) == 0:
        return item
    index = rng.integers(len(rows))
    heading = np.arctan2(_mean_row(item.liver) - rows[index], _mean_column(item.liver) - columns[index])
    heading += rng.normal(0, 0.4)
    along, across = _along_and_across_mm(item, (float(rows[index]), float(columns[index])), heading)
    length_mm, width_mm = rng.uniform(10, 40), rng.uniform(3, 11)
    half_mm = 0.5 * width_mm * np.clip(1 - along / length_mm, 0, 1) + 0.4 * smooth_field(rng, _shape(item), 4)
    inside = np.where((along > -4) & (along < length_mm), half_mm - np.abs(across), -9)
    return _laid(item, opacity(np.asarray(inside, np.float32), 0.5), np.full(item.hu.shape, rng.uniform(-90, -10)))


def bowel_blob(rng: np.random.Generator, item: Slice) -> Slice:
    """A lesion-like round or oval region in bowel, stomach or fat outside of the liver, with or without a wall."""
    away_mm = ndimage.distance_transform_edt(~item.liver) * item.spacing_mm
    places = np.argwhere(ndimage.binary_fill_holes(body(item.hu)) & (away_mm > 6) & (item.hu < BONE_HU))
    if len(places) == 0:
        return item
    row, column = places[rng.integers(len(places))]
    diameter_mm = float(np.exp(rng.uniform(np.log(7), np.log(45))))
    inside = _ellipse_depth_mm(rng, item, (float(row), float(column)), diameter_mm, rng.uniform(1, 1.8))
    content_hu = rng.uniform(10, 60) + rng.uniform(2, 8) * smooth_field(rng, _shape(item), rng.uniform(1, 3))
    wall = np.exp(-(((inside - 1.5) / 1.5) ** 2)) * (rng.uniform(30, 80) if rng.random() < 0.7 else 0)
    alpha = opacity(inside, rng.uniform(0.3, 1.2)) * (away_mm > 2) * (item.hu < BONE_HU)
    drawn = _laid(item, np.asarray(alpha, dtype=np.float32), np.asarray(content_hu + wall, dtype=np.float32))
    return replace(drawn, liver=item.liver)


def dark_vessel(rng: np.random.Generator, item: Slice) -> Slice:
    """A curved vessel that is not enhanced yet, 3 to 9 mm wide and at least 25 mm long; it stays liver."""
    places = np.argwhere(ndimage.distance_transform_edt(item.liver) * item.spacing_mm > 6)
    if len(places) == 0:
        return item
    row, column = (float(value) for value in places[rng.integers(len(places))])
    heading, bend = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.012)
    width_px = rng.uniform(3, 9) / item.spacing_mm
    line = np.ones(item.hu.shape, dtype=bool)
    for _ in range(int(rng.uniform(25, 70) / item.spacing_mm)):
        row, column, heading = row + np.sin(heading), column + np.cos(heading), heading + bend
        if 0 <= row < item.hu.shape[0] and 0 <= column < item.hu.shape[1]:
            line[int(row), int(column)] = False
    inside = np.asarray(width_px / 2 - ndimage.distance_transform_edt(line), dtype=np.float32) * item.spacing_mm
    alpha = opacity(inside, 0.6) * item.liver
    return replace(item, hu=np.asarray(item.hu - alpha * rng.uniform(15, 40), dtype=np.float32))


def motion(rng: np.random.Generator, item: Slice) -> Slice:
    """Breathing: a fainter copy, moved by 2 to 8 mm along one axis."""
    shift_px = rng.uniform(2, 8) / item.spacing_mm
    shift = [shift_px, 0.0] if rng.random() < 0.5 else [0.0, shift_px]
    ghost = ndimage.shift(item.hu, shift, order=1, mode="nearest")
    share = rng.uniform(0.15, 0.4)
    return replace(item, hu=np.asarray((1 - share) * item.hu + share * ghost, dtype=np.float32))


def metal(rng: np.random.Generator, item: Slice) -> Slice:
    """A clip, stent or electrode with dark and bright streaks that fade over 20 to 60 mm."""
    places = np.argwhere(body(item.hu))
    if len(places) == 0:
        return item
    row, column = places[rng.integers(len(places))]
    distance_mm, angle = polar(item.hu.shape, (float(row), float(column)), item.spacing_mm)
    rays = np.zeros(item.hu.shape, dtype=np.float32)
    for order in range(2, 2 + int(rng.integers(3, 8))):
        rays += rng.normal(0, 1) * np.cos(order * angle + rng.uniform(0, 2 * np.pi))
    streaks = rng.uniform(15, 60) * rays * np.exp(-distance_mm / rng.uniform(20, 60))
    hu = np.where(distance_mm < rng.uniform(1, 3.5), 1500.0, item.hu + streaks)
    return replace(item, hu=np.asarray(hu, dtype=np.float32))


def without_liver(rng: np.random.Generator, item: Slice) -> Slice:
    """The liver replaced by fat or lung, black in the window: a slice just above or below a small section of it."""
    gone = opacity(_depth_mm(item) + 2 * item.spacing_mm, 0.5)
    filling = float(item.hu.min()) + rng.uniform(0, 8) * np.abs(rng.standard_normal(item.hu.shape))
    hu = item.hu * (1 - gone) + filling * gone
    return replace(item, hu=np.asarray(hu, dtype=np.float32), liver=np.zeros_like(item.liver))


def _depth_mm(item: Slice) -> FloatImage:
    """(h, w) below the liver's border, negative outside."""
    inside = ndimage.distance_transform_edt(item.liver) - ndimage.distance_transform_edt(~item.liver)
    return np.asarray(inside * item.spacing_mm, dtype=np.float32)


SHARES: tuple[tuple[float, Distractor], ...] = (
    (0.2, gallbladder),
    (0.25, fat_wedge),
    (0.3, bowel_blob),
    (0.15, dark_vessel),
    (0.08, motion),
    (0.04, metal),
)


def _laid(item: Slice, alpha: FloatImage, content_hu: FloatImage) -> Slice:
    hu = item.hu * (1 - alpha) + content_hu * alpha
    return replace(item, hu=np.asarray(hu, dtype=np.float32), liver=np.asarray(item.liver & (alpha < 0.5)))


def _ellipse_depth_mm(
    rng: np.random.Generator, item: Slice, centre_px: tuple[float, float], length_mm: float, ratio: float
) -> FloatImage:
    """(h, w) depth below the border of a tilted ellipse with a slightly uneven outline, negative outside."""
    distance_mm, angle = polar(item.hu.shape, centre_px, item.spacing_mm)
    tilt = rng.uniform(0, np.pi)
    axes = 1 / np.sqrt(np.cos(angle - tilt) ** 2 + (ratio * np.sin(angle - tilt)) ** 2)
    outline_mm = length_mm / 2 * axes * harmonic_radius(rng, angle, 0.03, range(2, 6))
    return np.asarray(outline_mm - distance_mm, dtype=np.float32)


def _along_and_across_mm(item: Slice, start_px: tuple[float, float], heading: float) -> tuple[FloatImage, FloatImage]:
    rows = (np.arange(item.hu.shape[0], dtype=np.float32) - start_px[0])[:, None] * item.spacing_mm
    columns = (np.arange(item.hu.shape[1], dtype=np.float32) - start_px[1])[None, :] * item.spacing_mm
    along = rows * np.sin(heading) + columns * np.cos(heading)
    return np.asarray(along, np.float32), np.asarray(rows * np.cos(heading) - columns * np.sin(heading), np.float32)


def _visceral_border(item: Slice) -> np.ndarray:
    """(n, 2) border pixels that face the patient's left and back: where the gallbladder and the hilum lie."""
    border = np.argwhere(_border(item.liver))
    if len(border) == 0:
        return border
    towards = border - np.array([_mean_row(item.liver), _mean_column(item.liver)])
    return np.asarray(border[towards.sum(axis=1) > 0])


def _border(mask: BoolImage) -> BoolImage:
    return np.asarray(mask & ~ndimage.binary_erosion(mask))


def _mean_row(mask: BoolImage) -> float:
    return float(np.nonzero(mask)[0].mean())


def _mean_column(mask: BoolImage) -> float:
    return float(np.nonzero(mask)[1].mean())


def _shape(item: Slice) -> tuple[int, int]:
    return item.hu.shape[0], item.hu.shape[1]
