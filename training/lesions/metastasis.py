"""Hepatic metastases: one to eight round or oval foci in both lobes.

Appearance after Sica, Ji and Ros, "CT and MR imaging of hepatic metastases", AJR 174, 2000, and Namasivayam,
Martin and Saini, "Imaging of liver metastases: MRI", Cancer Imaging 7, 2007: hypo-attenuating against the
enhanced parenchyma in the portal-venous phase, often with a brighter rim ("target"), centrally necrotic when
large or fast-growing. Sizes and counts follow the CRLM and BCLM rows of MCT-LTDiag (Wu et al., Sci. Data
13:31, 2026). The idea of painting textured ellipses with elastic outlines into healthy livers is that of
Hu et al., "Label-Free Liver Tumor Segmentation", CVPR 2023.
"""

from __future__ import annotations

import numpy as np

from training.fields import FloatImage, harmonic_radius, smooth_field
from training.lesions.outline import Outline, polar

FORMS = ("homogeneous", "target", "necrotic")


def metastasis_count(rng: np.random.Generator) -> int:
    """One to eight, mean about two: the shifted geometric distribution cut at eight."""
    return int(min(rng.geometric(0.5), 8))


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
    """One focus of the given in-plane diameter: opacity 0..1 and contrast in HU, both (h, w)."""
    distance_mm, angle = polar(shape, centre_px, spacing_mm)
    elongation = rng.uniform(1.0, 1.45)
    tilt = rng.uniform(0, np.pi)
    ellipse = 1 / np.sqrt(
        (np.cos(angle - tilt) / np.sqrt(elongation)) ** 2 + (np.sin(angle - tilt) * np.sqrt(elongation)) ** 2
    )
    radius = ellipse * harmonic_radius(rng, angle, rng.uniform(0.02, 0.08), range(2, 7))
    outline_mm = diameter_mm / 2 * radius / np.sqrt(elongation)
    softness_mm = rng.uniform(0.4, 2.2)
    depth_mm = outline_mm - distance_mm
    alpha = 1 / (1 + np.exp(np.clip(-depth_mm / softness_mm, -30, 30)))
    return Outline(alpha.astype(np.float32), _contrast(rng, depth_mm, diameter_mm, spacing_mm))


def _contrast(rng: np.random.Generator, depth_mm: FloatImage, diameter_mm: float, spacing_mm: float) -> FloatImage:
    """Attenuation against the parenchyma as a function of depth below the lesion's own border."""
    relative = np.clip(depth_mm / (diameter_mm / 2), -0.5, 1)
    body_hu = rng.uniform(-62, -24)
    texture = rng.uniform(2, 7) * smooth_field(rng, depth_mm.shape, rng.uniform(2, 5) / spacing_mm)
    contrast = body_hu + texture
    form = rng.choice(FORMS, p=(0.45, 0.3, 0.25) if diameter_mm > 18 else (0.75, 0.2, 0.05))
    if form == "target":
        rim = np.exp(-(((relative - rng.uniform(0.05, 0.22)) / rng.uniform(0.12, 0.22)) ** 2))
        contrast = contrast + rim * rng.uniform(18, 48)
    elif form == "necrotic":
        core = 1 / (1 + np.exp(-(relative - rng.uniform(0.3, 0.5)) / 0.07))
        contrast = contrast + core * rng.uniform(-38, -15) + (1 - core) * rng.uniform(0, 14)
    return np.asarray(contrast, dtype=np.float32)
