"""Perturbations of an image, to measure how robust the metrics are against them."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from training.metrics.detection import Boxes

GreyImages = NDArray[np.uint8]
ROTATION_DEGREES = 6.0


def _noise(image: GreyImages) -> GreyImages:
    seed = int(image.astype(np.int64).sum())
    return _grey(image + np.random.default_rng(seed).normal(0, 10, image.shape))


def _blur(image: GreyImages) -> GreyImages:
    return _grey(ndimage.gaussian_filter(image.astype(np.float32), 1.2))


def _jpeg(image: GreyImages) -> GreyImages:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=25)
    return np.asarray(Image.open(buffer))


def _window_shift(image: GreyImages) -> GreyImages:
    return _grey(image.astype(np.float32) + 20)


def _rotation(image: GreyImages) -> GreyImages:
    return _grey(ndimage.rotate(image.astype(np.float32), ROTATION_DEGREES, reshape=False, order=1))


def _grey(values: NDArray[np.floating]) -> GreyImages:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


PERTURBATIONS: Mapping[str, Callable[[GreyImages], GreyImages]] = {
    "noise, standard deviation 10 of 255": _noise,
    "blur, standard deviation 1.2 px": _blur,
    "JPEG, quality 25": _jpeg,
    "window shifted by 20 of 255": _window_shift,
    f"rotation by {ROTATION_DEGREES:g} degrees": _rotation,
}


def perturbed_boxes(name: str, boxes: Boxes) -> Boxes:
    """The boxes after a perturbation. Only a rotation moves them: to the box around the rotated ellipse."""
    if not name.startswith("rotation") or not len(boxes.corners):
        return boxes
    angle = np.deg2rad(ROTATION_DEGREES)
    centre = (boxes.corners[:, :2] + boxes.corners[:, 2:]) / 2 - 0.5
    half = (boxes.corners[:, 2:] - boxes.corners[:, :2]) / 2
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])  # x right, y down
    centre = centre @ rotation.T + 0.5
    half = np.sqrt((half**2) @ (rotation.T**2))
    return Boxes(np.clip(np.hstack([centre - half, centre + half]), 0, 1), boxes.labels, boxes.scores)
