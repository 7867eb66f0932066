"""The models of a model repository and their predictions on prepared images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from hepar.contracts.cards import ModelCard, Task
from training.evaluation.inference import predict_boxes, predict_logits
from training.metrics.classification import Floats
from training.metrics.detection import Boxes
from training.versions import leading_version, read_versions


@dataclass(frozen=True)
class ShippedModel:
    """A model of the repository. model: the ONNX file of its leading version."""

    card: ModelCard
    model: Path


def shipped_models(repository: Path) -> list[ShippedModel]:
    """The models of the repository in name order. The segmenter is left out: it has its own data and evaluation."""
    models = []
    for file in sorted(repository.glob("*/card.json")):
        card = ModelCard.model_validate_json(file.read_bytes())
        if card.task != "segmentation":
            model = file.parent / leading_version(read_versions(file.parent)) / "model.onnx"
            models.append(ShippedModel(card, model))
    return models


def models_of_task(models: Sequence[ShippedModel], task: Task) -> list[ShippedModel]:
    return [item for item in models if item.card.task == task]


def calibrated_probabilities(models: Sequence[ShippedModel], images: NDArray[np.uint8]) -> dict[str, Floats]:
    """By model name, (n, k) for images (n, h, w)."""
    return {
        item.card.name: softmax(predict_logits(item.model, images) / item.card.temperature, axis=1) for item in models
    }


def found_boxes(models: Sequence[ShippedModel], images: NDArray[np.uint8]) -> dict[str, list[Boxes]]:
    """By model name, the boxes of each of images (n, h, w)."""
    return {item.card.name: predict_boxes(item.model, images) for item in models}
