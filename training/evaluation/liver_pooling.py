"""Fits how a classifier pools its evidence inside the liver: what `python -m training ensemble` writes to its card."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hepar.contracts.cards import LiverPooling, Window
from hepar.ensemble.liver_pooling import pooled_evidence
from training.augment.domain import randomise_domain
from training.evaluation.gate_fitting import liver_masks
from training.evaluation.inference import run_model_on
from training.evaluation.shipped_models import ShippedModel, all_logits_in_liver
from training.metrics.classification import Floats, Labels, fitted_temperature
from training.prepared.dataset import (
    Example,
    image_paths,
    label_indices,
    largest_lesion_sizes,
    read_images,
    read_manifest,
)
from training.sources import UnusableData

POOLING_SHARPNESS = 3.0
"""As in training.classifier.blocks, which needs Keras."""
DOMAIN_COPIES = 4
SPACING_MM = 1.6
_RESIDUAL_MAX = 1e-3
Images = NDArray[np.uint8]
Livers = NDArray[np.bool_]


@dataclass(frozen=True)
class CalibrationImages:
    """The validation images, then DOMAIN_COPIES of each as another scanner would show it.

    images: (n, h, w).  livers: (n, h, w) predicted masks; None without a segmenter.  labels, sizes: (n,).
    originals: number of the validation images, which come first.
    """

    images: Images
    livers: Livers | None
    labels: Labels
    sizes: Floats
    originals: int


def calibration_images(data: Path, window: Window, segmenter: Path | None) -> CalibrationImages:
    """data: a prepared data set.  segmenter: its ONNX file, or None.

    Temperatures are fitted on the validation images themselves, thresholds on the copies too: what is decided on one
    scanner should be as right on the next one.
    """
    validation = read_manifest(data, "validation")
    images = read_images(image_paths(data, validation))
    livers = None if segmenter is None else liver_masks(segmenter, images)
    copies = [
        other_scanner(
            image, np.zeros(image.shape, dtype=bool) if livers is None else livers[index], example, copy, window
        )
        for copy in range(DOMAIN_COPIES)
        for index, (example, image) in enumerate(zip(validation, images, strict=True))
    ]
    everything = np.concatenate([images, np.stack(copies)])
    repeated = DOMAIN_COPIES + 1
    return CalibrationImages(
        everything,
        None if segmenter is None else liver_masks(segmenter, everything),
        np.tile(label_indices(validation), repeated),
        np.tile(largest_lesion_sizes(validation), repeated),
        len(validation),
    )


def other_scanner(image: Images, liver: NDArray[np.bool_], example: Example, copy: int, window: Window) -> Images:
    """(h, w) the image with another contrast, kernel and noise; always the same for a name and a copy's number."""
    seed = hashlib.sha256(f"{example.name}/{copy}".encode()).digest()[:8]
    width_hu = window.high_hu - window.low_hu
    hu = np.asarray(window.low_hu + image.astype(np.float32) * (width_hu / 255), dtype=np.float32)
    rng = np.random.default_rng(int.from_bytes(seed))
    changed = randomise_domain(rng, hu, liver, SPACING_MM, (window.low_hu, window.high_hu))
    return np.asarray(np.clip(np.rint((changed - window.low_hu) * (255 / width_hu)), 0, 255), dtype=np.uint8)


def with_liver_pooling(models: Sequence[ShippedModel], calibration: CalibrationImages) -> list[ShippedModel]:
    """The classifiers, each with the pooling fitted for it; with none where there is no segmenter."""
    count = calibration.originals
    images, labels = calibration.images[:count], calibration.labels[:count]
    livers = None if calibration.livers is None else calibration.livers[:count]
    fitted = []
    for item in models:
        pooling = None if livers is None else fit_liver_pooling(item.model, images, livers, labels)
        fitted.append(replace(item, card=item.card.model_copy(update={"liver_pooling": pooling})))
    return fitted


def fit_liver_pooling(model: Path | bytes, images: Images, livers: Livers, labels: Labels) -> LiverPooling:
    """The network's own last layer, and the temperature that fits its logits in the liver.

    Raises UnusableData for a network whose logits are not pooled from its activation map.
    """
    outputs = run_model_on(model, images)
    activation, logits = outputs["activation"], np.asarray(outputs["logits"], dtype=np.float64)
    everywhere = np.ones(activation.shape[2:])
    evidence = np.stack([pooled_evidence(row, everywhere, POOLING_SHARPNESS) for row in activation])
    inputs = np.hstack([evidence, np.ones((len(evidence), 1))])
    layer = np.linalg.lstsq(inputs, logits, rcond=None)[0]
    if np.abs(inputs @ layer - logits).max() > _RESIDUAL_MAX:
        name = model if isinstance(model, Path) else "the network"
        raise UnusableData(f"the logits of {name} are not pooled from its activation map (docs/decisions/0005)")
    layer = np.round(layer, 6)
    pooling = LiverPooling(
        sharpness=POOLING_SHARPNESS, weights=layer[:-1].T.tolist(), bias=layer[-1].tolist(), temperature=1.0
    )
    temperature = fitted_temperature(all_logits_in_liver(activation, livers, pooling), labels)
    return pooling.model_copy(update={"temperature": temperature})
