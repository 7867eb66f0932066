"""Votes by the evidence in the liver on a real Triton: the map of the network is the brightness of the image."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy import special

from tests.classify_service.test_classify_service import classify
from tests.support.model_services import ModelServices
from tests.support.pictures import encoded
from tests.support.tiny_models import agree_on, write_mapped_classifier, write_segmenter
from tests.support.triton import RunningTriton

POOLING = {
    "sharpness": 0.05,
    "weights": [[0.1, 0, 0], [0, 0.02, 0], [0, 0, 0]],
    "bias": [0.0, 0.5, 0.25],
    "temperature": 2.0,
}
LIVER, BRIGHT, OUTSIDE = 110, 150, 90


@pytest.fixture
def repository(triton: RunningTriton, tmp_path: Path) -> Path:
    """The services' own copy of the cards: a segmenter that sees liver from grey level 100 on."""
    folder = tmp_path / "models"
    write_mapped_classifier(folder, "mapped", liver_pooling=POOLING)
    write_segmenter(folder, "segment_grey")
    return folder


def slice_with_liver() -> np.ndarray:
    """64 x 64: the left half is liver with a brighter spot."""
    pixels = np.full((64, 64), OUTSIDE, dtype=np.uint8)
    pixels[:, :32] = LIVER
    pixels[10:20, 5:15] = BRIGHT
    return pixels


def expected_probabilities(pixels: np.ndarray) -> np.ndarray:
    inside = pixels[pixels >= 100].astype(float) - 127.5
    evidence = (special.logsumexp(0.05 * inside) - np.log(len(inside))) / 0.05
    logits = np.array(POOLING["weights"]) @ np.full(3, evidence) + np.array(POOLING["bias"])
    return np.asarray(special.softmax(logits / 2.0))


def test_the_evidence_in_the_liver_votes_with_its_own_parameters(repository: Path, services: ModelServices) -> None:
    inside = {"temperature": 1.0, "decision_threshold": 0.5, "type_threshold": 0.99}
    agree_on(repository, ["mapped"], method="soft_vote", decision_threshold=0.5, type_threshold=0.5, in_liver=inside)
    with services.classify(repository) as client:
        answer = classify(client, encoded(slice_with_liver()))
    expected = expected_probabilities(slice_with_liver())
    assert list(answer.probabilities.values()) == pytest.approx(expected.tolist(), abs=1e-5)
    assert list(answer.votes[0].probabilities.values()) == pytest.approx(expected.tolist(), abs=1e-5)
    assert (answer.outcome, answer.tumour) == ("type_undecided", True)


def test_grey_outside_of_the_liver_changes_nothing(repository: Path, services: ModelServices) -> None:
    other = slice_with_liver()
    other[:20, 40:] = 20
    with services.classify(repository) as client:
        first, second = (classify(client, encoded(pixels)) for pixels in (slice_with_liver(), other))
    assert first.probabilities == second.probabilities


def test_without_the_mask_the_whole_image_votes(repository: Path, services: ModelServices) -> None:
    """The tiny network's own logits are 0, 1 and 0."""
    shutil.rmtree(repository / "segment_grey")
    inside = {"temperature": 1.0, "decision_threshold": 0.5, "type_threshold": 0.99}
    agree_on(repository, ["mapped"], method="soft_vote", decision_threshold=0.5, type_threshold=0.5, in_liver=inside)
    with services.classify(repository) as client:
        answer = classify(client, encoded(slice_with_liver()))
    assert list(answer.probabilities.values()) == pytest.approx(special.softmax([0, 1, 0]).tolist(), abs=1e-5)
    assert (answer.outcome, answer.label) == ("decided", "metastasis")


def test_all_votes_are_from_the_liver_or_none_is(
    triton: RunningTriton, repository: Path, services: ModelServices
) -> None:
    """The card of the second network has no pooling: probabilities of two kinds are not averaged."""
    shutil.copytree(triton.repository / "classify_steady", repository / "classify_steady")
    with services.classify(repository) as client:
        both = classify(client, encoded(slice_with_liver()))
        alone = classify(client, encoded(slice_with_liver()), classifiers="mapped")
    assert list(both.votes[1].probabilities.values()) == pytest.approx(special.softmax([0, 1, 0]).tolist(), abs=1e-5)
    expected = expected_probabilities(slice_with_liver())
    assert list(alone.votes[0].probabilities.values()) == pytest.approx(expected.tolist(), abs=1e-5)


def test_the_explanation_shows_only_the_evidence_that_counted(repository: Path, services: ModelServices) -> None:
    """Brighter than mid-grey outside of the liver of a segmenter that sees it where the image is dark."""
    shutil.rmtree(repository / "segment_grey")
    write_segmenter(repository, "segment_dark", in_the_dark=True)
    pixels = np.full((64, 64), 200, dtype=np.uint8)
    pixels[:, :32] = 60
    with services.classify(repository) as client:
        pooled = classify(client, encoded(pixels), explain="true")
        card = repository / "mapped" / "card.json"
        card.write_text(json.dumps(json.loads(card.read_text()) | {"liver_pooling": None}))
    with services.classify(repository) as client:
        whole = classify(client, encoded(pixels), explain="true")
    assert pooled.explanation is not None
    assert whole.explanation is not None
    assert np.array(pooled.explanation.activation_map).max() == 0
    assert np.array(whole.explanation.activation_map)[:, 34:].min() > 0.95
