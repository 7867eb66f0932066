"""Weights of served graphs in the classifiers that they were exported from."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torchvision  # noqa: F401  must be imported before TensorFlow: the other order crashes
from PIL import Image

from training.configuration import ClassifierName, load_configuration
from training.evaluation.inference import run_model_on
from training.sources import UnusableData

REPOSITORY = Path(__file__).parents[3]
SIDE = 256


def graph_of(name: str) -> Path:
    return REPOSITORY / "triton_models" / f"classify_{name}" / "1" / "model.onnx"


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """(3, SIDE, SIDE) of the samples."""
    files = sorted((REPOSITORY / "samples").glob("*.png"))[:3]
    return np.stack([np.asarray(Image.open(file).convert("L").resize((SIDE, SIDE))) for file in files])


@pytest.mark.parametrize("name", get_args(ClassifierName))
def test_a_classifier_computes_what_the_shipped_graph_computes(name: ClassifierName, images: np.ndarray) -> None:
    """In inference, and in training on the images of its statistics, where normalisation uses those of the batch."""
    from training.classifier.fit import new_classifier
    from training.classifier.shipped_weights import load_shipped_weights

    model = new_classifier(name, load_configuration("compact"), 3)
    load_shipped_weights(model, graph_of(name), images)
    expected = run_model_on(graph_of(name), images)
    for training, tolerance in ((False, 1e-4), (True, 1e-2)):
        outputs = model(images[..., None], training=training)
        assert np.asarray(outputs["logits"]) == pytest.approx(expected["logits"], abs=tolerance)
        activation = np.moveaxis(np.asarray(outputs["activation"]), -1, 1)
        assert activation == pytest.approx(expected["activation"], abs=5 * tolerance)


def test_a_graph_of_another_network_is_refused(images: np.ndarray) -> None:
    from training.classifier.fit import new_classifier
    from training.classifier.shipped_weights import load_shipped_weights

    model = new_classifier("unet", load_configuration("compact"), 3)
    with pytest.raises(UnusableData, match="has other layers than unet"):
        load_shipped_weights(model, graph_of("resunet"), images)
    smaller = new_classifier("unet", load_configuration("smoke"), 3)
    with pytest.raises(UnusableData, match="layer"):
        load_shipped_weights(smaller, graph_of("unet"), images)
