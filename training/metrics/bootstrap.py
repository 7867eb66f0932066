"""Confidence intervals that account for the similarity of slices of one patient: resampling by patient."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hepar.contracts.figures import Metric

RESAMPLES = 500
Score = Callable[[NDArray[np.intp]], float]


def metrics_with_intervals(
    patients: Sequence[str], scores: Mapping[str, Score], biased: Collection[str] = ()
) -> dict[str, Metric]:
    """Each score with its interval; a score that is not defined on these images is left out. biased: some of scores."""
    metrics = {name: bootstrap_by_patient(patients, score, biased=name in biased) for name, score in scores.items()}
    return {name: metric for name, metric in metrics.items() if metric is not None}


def bootstrap_by_patient(
    patients: Sequence[str], score: Score, resamples: int = RESAMPLES, *, biased: bool = False
) -> Metric | None:
    """A score and its 95 % percentile interval over patients drawn with replacement (Efron and Tibshirani, 1993).

    patients: (n,) patient of each image.  score: maps image indices (repeats allowed) to a number, or to NaN if it
    is not defined for that draw; such draws are left out of the interval.
    biased: a score, 0 or more, that is systematically larger with fewer different patients: its interval is moved by
    the mean difference between the draws and the value (the same, chapter 10).
    None if the score is not defined at all.  Raises ValueError without images.
    """
    if not patients:
        raise ValueError("no images to score")
    names = np.asarray(patients)
    images_of_patients = [np.flatnonzero(names == patient) for patient in sorted(set(patients))]
    rng = np.random.default_rng(0)
    value = score(np.arange(len(names)))
    if math.isnan(value):
        return None
    scores = []
    for _ in range(resamples):
        drawn = rng.integers(len(images_of_patients), size=len(images_of_patients))
        scores.append(score(np.concatenate([images_of_patients[index] for index in drawn])))
    low, high = np.nanpercentile(scores, [2.5, 97.5])
    if biased:
        bias = np.nanmean(scores) - value
        low, high = max(low - bias, 0), high - bias
    return Metric(value=round(value, 4), low=round(float(low), 4), high=round(float(high), 4))
