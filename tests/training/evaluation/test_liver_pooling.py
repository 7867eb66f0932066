"""Fitting the pooling in the liver, and the same probabilities in training as in the services."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image
from scipy import special

from hepar.contracts.cards import ModelCard
from hepar.ensemble.liver_pooling import cell_shares, logits_in_liver
from hepar.ensemble.voting import calibrated_probabilities as served
from tests.support import tiny_models
from training.evaluation.inference import run_model_on
from training.evaluation.liver_pooling import fit_liver_pooling, other_scanner
from training.evaluation.shipped_models import ShippedModel, calibrated_probabilities, segmenter_of, votes_in_liver
from training.export.repository import write_model
from training.prepared.dataset import Example
from training.sources import UnusableData

SIDE = tiny_models.SIZE
SHIPPED = Path(__file__).parents[3] / "triton_models"


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 255, (6, SIDE, SIDE), dtype=np.uint8)


@pytest.fixture
def livers() -> np.ndarray:
    masks = np.zeros((6, SIDE, SIDE), dtype=bool)
    masks[:, 10:40, 5:50] = True
    return masks


def shipped(name: str) -> ShippedModel:
    card = ModelCard.model_validate_json((SHIPPED / name / "card.json").read_bytes())
    return ShippedModel(card, SHIPPED / name / "1" / "model.onnx")


@pytest.mark.parametrize("name", sorted(folder.name for folder in SHIPPED.glob("classify_*")))
def test_the_card_holds_the_last_layer_of_the_shipped_network(name: str) -> None:
    """Pooled over the whole image, the evidence gives the logits of the graph."""
    item = shipped(name)
    pooling, side = item.card.liver_pooling, item.card.input.height
    assert pooling is not None
    rng = np.random.default_rng(1)
    images = np.stack([np.full((side, side), 90), rng.integers(0, 255, (side, side))]).astype(np.uint8)
    outputs = run_model_on(item.model, images)
    everywhere = np.ones(outputs["activation"].shape[2:])
    pooled = [logits_in_liver(activation, everywhere, pooling) for activation in outputs["activation"]]
    assert np.array(pooled) == pytest.approx(outputs["logits"], abs=1e-4)


def test_training_and_services_compute_the_same_probabilities() -> None:
    item = shipped("classify_unet")
    pooling, side = item.card.liver_pooling, item.card.input.height
    assert pooling is not None
    sample = Image.open(SHIPPED.parent / "samples" / "metastasis.png").convert("L").resize((side, side))
    image = np.asarray(sample)[None]
    liver = np.zeros((1, side, side), dtype=bool)
    liver[0, :60, :60] = True  # far from the lesion
    (activation,) = run_model_on(item.model, image)["activation"]
    shares = cell_shares(liver[0], *activation.shape[1:])
    expected = served(logits_in_liver(activation, shares, pooling), pooling.temperature)
    (trained,) = calibrated_probabilities([item], image, liver)["classify_unet"]
    assert trained == pytest.approx(expected)
    (whole,) = calibrated_probabilities([item], image)["classify_unet"]
    assert np.abs(whole - trained).max() > 0.1


def test_the_temperature_is_fitted_to_the_logits_in_the_liver(
    tmp_path: Path, images: np.ndarray, livers: np.ndarray
) -> None:
    """The tiny network's logits are its map of one cell: sure of metastasis, right in four of six images."""
    tiny_models.write_classifier(tmp_path, "classify_sure", (0.0, 6.0, 0.0), brightness_gain=1.0)
    labels = np.array([1, 1, 1, 1, 0, 2])
    pooling = fit_liver_pooling(tmp_path / "classify_sure" / "1" / "model.onnx", images, livers, labels)
    logits = run_model_on(tmp_path / "classify_sure" / "1" / "model.onnx", images)["logits"]
    likelihood = [
        special.log_softmax(logits / temperature, axis=1)[np.arange(6), labels].mean()
        for temperature in (0.9 * pooling.temperature, pooling.temperature, 1.1 * pooling.temperature)
    ]
    assert likelihood[1] > max(likelihood[0], likelihood[2])
    assert pooling.temperature > 2


def test_a_network_that_does_not_pool_its_map_is_refused(tmp_path: Path) -> None:
    """Its output `activation` is the square of the map."""
    item = shipped("classify_unet")
    graph = onnx.load(item.model)
    for node in graph.graph.node:
        for names in (node.input, node.output):
            names[:] = ["map" if name == "activation" else name for name in names]
    graph.graph.node.append(onnx.helper.make_node("Mul", ["map", "map"], ["activation"]))
    model = write_model(tmp_path, graph, item.card) / "1" / "model.onnx"
    side = item.card.input.height
    images = np.random.default_rng(0).integers(0, 255, (6, side, side)).astype(np.uint8)
    with pytest.raises(UnusableData, match="not pooled from its activation map"):
        fit_liver_pooling(model, images, np.ones(images.shape, dtype=bool), np.zeros(6, dtype=np.intp))


def test_votes_are_from_the_liver_where_every_card_pools(
    tmp_path: Path, images: np.ndarray, livers: np.ndarray
) -> None:
    pooling = {
        "sharpness": 3.0,
        "weights": [[0.0] * 3] * 3,
        "bias": [3.0, 0.0, 0.0],
        "temperature": 1.0,
    }
    tiny_models.write_classifier(tmp_path, "classify_a", (0, 1, 0), liver_pooling=pooling)
    tiny_models.write_classifier(tmp_path, "classify_b", (0, 1, 0))
    first, second = (
        ShippedModel(
            ModelCard.model_validate_json((tmp_path / name / "card.json").read_bytes()),
            tmp_path / name / "1" / "model.onnx",
        )
        for name in ("classify_a", "classify_b")
    )
    assert votes_in_liver([first])
    assert not votes_in_liver([first, second])
    inside = calibrated_probabilities([first], images, livers)["classify_a"]
    assert inside[0] == pytest.approx(special.softmax([3, 0, 0]))
    both = calibrated_probabilities([first, second], images, livers)
    assert both["classify_a"][0] == pytest.approx(special.softmax([0, 1, 0]))


def test_copies_of_other_scanners_differ_and_stay_the_same(images: np.ndarray, livers: np.ndarray) -> None:
    window = shipped("classify_unet").card.window
    example = Example("validation", "a", "1", 0, [])
    first, again = (other_scanner(images[0], livers[0], example, 0, window) for _ in range(2))
    assert (first == again).all()
    assert first.dtype == np.uint8
    assert (first != other_scanner(images[0], livers[0], example, 1, window)).any()


def test_the_segmenter_is_the_leading_version(tmp_path: Path) -> None:
    assert segmenter_of(tmp_path) is None
    tiny_models.write_segmenter(tmp_path, "segment_resunet")
    assert segmenter_of(tmp_path) == tmp_path / "segment_resunet" / "1" / "model.onnx"
