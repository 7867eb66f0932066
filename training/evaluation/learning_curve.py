"""How well a classifier does with fewer training patients, as figures in a file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

STEM = "learning_curve"
DRAWN = ("accuracy", "type, sizes matched", "tumour AUC", "tumour AUC, real slices")
"""The scores that the graph and the page of aims show."""


@dataclass(frozen=True)
class CurvePoint:
    """Classifiers fitted on `patients` training patients, with `images` images on average.

    scores: by name (training.evaluation.validation_votes.COLUMNS), one for each draw of the patients.
    """

    patients: int
    images: float
    scores: dict[str, list[float]]


@dataclass(frozen=True)
class LearningCurve:
    """networks: what computed the features.  points: by a growing number of patients."""

    networks: str
    points: list[CurvePoint]


def write_curve(curve: LearningCurve, folder: Path) -> Path:
    """Writes the figures as JSON and returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{STEM}.json"
    file.write_text(json.dumps(asdict(curve), indent=1) + "\n")
    return file


def read_curve(folder: Path) -> LearningCurve | None:
    """What `write_curve` wrote; None if nothing was written there."""
    file = folder / f"{STEM}.json"
    if not file.is_file():
        return None
    stored = json.loads(file.read_text())
    return LearningCurve(stored["networks"], [CurvePoint(**point) for point in stored["points"]])
