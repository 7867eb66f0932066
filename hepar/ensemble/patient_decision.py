"""From lesions and slices to one decision about the patient. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hepar.contracts.analyses import Outcome
from hepar.contracts.lesions import Lesion
from hepar.contracts.study_results import Certainty, KeySlice, SliceResult
from hepar.ensemble.lesion_probability import most_probable_type
from hepar.ensemble.study_calibration import StudyCalibration, bounded_logit
from hepar.ensemble.voting import NO_TUMOUR

KEY_SLICES = 5
_TELLING_SHARE = 0.1
"""The classifiers' evidence is that of the tenth of the slices with the highest probability of a tumour."""


@dataclass(frozen=True)
class PatientDecision:
    """The fields of `StudyResult` of the same names."""

    outcome: Outcome
    tumour: bool | None
    tumour_probability: float | None
    label: str | None
    type_probabilities: dict[str, float]
    certainty: Certainty | None
    liver_ml: float | None
    tumour_ml: float | None
    tumour_percent: float | None
    key_slices: list[KeySlice]

    @classmethod
    def out_of_scope(cls) -> PatientDecision:
        """No slice shows a liver."""
        return cls("out_of_scope", None, None, None, {}, None, None, None, None, [])


def decide(
    lesions: Sequence[Lesion],
    candidates: Sequence[float],
    slices: Sequence[SliceResult],
    liver_ml: float | None,
    calibration: StudyCalibration,
) -> PatientDecision:
    """Tumour first, type second, as for one image (docs/decisions/0038).

    lesions: that are reported, largest first.  candidates: probabilities of these and of all others that were linked.
    slices: of the liver.  liver_ml: None without masks.
    """
    probability = calibration.patient.probability(patient_features(candidates, slices))
    types = _types(lesions, slices)
    label, tumour, outcome = _two_stages(probability, types, calibration)
    tumour_ml = _tumour_ml(lesions) if liver_ml is not None else None
    return PatientDecision(
        outcome=outcome,
        tumour=tumour,
        tumour_probability=round(probability, 4),
        label=label,
        type_probabilities={name: round(share, 4) for name, share in types.items()},
        certainty=calibration.certainty(_outcome_probability(probability, types, tumour, label)),
        liver_ml=None if liver_ml is None else round(liver_ml, 1),
        tumour_ml=tumour_ml,
        tumour_percent=round(100 * tumour_ml / liver_ml, 2) if tumour_ml is not None and liver_ml else None,
        key_slices=key_slices(lesions, slices),
    )


def patient_features(candidates: Sequence[float], slices: Sequence[SliceResult]) -> dict[str, float]:
    """Evidence for a tumour, by the names that `StudyCalibration.patient` weighs. Both are log odds between -6 and 6.

    lesions: of the probability that at least one candidate is a lesion, as if they were independent.  slices: of the
    mean probability of a tumour over the tenth of the slices where it is highest; 0 where no classifier answered.
    """
    any_lesion = 1 - math.prod(1 - probability for probability in candidates)
    answered = sorted((item.tumour_probability for item in slices if item.tumour_probability is not None), reverse=True)
    telling = answered[: max(1, math.ceil(_TELLING_SHARE * len(answered)))]
    return {
        "lesions": bounded_logit(any_lesion),
        "slices": bounded_logit(sum(telling) / len(telling)) if telling else 0.0,
    }


def key_slices(lesions: Sequence[Lesion], slices: Sequence[SliceResult]) -> list[KeySlice]:
    """At most five: the key slices of the most probable lesions, then the slices with the highest probability."""
    probabilities = {item.slice: item.tumour_probability for item in slices}
    by_probability = sorted(lesions, key=lambda lesion: -lesion.probability)
    order = dict.fromkeys(lesion.key_slice for lesion in by_probability)
    rest = sorted((-value, index) for index, value in probabilities.items() if value is not None)
    order |= dict.fromkeys(index for _, index in rest)
    return [
        KeySlice(
            slice=index,
            lesions=[lesion.id for lesion in lesions if lesion.first_slice <= index <= lesion.last_slice],
            tumour_probability=probabilities.get(index),
        )
        for index in list(order)[:KEY_SLICES]
    ]


def _types(lesions: Sequence[Lesion], slices: Sequence[SliceResult]) -> dict[str, float]:
    """Mean of the lesions' types weighted by probability and size; of the slices' where no lesion has a type."""
    weighted = [(lesion.type_probabilities, lesion.probability * lesion.long_axis.length_mm) for lesion in lesions]
    if not any(types for types, _ in weighted):
        weighted = [(item.type_probabilities, item.tumour_probability or 0.0) for item in slices]
    sums: dict[str, float] = {}
    for types, weight in weighted:
        for label, share in types.items():
            sums[label] = sums.get(label, 0.0) + weight * share
    total = sum(sums.values())
    return {label: sums[label] / total for label in sorted(sums)} if total > 0 else {}


def _two_stages(
    probability: float, types: Mapping[str, float], calibration: StudyCalibration
) -> tuple[str | None, bool | None, Outcome]:
    """Label, whether there is a tumour, and the outcome."""
    if max(probability, 1 - probability) < calibration.tumour_threshold:
        return None, None, "indeterminate"
    if probability < 0.5:
        return NO_TUMOUR, False, "decided"
    label = most_probable_type(types, calibration.type_threshold)
    return label, True, "decided" if label else "type_undecided"


def _outcome_probability(
    probability: float, types: Mapping[str, float], tumour: bool | None, label: str | None
) -> float:
    """That the stated outcome is right."""
    if tumour is None:
        return max(probability, 1 - probability)
    if not tumour:
        return 1 - probability
    return probability * types[label] if label is not None else probability


def _tumour_ml(lesions: Sequence[Lesion]) -> float:
    return round(sum(lesion.volume_ml for lesion in lesions if lesion.volume_ml is not None), 3)
