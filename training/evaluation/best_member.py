"""Whether the fusion finds more real lesions than its best detector does alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from training.evaluation.judged_slices import Answer, Judged, RealSlice
from training.evaluation.real_patients import FALSE_BOXES, PARTS, Point, Row, found, lowest_threshold, pairs_of


def compared_with_best_member(slices: Sequence[RealSlice], judged: Sequence[Judged]) -> list[Row]:
    """One row for each repository, part and gate. Parts without a sure lesion are left out."""
    rows = [["networks", "patients", "fused", "best detector alone", "its share", "difference"]]
    for repository in judged:
        gate = repository.fusion.liver_gate
        shares = {"without gate": 0.0} | ({"with gate": gate.minimum_share} if gate else {})
        for part in PARTS:
            for gated, minimum in shares.items():
                row = _row(slices, repository, part, minimum)
                rows += [[f"{repository.name}, {gated}", part, *row]] if row else []
    return rows


def _row(slices: Sequence[RealSlice], repository: Judged, part: str, minimum_share: float) -> Row | None:
    """None without detectors or sure lesions."""

    def recall(answers: tuple[Answer, ...]) -> float:
        return _mean_recall(slices, replace(repository, answers=answers), part, minimum_share)

    fused = recall(repository.answers)
    members = {name: recall(answers) for name, answers in repository.members.items()}
    if not members or np.isnan(fused):
        return None
    best = max(members, key=members.__getitem__)
    return [f"{fused:.3f}", best, f"{members[best]:.3f}", f"{fused - members[best]:+.3f}"]


def _mean_recall(slices: Sequence[RealSlice], judged: Judged, part: str, minimum_share: float) -> float:
    """Of the sure lesions, the share that is found; mean over FALSE_BOXES, each at its lowest threshold."""
    pairs = pairs_of(slices, judged, "msd", (part,))
    hits = []
    for allowed in FALSE_BOXES:
        point = Point("", lowest_threshold(pairs, minimum_share, allowed), minimum_share)
        hits += found(pairs, point, lambda lesion: lesion.sure)
    return float(np.mean(hits)) if hits else float("nan")
