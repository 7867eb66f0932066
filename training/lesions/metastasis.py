"""Hepatic metastases: one to eight round or oval foci in both lobes.

Appearance after Sica, Ji and Ros, "CT and MR imaging of hepatic metastases", AJR 174, 2000, and Namasivayam,
Martin and Saini, "Imaging of liver metastases: MRI", Cancer Imaging 7, 2007: hypo-attenuating compared with the
enhanced parenchyma in the portal-venous phase, often with a brighter rim ("target"), centrally necrotic when
large or fast-growing; the margin is sharp. Sizes, counts, rims and lobulation follow the CRLM and BCLM rows of
MCT-LTDiag (Wu et al., Sci. Data 13:31, 2026). The idea of painting textured ellipses with elastic
outlines into healthy livers is that of Hu et al., "Label-Free Liver Tumor Segmentation", CVPR 2023.
"""

from __future__ import annotations

import numpy as np

from training.fields import FloatImage, harmonic_radius, smooth_field
from training.lesions.outline import Outline, lobulated_level, opacity, polar

RIM_SHARE = 0.70
LOBULATED_SHARE = 0.10


def metastasis_count(rng: np.random.Generator) -> int:
    """One to eight, mean about 1.8: a geometric distribution truncated at eight."""
    return int(min(rng.geometric(0.55), 8))


def metastasis_diameter_mm(rng: np.random.Generator) -> float:
    """Largest diameter in space: log-normal with the pooled CRLM and BCLM median 35 mm and quartiles 24, 49."""
    return float(np.clip(35 * np.exp(0.53 * rng.standard_normal()), 9, 110))


def metastasis(
    rng: np.random.Generator,
    shape: tuple[int, int],
    centre_px: tuple[float, float],
    diameter_mm: float,
    spacing_mm: float,
) -> Outline:
    """One focus of the given in-plane diameter, well defined: opacity 0..1 and contrast in HU, both (h, w)."""
    lobulated = bool(rng.random() < LOBULATED_SHARE)
    if lobulated:
        depth_mm = lobulated_level(rng, shape, centre_px, diameter_mm / 2, spacing_mm, roughness=(0.02, 0.06))
    else:
        depth_mm = _oval(rng, shape, centre_px, diameter_mm, spacing_mm)
    rim = bool(rng.random() < RIM_SHARE)
    contrast = _contrast(rng, depth_mm, diameter_mm, spacing_mm, rim=rim)
    return Outline(opacity(depth_mm, rng.uniform(0.3, 1.0)), contrast, rim, lobulated)


def _oval(
    rng: np.random.Generator,
    shape: tuple[int, int],
    centre_px: tuple[float, float],
    diameter_mm: float,
    spacing_mm: float,
) -> FloatImage:
    distance_mm, angle = polar(shape, centre_px, spacing_mm)
    elongation = rng.uniform(1.0, 1.45)
    tilt = rng.uniform(0, np.pi)
    ellipse = 1 / np.sqrt(
        (np.cos(angle - tilt) / np.sqrt(elongation)) ** 2 + (np.sin(angle - tilt) * np.sqrt(elongation)) ** 2
    )
    radius = ellipse * harmonic_radius(rng, angle, rng.uniform(0.02, 0.07), range(2, 7))
    return np.asarray(diameter_mm / 2 * radius / np.sqrt(elongation) - distance_mm, dtype=np.float32)


def _contrast(
    rng: np.random.Generator, depth_mm: FloatImage, diameter_mm: float, spacing_mm: float, *, rim: bool
) -> FloatImage:
    """Attenuation minus that of the parenchyma, as a function of the depth below the border of the lesion."""
    relative = np.clip(depth_mm / (diameter_mm / 2), -0.5, 1)
    texture = rng.uniform(2, 9) * smooth_field(rng, depth_mm.shape, rng.uniform(2, 5) / spacing_mm)
    contrast = rng.uniform(-102, -48) + texture
    if rim:
        ring = np.exp(-(((relative - rng.uniform(0.05, 0.2)) / rng.uniform(0.1, 0.2)) ** 2))
        contrast = contrast + ring * rng.uniform(12, 50)
    if rng.random() < (0.25 if diameter_mm > 18 else 0.05):
        necrosis = 1 / (1 + np.exp(-(relative - rng.uniform(0.3, 0.5)) / 0.07))
        contrast = contrast + necrosis * rng.uniform(-38, -15) + (1 - necrosis) * rng.uniform(0, 14)
    return np.asarray(contrast, dtype=np.float32)
