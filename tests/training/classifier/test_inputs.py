"""The batches that a classifier is trained on: label weights, and lesion masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torchvision  # noqa: F401  must be imported before TensorFlow: the other order crashes

from training.classifier.inputs import training_batches
from training.configuration import load_configuration
from training.prepared.dataset import Example
from training.prepared.writing import start_dataset, write_example

SIDE = 64
BOX = (0.25, 0.25, 0.5, 0.5)


@pytest.fixture
def examples(tmp_path: Path) -> list[Example]:
    """One cholangiocarcinoma with its box, three metastases without, and no healthy slice."""
    start_dataset(tmp_path, {})
    grey = np.zeros((SIDE, SIDE), dtype=np.uint8)
    made = [Example("train", "a", "a", 0, [(0, *BOX)])]
    made += [Example("train", name, name, 1, []) for name in "bcd"]
    return [write_example(example, grey, None, tmp_path) for example in made]


def test_rare_labels_have_more_weight_and_unlocated_lesions_do_not_train_the_map(
    tmp_path: Path, examples: list[Example]
) -> None:
    settings = load_configuration("smoke").classifier.model_copy(update={"balance": "class_weights", "batch_size": 4})
    ((_, targets, weights),) = training_batches(examples, tmp_path, settings, 1, 2, 8).as_numpy_iterator()
    for label, weight, map_weight in zip(targets["logits"], weights["logits"], weights["activation"], strict=True):
        rare = label.argmax() == 0
        assert weight == pytest.approx(4 / 2 if rare else 4 / 6)
        assert map_weight == pytest.approx(2.0 if rare else 0.0)


def test_repeating_balances_the_labels(tmp_path: Path, examples: list[Example]) -> None:
    settings = load_configuration("smoke").classifier.model_copy(update={"balance": "repeat", "batch_size": 6})
    ((_, targets, weights),) = training_batches(examples, tmp_path, settings, 1, 2, 8).as_numpy_iterator()
    assert targets["logits"].sum(axis=0).tolist() == [3, 3]
    assert weights["logits"].tolist() == [1] * 6
