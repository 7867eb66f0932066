"""The models of a model repository and their predictions on prepared images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from hepar.contracts.cards import LiverPooling, ModelCard, Task
from hepar.ensemble.liver_pooling import cell_shares, logits_in_liver
from training.evaluation.inference import predict_boxes, predict_logits, run_model_on
from training.metrics.classification import Floats
from training.metrics.detection import Boxes
from training.versions import leading_version, read_versions

SEGMENTER = "segment_resunet"


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


def segmenter_of(repository: Path) -> Path | None:
    """The ONNX file of the segmenter's leading version; None where the repository has none."""
    folder = repository / SEGMENTER
    if not (folder / "card.json").is_file():
        return None
    return folder / leading_version(read_versions(folder)) / "model.onnx"


def calibrated_probabilities(
    models: Sequence[ShippedModel], images: NDArray[np.uint8], livers: NDArray[np.bool_] | None = None
) -> dict[str, Floats]:
    """By model name, (n, k) for images (n, h, w).

    livers: (n, h, w) predicted masks. With them and `votes_in_liver`, the evidence is that in the liver, as served.
    """
    if livers is None or not votes_in_liver(models):
        return {
            item.card.name: softmax(predict_logits(item.model, images) / item.card.temperature, axis=1)
            for item in models
        }
    return {item.card.name: _in_liver(item, images, livers) for item in models}


def votes_in_liver(models: Sequence[ShippedModel]) -> bool:
    """Whether all of the models can pool their evidence inside the liver."""
    return all(item.card.liver_pooling is not None for item in models)


def _in_liver(item: ShippedModel, images: NDArray[np.uint8], livers: NDArray[np.bool_]) -> Floats:
    pooling = item.card.liver_pooling
    if pooling is None:
        raise ValueError(f"{item.card.name} has no pooling inside the liver")
    activation = run_model_on(item.model, images)["activation"]
    return np.asarray(softmax(all_logits_in_liver(activation, livers, pooling) / pooling.temperature, axis=1))


def all_logits_in_liver(activation: NDArray[np.floating], livers: NDArray[np.bool_], pooling: LiverPooling) -> Floats:
    """(n, labels). activation: (n, labels, h, w).  livers: (n, h, w); where one is empty, the whole image counts.

    The services classify no image without a liver.
    """
    rows = [
        logits_in_liver(maps, cell_shares(liver if liver.any() else np.ones_like(liver), *maps.shape[1:]), pooling)
        for maps, liver in zip(activation, livers, strict=True)
    ]
    return np.stack(rows)


def found_boxes(models: Sequence[ShippedModel], images: NDArray[np.uint8]) -> dict[str, list[Boxes]]:
    """By model name, the boxes of each of images (n, h, w); each model sees the field of its card."""
    return {item.card.name: predict_boxes(item.model, images, item.card.input.field_mm) for item in models}
