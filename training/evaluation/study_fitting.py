"""Fits the probabilities and thresholds of a study's decision on simulated studies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from hepar.ensemble.lesions import VolumeEvidence, analyse_volume, find_candidates
from hepar.ensemble.patient_decision import patient_features
from hepar.ensemble.study_calibration import LogisticModel, StudyCalibration
from hepar.ensemble.voting import Thresholds
from training.evaluation.study_scores import match
from training.simulated import SimulatedStudy
from training.sources import UnusableData

LESION_FEATURES = ("score", "extent", "mask_share", "liver_share", "agreement")
PATIENT_FEATURES = ("lesions", "slices")
MAX_FALSE_LESIONS = 0.25
"""A patient, on the studies of the fit: the operating point."""
LOWEST_LESION_THRESHOLD = 0.3
"""Whatever the studies of the fit allow: they are few."""
MAX_WRONG_TUMOURS = 0.1
"""Of the decisions of the first stage (docs/decisions/0038)."""
MAX_WRONG_TYPES = 0.03
"""Of the decided types (docs/decisions/0054)."""
_PENALTY = 1.0
_SMALLEST_DEVIATION = 1e-6
_TUMOUR_THRESHOLDS = np.round(np.arange(0.5, 0.96, 0.01), 2)
_TYPE_THRESHOLDS = np.round(np.arange(0.5, 1.0, 0.01), 2)
Pair = tuple[SimulatedStudy, VolumeEvidence]


def fit(studies: Sequence[Pair], start: StudyCalibration, vote: Thresholds) -> StudyCalibration:
    """vote: thresholds of the vote on one image; those of a study are at least as high, because they are fitted on
    fewer patients, none of them real.  start: its weights of boxes and classifiers in a lesion's type, and its words
    for certainty, are kept.

    Raises UnusableData where the studies hold no example of a class.
    """
    found = [(study, evidence, find_candidates(evidence)) for study, evidence in studies]
    features, hits = [], []
    for study, _, candidates in found:
        matched = set(match([candidate.linked.boxes for candidate in candidates], study).values())
        features += [candidate.features for candidate in candidates]
        hits += [position in matched for position in range(len(candidates))]
    lesion = _logistic(features, hits, LESION_FEATURES)
    probabilities = [[lesion.probability(item.features) for item in candidates] for _, _, candidates in found]
    patient = _logistic(
        [patient_features(own, evidence.slices) for own, (_, evidence, _) in zip(probabilities, found, strict=True)],
        [study.label is not None for study, _, _ in found],
        PATIENT_FEATURES,
    )
    fitted = start.model_copy(
        update={
            "fitted_on": f"{len(studies)} simulated studies: phantoms with synthesised lesions, no patients",
            "lesion": lesion,
            "patient": patient,
            "lesion_threshold": _lesion_threshold([lesion.probability(item) for item in features], hits, len(studies)),
        }
    )
    return _with_thresholds(fitted, studies, vote)


def _logistic(rows: Sequence[Mapping[str, float]], labels: Sequence[bool], names: Sequence[str]) -> LogisticModel:
    """With an L2 penalty on standardised features, and no weight below 0: more evidence never makes a lesion less
    probable.


    A feature whose weight would be negative is left out, and the others are fitted again.
    """
    if len(set(labels)) < 2:
        raise UnusableData("the studies hold no example of one class: simulate more")
    used = list(names)
    while True:
        table = np.array([[row[name] for name in used] for row in rows])
        mean, deviation = table.mean(axis=0), np.maximum(table.std(axis=0), _SMALLEST_DEVIATION)
        model = LogisticRegression(C=_PENALTY, max_iter=1000).fit((table - mean) / deviation, labels)
        scaled = model.coef_[0] / deviation
        weights = dict(zip(used, scaled.tolist(), strict=True))
        lowest = min(weights, key=weights.__getitem__)
        if weights[lowest] >= 0 or len(used) == 1:
            break
        used.remove(lowest)
    intercept = round(float(model.intercept_[0] - scaled @ mean), 4)
    return LogisticModel(intercept=intercept, weights={name: round(value, 4) for name, value in weights.items()})


def _lesion_threshold(probabilities: Sequence[float], hits: Sequence[bool], patients: int) -> float:
    """The lowest from LOWEST_LESION_THRESHOLD, in steps of 0.01, with at most MAX_FALSE_LESIONS a patient."""
    false = np.array([value for value, hit in zip(probabilities, hits, strict=True) if not hit])
    for threshold in np.round(np.arange(LOWEST_LESION_THRESHOLD, 0.96, 0.01), 2):
        if (false >= threshold).sum() <= MAX_FALSE_LESIONS * patients:
            return float(threshold)
    return 0.95


def _with_thresholds(calibration: StudyCalibration, studies: Sequence[Pair], vote: Thresholds) -> StudyCalibration:
    """The lowest of each stage at which its share of wrong decisions is allowed."""
    decisions = [
        (study.label, analyse_volume(evidence, study.name, 1, calibration).decision) for study, evidence in studies
    ]
    tumour = np.array([decision.tumour_probability or 0.0 for _, decision in decisions])
    truth = np.array([label is not None for label, _ in decisions])
    sure, right = np.maximum(tumour, 1 - tumour), (tumour >= 0.5) == truth
    types = [(label, decision.type_probabilities) for label, decision in decisions if label and decision.tumour]
    type_sure = np.array([max(shares.values(), default=0.0) for _, shares in types])
    type_right = np.array([bool(shares) and max(shares, key=shares.__getitem__) == label for label, shares in types])
    return calibration.model_copy(
        update={
            "tumour_threshold": max(vote.tumour, _lowest(sure, right, _TUMOUR_THRESHOLDS, MAX_WRONG_TUMOURS)),
            "type_threshold": max(vote.type, _lowest(type_sure, type_right, _TYPE_THRESHOLDS, MAX_WRONG_TYPES)),
        }
    )


def _lowest(
    sure: NDArray[np.float64], right: NDArray[np.bool_], thresholds: NDArray[np.float64], allowed: float
) -> float:
    for threshold in thresholds:
        decided = sure >= threshold
        if (decided & ~right).sum() <= allowed * decided.sum():
            return float(threshold)
    return float(thresholds[-1])
