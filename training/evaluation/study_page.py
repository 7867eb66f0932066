"""Writes the page on studies: docs/evaluation/studies.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hepar.contracts.base import RESEARCH_USE_NOTICE
from hepar.ensemble.lesions import VolumeAnalysis
from hepar.ensemble.study_calibration import StudyCalibration
from training.evaluation.study_scores import (
    FOUND_OVERLAP,
    ScoredStudy,
    certainty_rows,
    false_rows,
    lesion_rows,
    measurement_rows,
    patient_rows,
)


@dataclass(frozen=True)
class RealVolume:
    """A patient of the shared data. known: what is known about the tumour, in words."""

    name: str
    known: str
    analysis: VolumeAnalysis


def study_page(studies: Sequence[ScoredStudy], real: Sequence[RealVolume], calibration: StudyCalibration) -> str:
    lines = ["# Studies", "", f"> {RESEARCH_USE_NOTICE}", "", *_introduction(studies, calibration), ""]
    sections = [
        ("Lesions found", lesion_rows(studies)),
        ("False lesions", false_rows(studies)),
        ("Measurements of found lesions", measurement_rows(studies)),
        ("Patients", patient_rows(studies)),
        ("Certainty", certainty_rows(studies)),
    ]
    for title, rows in sections:
        lines += [f"## {title}", "", *_table(rows), ""]
    if real:
        lines += ["## Real patients", "", _REAL, "", *_table(_real_rows(real)), ""]
    return "\n".join(lines)


def write_study_page(page: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page)


_REAL = """Patients with colorectal metastases from TCIA's Colorectal-Liver-Metastases. Two patients are no measurement:
they show what simulated studies do not. A liver's volume is that of the segmenter's mask."""


def _introduction(studies: Sequence[ScoredStudy], calibration: StudyCalibration) -> list[str]:
    spacing_mm = studies[0].study.geometry.spacing_mm[0]
    text = f"""Made by `make evaluate-studies`; do not edit.

{len(studies)} simulated studies: phantoms with synthesised lesions in three dimensions, slices {spacing_mm:g} mm apart,
through the shipped networks and `hepar.ensemble.lesions`. They test the chain from slices to a patient's result. They
say little about real patients: the phantoms come from one generator, and the networks were trained with lesions of the
same kind. Intervals are bootstrapped over patients.

A lesion is found if its boxes overlap the true ones by {FOUND_OVERLAP:g} or more (intersection over union in space),
one to one. Sizes are long axes. The calibration was fitted on {calibration.fitted_on};
none of these is evaluated here.

Lesions less probable than {calibration.lesion_threshold:g} are left out. Either answer, a tumour or none, needs a
probability of {calibration.tumour_threshold:g}, a type {calibration.type_threshold:g}."""
    return text.splitlines()


def _real_rows(real: Sequence[RealVolume]) -> list[list[str]]:
    rows = [
        [
            "volume",
            "known",
            "p(tumour)",
            "label",
            "type probabilities",
            "lesions",
            "largest, mm",
            "tumour, ml",
            "liver, ml",
        ]
    ]
    for item in real:
        decision, lesions = item.analysis.decision, item.analysis.lesions
        types = ", ".join(f"{name} {share:.2f}" for name, share in decision.type_probabilities.items())
        rows.append(
            [
                item.name,
                item.known,
                "out of scope" if decision.tumour_probability is None else f"{decision.tumour_probability:.2f}",
                decision.label or "undecided",
                types,
                str(len(lesions)),
                f"{lesions[0].long_axis.length_mm:g}" if lesions else "",
                "" if decision.tumour_ml is None else f"{decision.tumour_ml:.1f}",
                "" if decision.liver_ml is None else f"{decision.liver_ml:.0f}",
            ]
        )
    return rows


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(rows[0])} |", "|" + "---|" * len(rows[0]), *(f"| {' | '.join(row)} |" for row in rows[1:])]
