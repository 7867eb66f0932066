"""Splitting patients into training, validation and test parts. No patient is ever in two parts."""

from __future__ import annotations

import numpy as np

from training.configuration import DataConfiguration
from training.prepared.dataset import PARTS
from training.sources import UnusableData

MIN_PATIENTS = 6


def split_by_patient(patients: set[str], data: DataConfiguration) -> dict[str, str]:
    """Assigns every patient to one part, by a shuffle with the configured seed and the configured shares.

    Raises UnusableData for fewer than MIN_PATIENTS patients.
    """
    if len(patients) < MIN_PATIENTS:
        raise UnusableData(f"{len(patients)} patients are too few to train, validate and test on")
    shuffled = np.random.default_rng(data.seed).permutation(sorted(patients)).tolist()
    return dict(zip(shuffled, shuffled_parts(len(shuffled), data), strict=True))


def shuffled_parts(count: int, data: DataConfiguration) -> list[str]:
    """The parts of `count` shuffled patients in the configured shares, at least one in test and validation."""
    tests = max(1, round(count * data.test_share))
    validations = max(1, round(count * data.validation_share))
    return ["test"] * tests + ["validation"] * validations + ["train"] * (count - tests - validations)


def fold_by_patient(patients: set[str], data: DataConfiguration, number: int, count: int) -> dict[str, str]:
    """The split of one cross-validation fold: fold `number` (from 1) is tested on, the next fold validates.

    Raises UnusableData for fewer than three folds or fewer patients than folds.
    """
    if not len(PARTS) <= count <= len(patients):
        raise UnusableData(f"{len(patients)} patients and {count} folds: too few to train, validate and test on")
    shuffled = np.random.default_rng(data.seed).permutation(sorted(patients)).tolist()
    parts = {(number - 1) % count: "test", number % count: "validation"}
    return {patient: parts.get(place % count, "train") for place, patient in enumerate(shuffled)}
