"""Fitted numbers of a study's decision: probabilities of lesions and of a tumour, types, thresholds, certainty."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from hepar.contracts.base import Document
from hepar.contracts.study_results import Certainty

CALIBRATION_FILE = Path(__file__).with_suffix(".json")
_LOGIT_BOUND = 6.0


class LogisticModel(Document):
    """probability = 1 / (1 + exp(-(intercept + sum of weight * feature)))."""

    intercept: float
    weights: dict[str, float]

    def probability(self, features: Mapping[str, float]) -> float:
        """Raises KeyError where a feature is missing."""
        total = self.intercept + sum(weight * features[name] for name, weight in self.weights.items())
        return 1 / (1 + math.exp(-max(min(total, 30.0), -30.0)))


class StudyCalibration(Document):
    """The features are documented where they are computed: lesion_probability.py and patient_decision.py.

    The shipped numbers are in study_calibration.json; `make evaluate-studies FIT=1` writes them.
    """

    fitted_on: str = Field(description="the studies that the numbers were fitted on, in words")
    lesion: LogisticModel
    patient: LogisticModel
    lesion_threshold: float = Field(ge=0, le=1, description="less probable lesions are left out")
    tumour_threshold: float = Field(ge=0.5, le=1, description="that either answer needs, a tumour or none")
    type_threshold: float = Field(ge=0, le=1, description="that the most probable type needs")
    box_label_weight: float = Field(ge=0, description="of the labels of boxes in a lesion's type")
    classifier_weight: float = Field(ge=0, description="of the classifiers in a lesion's type")
    high_certainty: float = Field(default=0.9, description="probability of the outcome from which it is `high`")
    moderate_certainty: float = Field(default=0.7, description="the same for `moderate`; below, it is `low`")

    def certainty(self, probability: float) -> Certainty:
        """In words. probability: of the outcome, 0 to 1."""
        if probability >= self.high_certainty:
            return "high"
        return "moderate" if probability >= self.moderate_certainty else "low"


@functools.cache
def shipped_calibration() -> StudyCalibration:
    return StudyCalibration.model_validate_json(CALIBRATION_FILE.read_bytes())


def bounded_logit(probability: float) -> float:
    """ln(p / (1 - p)), at most 6 in size: probabilities of 0 and 1 are not evidence without bounds."""
    if probability <= 0 or probability >= 1:
        return math.copysign(_LOGIT_BOUND, probability - 0.5)
    return max(-_LOGIT_BOUND, min(_LOGIT_BOUND, math.log(probability / (1 - probability))))
