"""Detectors that see a closer part of the prepared images: their boxes are those of the images themselves."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydantic import ValidationError

from hepar.contracts.cards import ModelCard
from hepar.contracts.views import FIELD_MM, View
from training.evaluation.inference import predict_boxes
from training.evaluation.shipped_models import ShippedModel, found_boxes, models_of_task, shipped_models

REPOSITORY = Path("triton_models")
DETECTOR = REPOSITORY / "detect_yolov5" / "1" / "model.onnx"
CLOSER_MM = 341.3


@functools.cache
def sample() -> NDArray[np.uint8]:
    picture = Image.open("samples/metastasis.png").convert("L").resize((256, 256), Image.Resampling.BICUBIC)
    return np.asarray(picture, dtype=np.uint8)


def best(image: NDArray[np.uint8], field_mm: float) -> NDArray[np.float64]:
    (boxes,) = predict_boxes(DETECTOR, image[None], field_mm)
    return np.asarray(boxes.corners[boxes.scores.argmax()] * 256)


def test_a_box_of_a_closer_view_lies_on_the_same_lesion() -> None:
    wide, closer = best(sample(), FIELD_MM), best(sample(), CLOSER_MM)
    assert closer == pytest.approx(wide, abs=3)
    assert not np.array_equal(closer, wide), "both saw the same"


def test_it_follows_the_patient() -> None:
    moved = np.zeros_like(sample())
    moved[:, 8:] = sample()[:, :-8]
    assert best(moved, CLOSER_MM) == pytest.approx(best(sample(), CLOSER_MM) + np.array([8, 0, 8, 0]), abs=2)


def test_each_detector_sees_the_field_of_its_card() -> None:
    (shipped,) = [item for item in models_of_task(shipped_models(REPOSITORY), "detection") if item.model == DETECTOR]
    closer = shipped.card.input.model_copy(update={"field_mm": CLOSER_MM})
    assert closer.view == View(256, 256, CLOSER_MM)
    detector = ShippedModel(shipped.card.model_copy(update={"input": closer}), DETECTOR)
    (boxes,) = found_boxes([detector], sample()[None])["detect_yolov5"]
    assert np.array_equal(boxes.corners[boxes.scores.argmax()] * 256, best(sample(), CLOSER_MM))


@pytest.mark.parametrize("name", ["classify_resnet", "segment_resunet", "check_input"])
def test_only_detectors_may_see_a_closer_field(name: str) -> None:
    """Masks are of the segmenter's view, and classifiers use them in their own."""
    card = ModelCard.model_validate_json((REPOSITORY / name / "card.json").read_bytes())
    closer = card.input.model_copy(update={"field_mm": CLOSER_MM})
    with pytest.raises(ValidationError, match="only detectors"):
        ModelCard.model_validate(card.model_dump() | {"input": closer.model_dump()})
