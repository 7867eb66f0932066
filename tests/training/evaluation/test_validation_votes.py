"""The table that decides whether classifiers are shipped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support import tiny_models
from training.evaluation import validation_votes
from training.evaluation.perturbations import PERTURBATIONS
from training.evaluation.validation_votes import FOLDS, VOTE_COLUMNS, Member, ValidationImages, choices, scores

COUNT = 210


@pytest.fixture
def known() -> ValidationImages:
    labels = np.arange(COUNT) % 3
    nothing = np.zeros((0, 1, 1))
    return ValidationImages(
        images=nothing.astype(np.uint8),
        livers=nothing.astype(bool),
        labels=labels,
        sizes=np.where(labels == 2, 0.0, 0.1),
        folds=np.arange(COUNT) // 3 % FOLDS,
        real_images=nothing.astype(np.uint8),
        real_livers=nothing.astype(bool),
        real_labels=np.array([0, 0, 1, 1]),
    )


def member(labels: np.ndarray, wrong: int, strength: float) -> Member:
    """Every `wrong`-th synthesised image is given the next label; of the real slices one of two lesions is missed."""
    said = np.where(np.arange(len(labels)) % wrong == 0, (labels + 1) % 3, labels)
    perturbed = np.where(np.arange(len(labels)) % 2 == 0, (labels + 1) % 3, labels)
    return Member(
        strength * np.eye(3)[said],
        strength * np.eye(3)[[2, 2, 2, 0]],
        (strength * np.eye(3)[said], strength * np.eye(3)[perturbed]),
    )


def test_the_columns_of_a_vote(known: ValidationImages) -> None:
    row = dict(zip(VOTE_COLUMNS, scores({"a": member(known.labels, 10, 1.0)}, known), strict=True))
    assert row["accuracy"] == pytest.approx(0.9)
    assert row["type, sizes matched"] == pytest.approx(0.9)
    assert row["tumour AUC, real slices"] == pytest.approx(0.75)
    assert row["accuracy, perturbed images"] == pytest.approx((0.9 + 0.5) / 2)
    fitted = -(0.9 * np.log(0.9) + 0.1 * np.log(0.05))
    assert row["log loss"] == pytest.approx(fitted, abs=0.01), "a temperature makes 0.9 of the vote the probability"
    assert row["tumour calibration error"] < 0.05


def test_the_strength_of_a_member_does_not_matter(known: ValidationImages) -> None:
    """Each is calibrated before the vote."""
    right, wrong = member(known.labels, 10, 1.0), member(known.labels, 2, 1.0)
    loud = Member(4 * wrong.synthesised, 4 * wrong.real, tuple(4 * rows for rows in wrong.perturbed))
    assert scores({"a": right, "b": loud}, known) == pytest.approx(scores({"a": right, "b": wrong}, known), abs=1e-3)


def test_temperatures_come_from_other_patients(known: ValidationImages) -> None:
    """A network that is right about all patients but those of one fold: it is too sure about these."""
    unlucky = known.folds == 0
    said = np.where(unlucky, (known.labels + 1) % 3, known.labels)
    overfitted = Member(np.eye(3)[said] * 3, np.eye(3)[[2, 2, 2, 0]] * 3, (np.eye(3)[said],))
    honest = dict(zip(VOTE_COLUMNS, scores({"a": overfitted}, known), strict=True))["log loss"]
    together = replace(known, folds=np.arange(COUNT) % FOLDS)
    assert honest > dict(zip(VOTE_COLUMNS, scores({"a": overfitted}, together), strict=True))["log loss"] + 0.2


def test_votes_are_also_compared_with_some_of_the_trained_networks(known: ValidationImages) -> None:
    shipped = {name: member(known.labels, 10, 1.0) for name in "abc"}
    trained = {name: member(known.labels, 5, 1.0) for name in "ab"}
    found = choices(shipped, trained)
    assert list(found) == ["of the run: a: vote", "of the run: b: vote"]
    assert found["of the run: b: vote"] == {"a": shipped["a"], "b": trained["b"], "c": shipped["c"]}


def test_livers_are_found_again_in_perturbed_images(known: ValidationImages, tmp_path: Path) -> None:
    """The segmenter's liver is where the grey level is 100 or more: a window that is shifted by 20 moves its edge."""
    side = tiny_models.SIZE
    tiny_models.write_segmenter(tmp_path, "segment_resunet")
    ramp = np.tile(np.linspace(0, 200, side).astype(np.uint8), (side, 1))
    images = replace(known, images=ramp[None], livers=(ramp >= 100)[None])
    segmenter = tmp_path / "segment_resunet" / "1" / "model.onnx"
    found = dict(zip(PERTURBATIONS, validation_votes.perturbed_images(images, segmenter), strict=True))
    shifted = found["window shifted by 20 of 255"]
    assert (shifted.images[0] == ramp + 20).all()
    assert (shifted.livers[0] == (ramp + 20 >= 100)).all()
    assert all(item.images.shape == item.livers.shape == (1, side, side) for item in found.values())
    assert len({item.images.tobytes() for item in found.values()}) == len(PERTURBATIONS)
