"""A synthetic abdomen: organs as warped ellipses in millimetres, painted from back to front.

Attenuation values are textbook portal-venous ones (for example Lamba et al., "CT Hounsfield numbers
of soft tissues on unenhanced abdominal CT scans", AJR 203, 2014, plus portal-venous enhancement of
about 50 HU in the liver). The image has the right topology and statistics; it is not an anatomical atlas.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from training.fields import BoolImage, FloatImage, smooth_field
from training.phantom.noise import ct_noise

AIR_HU, FAT_HU, MUSCLE_HU, BONE_HU, MARROW_HU = -1000.0, -100.0, 58.0, 650.0, 220.0


@dataclass(frozen=True)
class Phantom:
    """One axial slice.

    hu: (size, size) float32.  liver_mask: (size, size) bool.  spacing_mm: side of a pixel.
    """

    hu: FloatImage
    liver_mask: BoolImage
    spacing_mm: float


@dataclass(frozen=True)
class Level:
    """Which slice of a body is drawn; the default is the one slice of `abdomen_phantom`.

    right_lobe, left_lobe: sizes of the lobes' cross-sections, 1 where they are largest, 0 where there is none.
    vessel_turn: radians by which the liver's vessels are turned.  vessels, noise: seeds of their own; None draws them
    from the generator of the body, which then differs between levels.
    """

    right_lobe: float = 1.0
    left_lobe: float = 1.0
    vessel_turn: float = 0.0
    vessels: int | None = None
    noise: int | None = None


_WHOLE = Level()


class _Canvas:
    """Slightly warped coordinates in mm relative to the body's centre: x to the right of the image, y down."""

    def __init__(self, rng: np.random.Generator, size_px: int, field_of_view_mm: float) -> None:
        self.rng = rng
        self.shape = (size_px, size_px)
        self.spacing_mm = field_of_view_mm / size_px
        axis = (np.arange(size_px) - (size_px - 1) / 2) * self.spacing_mm
        warp_px = 28 / self.spacing_mm
        self.x = axis[None, :] + 3.5 * smooth_field(rng, self.shape, warp_px)
        self.y = axis[:, None] + 3.5 * smooth_field(rng, self.shape, warp_px)
        self.hu = np.full(self.shape, AIR_HU, dtype=np.float32)

    def ellipse(self, x: float, y: float, a: float, b: float, tilt: float = 0.0, power: float = 2.0) -> FloatImage:
        """Implicit function, below 1 inside: centre (x, y) and semi-axes (a, b) in mm, tilt in radians."""
        u = (self.x - x) * np.cos(tilt) + (self.y - y) * np.sin(tilt)
        v = (self.y - y) * np.cos(tilt) - (self.x - x) * np.sin(tilt)
        level = np.abs(u / a) ** power + np.abs(v / b) ** power
        return np.asarray(level, dtype=np.float32)

    def paint(self, inside: BoolImage, hu: float, texture_hu: float = 0.0) -> None:
        texture = texture_hu * smooth_field(self.rng, self.shape, 4 / self.spacing_mm) if texture_hu else 0.0
        self.hu = np.where(inside, hu + texture, self.hu).astype(np.float32)


def abdomen_phantom(
    rng: np.random.Generator, size_px: int = 512, field_of_view_mm: float = 410.0, level: Level = _WHOLE
) -> Phantom:
    """Draws one axial slice at the level of liver, spleen, stomach and kidneys, portal-venous phase.

    Standard radiological display: the patient's right on the image's left, the spine at the bottom.
    """
    canvas = _Canvas(rng, size_px, field_of_view_mm)
    scale = rng.uniform(0.88, 1.08)
    half_width, half_depth = 165 * scale, rng.uniform(108, 124) * scale
    fat_mm = rng.uniform(9, 22)

    body = canvas.ellipse(0, 0, half_width, half_depth, power=2.4) < 1
    cavity_a, cavity_b = half_width - fat_mm - 9, half_depth - fat_mm - 9
    wall = canvas.ellipse(0, 0, cavity_a + 9, cavity_b + 9, power=2.3) < 1
    cavity = canvas.ellipse(0, 0, cavity_a, cavity_b, power=2.3) < 1
    canvas.paint(body, FAT_HU, 6)
    canvas.paint(wall, MUSCLE_HU, 5)
    canvas.paint(cavity, FAT_HU + 5, 8)

    liver = _liver(canvas, cavity, cavity_a, cavity_b, level)
    _bowel(canvas, cavity & ~liver, cavity_a, cavity_b)
    _stomach(canvas, cavity & ~liver, cavity_a, cavity_b)
    _spleen(canvas, cavity & ~liver, cavity_a, cavity_b)
    _kidneys(canvas, cavity, cavity_a, cavity_b)
    liver &= canvas.hu == AIR_HU + 1  # the right kidney and its fat cover a part of the liver
    liver = _largest_part(ndimage.binary_opening(liver, iterations=2))
    parenchyma_hu = rng.normal(105, 10)
    canvas.paint(liver, parenchyma_hu, 3)
    if liver.any():
        _liver_vessels(canvas, liver, parenchyma_hu, level)
    _great_vessels_and_spine(canvas, cavity_b)
    _ribs(canvas, cavity_a, cavity_b)
    _table(canvas, half_depth)
    liver &= np.abs(canvas.hu - parenchyma_hu) < 90  # ribs and veins cover a part of its edge

    blurred = ndimage.gaussian_filter(canvas.hu, 0.7 / canvas.spacing_mm)
    sigma_hu = rng.uniform(8, 15)
    noise_rng = rng if level.noise is None else np.random.default_rng(level.noise)
    noise = ct_noise(noise_rng, canvas.shape, canvas.spacing_mm, sigma_hu)
    return Phantom((blurred + noise).astype(np.float32), liver, canvas.spacing_mm)


def _largest_part(mask: BoolImage) -> BoolImage:
    parts, count = ndimage.label(mask)
    if count < 2:
        return mask
    sizes = np.bincount(parts.ravel())[1:]
    return np.asarray(parts == int(sizes.argmax()) + 1)


def _liver(canvas: _Canvas, cavity: BoolImage, a: float, b: float, level: Level) -> BoolImage:
    """The right lobe along the right wall and the left lobe across the front, painted with a unique value."""
    rng = canvas.rng
    right = canvas.ellipse(-0.52 * a, -0.02 * b, 0.46 * a, rng.uniform(0.80, 0.94) * b, 0.12)
    left = canvas.ellipse(-0.12 * a, -0.46 * b, rng.uniform(0.42, 0.58) * a, 0.36 * b, 0.18)
    right, left = right / max(level.right_lobe, 1e-3) ** 2, left / max(level.left_lobe, 1e-3) ** 2
    joint = -np.logaddexp(-6 * right, -6 * left) / 6
    liver = np.asarray((joint < 1) & cavity)
    canvas.paint(liver, AIR_HU + 1)
    return liver


def _bowel(canvas: _Canvas, free: BoolImage, a: float, b: float) -> None:
    rng = canvas.rng
    for _ in range(rng.integers(5, 9)):
        x, y = rng.uniform(-0.05, 0.6) * a, rng.uniform(-0.35, 0.3) * b
        radius = rng.uniform(9, 15)
        loop = canvas.ellipse(x, y, radius, radius * rng.uniform(0.7, 1.2), rng.uniform(0, 3))
        canvas.paint((loop < 1) & free, 75)
        canvas.paint((loop < 0.62) & free, float(rng.choice([15, 30, 180, -700])))


def _stomach(canvas: _Canvas, free: BoolImage, a: float, b: float) -> None:
    rng = canvas.rng
    stomach = canvas.ellipse(0.48 * a, -0.4 * b, rng.uniform(0.28, 0.36) * a, 0.42 * b, -0.5)
    canvas.paint((stomach < 1) & free, 85)
    canvas.paint((stomach < 0.76) & free, float(rng.choice([18, 30, 220])), 4)
    if rng.random() < 0.6:
        gas_mm = rng.uniform(-0.62, -0.45) * b
        canvas.paint((stomach < 0.76) & free & (canvas.y < gas_mm), -900)


def _spleen(canvas: _Canvas, free: BoolImage, a: float, b: float) -> None:
    spleen = canvas.ellipse(0.70 * a, 0.30 * b, 0.24 * a, 0.50 * b, 0.35)
    hilum = canvas.ellipse(0.42 * a, 0.16 * b, 0.20 * a, 0.30 * b)
    canvas.paint((spleen < 1) & (hilum > 1) & free, canvas.rng.normal(122, 8), 3)


def _kidneys(canvas: _Canvas, cavity: BoolImage, a: float, b: float) -> None:
    rng = canvas.rng
    for side in (-1, 1):
        if side < 0 and rng.random() < 0.25:
            continue  # a slice above the right kidney
        x, y = side * rng.uniform(0.36, 0.40) * a, rng.uniform(0.46, 0.54) * b
        radius = rng.uniform(22, 28)
        kidney = canvas.ellipse(x, y, radius, radius * 1.15, side * 0.4)
        sinus = canvas.ellipse(x - side * radius * 0.75, y - 3, radius * 0.5, radius * 0.42)
        canvas.paint((canvas.ellipse(x, y, radius + 5, radius * 1.15 + 5) < 1) & cavity, FAT_HU)
        canvas.paint((kidney < 1) & cavity, 185, 4)
        canvas.paint((kidney < 0.55) & cavity, 150, 8)
        canvas.paint((sinus < 1) & (kidney < 1), -70)


def _liver_vessels(canvas: _Canvas, liver: BoolImage, parenchyma_hu: float, level: Level) -> None:
    """Hepatic and portal veins: tapering random walks outwards from the centre of the liver."""
    rng = canvas.rng if level.vessels is None else np.random.default_rng(level.vessels)
    rows, columns = np.nonzero(liver)
    centre = np.array([rows.mean(), columns.mean()])
    for _ in range(rng.integers(5, 9)):
        heading = rng.uniform(0, 2 * np.pi) + level.vessel_turn
        start = centre + rng.normal(0, 12 / canvas.spacing_mm, 2)
        _draw_vessel(canvas, liver, start, heading, rng.uniform(2.2, 4.2), parenchyma_hu + rng.uniform(35, 65), rng)


def _draw_vessel(
    canvas: _Canvas,
    liver: BoolImage,
    start: np.ndarray,
    heading: float,
    radius_mm: float,
    hu: float,
    rng: np.random.Generator,
) -> None:
    position, length = start.copy(), rng.uniform(25, 70) / canvas.spacing_mm
    vessel = np.zeros(canvas.shape, dtype=np.float32)
    rows, columns = np.ogrid[: canvas.shape[0], : canvas.shape[1]]
    for travelled in np.arange(0, length, 1.0):
        heading += rng.normal(0, 0.05)
        position = position + np.array([np.sin(heading), np.cos(heading)])
        row, column = position.round().astype(int)
        if not (0 <= row < liver.shape[0] and 0 <= column < liver.shape[1]) or not liver[row, column]:
            break
        radius = max(0.6, radius_mm / canvas.spacing_mm * (1 - 0.75 * travelled / length))
        reach = int(radius) + 2
        window = np.s_[max(row - reach, 0) : row + reach + 1, max(column - reach, 0) : column + reach + 1]
        near = (rows[window[0]] - position[0]) ** 2 + (columns[:, window[1]] - position[1]) ** 2
        vessel[window] = np.maximum(vessel[window], near <= radius**2)
    canvas.hu = np.where((vessel > 0) & liver, hu, canvas.hu).astype(np.float32)


def _great_vessels_and_spine(canvas: _Canvas, b: float) -> None:
    rng = canvas.rng
    spine_y = 0.50 * b
    for side in (-1, 1):
        canvas.paint(canvas.ellipse(side * 34, spine_y + 36, 27, 19, side * 0.3) < 1, MUSCLE_HU, 6)
    canvas.paint(canvas.ellipse(rng.uniform(8, 15), spine_y - 30, 11, 11) < 1, rng.normal(165, 12))
    canvas.paint(canvas.ellipse(-22, spine_y - 27, 13, 9, 0.3) < 1, rng.normal(140, 10))
    canvas.paint(canvas.ellipse(0, spine_y + 40, 5, 18) < 1, BONE_HU * 0.7)
    for side in (-1, 1):
        canvas.paint(canvas.ellipse(side * 24, spine_y + 20, 15, 5, side * 0.35) < 1, BONE_HU * 0.6)
    canvas.paint(canvas.ellipse(0, spine_y + 22, 15, 12) < 1, BONE_HU * 0.7)
    vertebra = canvas.ellipse(0, spine_y, 23, 18, power=2.4)
    canvas.paint(vertebra < 1, BONE_HU * 0.8)
    canvas.paint(vertebra < 0.8, MARROW_HU, 25)
    canvas.paint(canvas.ellipse(0, spine_y + 22, 10, 8) < 1, 30)


def _ribs(canvas: _Canvas, a: float, b: float) -> None:
    rng = canvas.rng
    for side in (-1, 1):
        for position in np.linspace(-0.5, 0.95, 6) + rng.normal(0, 0.05, 6):
            angle = position if side > 0 else np.pi - position
            x, y = (a + 4) * np.cos(angle), (b + 4) * np.sin(angle)
            tangent = np.arctan2(b * np.cos(angle), -a * np.sin(angle))
            rib = canvas.ellipse(x, y, rng.uniform(9, 15), rng.uniform(3.2, 4.2), tangent)
            canvas.paint(rib < 1, BONE_HU)
            canvas.paint(rib < 0.4, MARROW_HU)


def _table(canvas: _Canvas, half_depth: float) -> None:
    height = half_depth + 10 + 0.0009 * canvas.x**2 * -1
    canvas.paint(np.abs(canvas.y - height) < 1.6, 120)
