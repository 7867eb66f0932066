"""Before anything is measured: every peer gives Hepar's answer to the same images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.measurement import MeasurementFailed

PROBABILITY_TOLERANCE = 1e-4
PIXEL_TOLERANCE = 0.5
Answer = Mapping[str, Any]


def check_classification(name: str, image: str, answer: Answer, expected: Answer) -> None:
    """Raises MeasurementFailed where a probability, of the vote or of one model, is another one than Hepar's."""
    votes = {vote["model"]: vote["probabilities"] for vote in expected["votes"]}
    pairs = [("the vote", answer["probabilities"], expected["probabilities"])]
    if answer["votes"].keys() != votes.keys():
        raise MeasurementFailed(f"{name} asked {', '.join(answer['votes'])}; Hepar {', '.join(votes)}")
    pairs += [(model, answer["votes"][model], votes[model]) for model in votes]
    for source, got, wanted in pairs:
        if got.keys() != wanted.keys() or any(abs(got[label] - wanted[label]) > PROBABILITY_TOLERANCE for label in got):
            raise MeasurementFailed(f"{image}: {name} gives {dict(got)} for {source}, Hepar {dict(wanted)}")


def check_detection(name: str, image: str, answer: Answer, expected: Answer) -> None:
    """Raises MeasurementFailed where a box has another label, score or place than Hepar's."""
    got, wanted = answer["boxes"], expected["boxes"]
    if len(got) != len(wanted) or not all(_same_box(one, other) for one, other in zip(got, wanted, strict=True)):
        raise MeasurementFailed(f"{image}: {name} finds {got}, Hepar {wanted}")


def _same_box(one: Answer, other: Answer) -> bool:
    places = all(abs(one[side] - other[side]) <= PIXEL_TOLERANCE for side in ("x_min", "y_min", "x_max", "y_max"))
    score = abs(one["score"] - other["score"]) <= 2 * PROBABILITY_TOLERANCE  # both are rounded
    return places and score and one["label"] == other["label"] and one["detectors"] == other["detectors"]
