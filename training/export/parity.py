"""Checks that an ONNX file gives the same outputs as the training framework."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

PROBABILITY_TOLERANCE = 0.005
BOX_TOLERANCE_PX = 1.0
COMPARED_SCORE = 0.1

GreyImages = NDArray[np.uint8]


class ParityError(Exception):
    """The outputs differ; the message names the image and the difference."""


@dataclass(frozen=True)
class FrameworkBoxes:
    """The boxes of one image. corners: (m, 4) pixels.  labels, scores: (m,)."""

    corners: NDArray[np.float64]
    labels: NDArray[np.intp]
    scores: NDArray[np.float64]


ModelOutput = NDArray[np.float64] | FrameworkBoxes


def require_parity(expected: Sequence[ModelOutput], model: bytes, images: GreyImages) -> None:
    """Raises ParityError unless probabilities agree within 0.005, and boxes of score 0.1 or more within a pixel.

    expected: output of the framework for each image: probabilities (labels,), typicality (1,), boxes, or
    mask probabilities (classes, h, w).
    images: (n, h, w).
    """
    from training.evaluation.inference import run_model_on

    outputs = run_model_on(model, images)
    for index, reference in enumerate(expected):
        if isinstance(reference, FrameworkBoxes):
            side = np.array([images.shape[2], images.shape[1]] * 2)
            corners = outputs["boxes"][index] * side
            _require_boxes(reference, corners, outputs["labels"][index], outputs["scores"][index], index)
        else:
            difference = float(np.abs(_probabilities(outputs, index) - reference).max())
            if difference > PROBABILITY_TOLERANCE:
                raise ParityError(f"image {index}: probabilities differ by {difference:.4f}")


def _probabilities(outputs: dict[str, NDArray[Any]], index: int) -> NDArray[np.float64]:
    if "typicality" in outputs:
        return outputs["typicality"][index].astype(np.float64)
    if "masks" in outputs:
        return outputs["masks"][index].astype(np.float64) / 255
    logits = outputs["logits"][index].astype(np.float64)
    return np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()


def _require_boxes(
    reference: FrameworkBoxes,
    corners: NDArray[np.float64],
    labels: NDArray[np.intp],
    scores: NDArray[np.float64],
    image: int,
) -> None:
    for box, label, score in zip(reference.corners, reference.labels, reference.scores, strict=True):
        if score < COMPARED_SCORE:
            continue
        same = (labels == label) & (np.abs(scores - score) <= 2 * PROBABILITY_TOLERANCE)
        difference = np.abs(corners[same] - box).max(axis=1)
        if not (difference <= BOX_TOLERANCE_PX).any():
            nearest = f"{difference.min():.2f} px away" if len(difference) else "of another label or score"
            raise ParityError(f"image {image}: a box of score {score:.3f} is missing; the nearest is {nearest}")
