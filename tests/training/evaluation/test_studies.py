"""Scores of studies and the fit of their calibration, with volumes whose evidence is written down."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hepar.contracts.lesions import SliceBox
from hepar.ensemble.lesions import VolumeEvidence, analyse_volume
from hepar.ensemble.study_calibration import StudyCalibration
from hepar.ensemble.voting import Thresholds
from hepar.imaging.volume import VolumeGeometry
from tests.support.volumes import CALIBRATION, Ellipsoid, boxes_of, evidence_of, slices_of
from training.evaluation.study_fitting import MAX_FALSE_LESIONS, fit
from training.evaluation.study_page import RealVolume, study_page, write_study_page
from training.evaluation.study_scores import (
    ScoredStudy,
    certainty_rows,
    false_rows,
    lesion_rows,
    match,
    measurement_rows,
    patient_rows,
    score_study,
)
from training.lesions import Label
from training.simulated import SimulatedStudy
from training.simulated.study import measured_truth
from training.sources import UnusableData

GEOMETRY = VolumeGeometry((16, 64, 64), (5.0, 1.0, 1.0))
ONE = Ellipsoid((6, 20, 20), (15, 9, 8))
OTHER = Ellipsoid((10, 45, 44), (20, 13, 11))
FALSE = Ellipsoid((3, 50, 14), (8, 6, 6))


def study(name: str, *solids: Ellipsoid, label: Label | None = "metastasis") -> SimulatedStudy:
    lesions = np.zeros(GEOMETRY.shape, dtype=np.uint8)
    for number, solid in enumerate(solids, 1):
        lesions[solid.voxels(GEOMETRY)] = number
    truth = tuple(
        measured_truth(number, "metastasis", lesions == number, GEOMETRY) for number in range(1, len(solids) + 1)
    )
    liver = np.ones(GEOMETRY.shape, dtype=bool)
    return SimulatedStudy(
        name, label if solids else None, np.zeros(GEOMETRY.shape, dtype=np.int16), liver, lesions, GEOMETRY, truth
    )


def scored(which: SimulatedStudy, evidence: VolumeEvidence) -> ScoredStudy:
    return score_study(which, analyse_volume(evidence, which.name, 1, CALIBRATION))


def boxes(*solids: Ellipsoid, score: float = 0.8) -> list[list[SliceBox]]:
    return [boxes_of(solid.voxels(GEOMETRY), score) for solid in solids]


def test_found_lesions_are_matched_one_to_one_by_overlap() -> None:
    assert match(boxes(OTHER, FALSE, ONE), study("a", ONE, OTHER)) == {1: 2, 2: 0}
    assert match(boxes(ONE, ONE), study("a", ONE)) == {1: 0}
    assert match(boxes(FALSE), study("a", ONE)) == {}


def test_a_tenth_of_overlap_in_space_finds_a_lesion() -> None:
    """One slice of a lesion's seven: about a seventh of the boxes' volume, less in the smallest slice."""
    whole = boxes(ONE)[0]
    assert match([[whole[3]]], study("a", ONE)) == {1: 0}
    assert match([[whole[0]]], study("a", ONE)) == {}


def test_figures_by_hand() -> None:
    """Three patients: two of two lesions found; one of two found and one false; no tumour and one false."""
    complete = scored(study("a", ONE, OTHER), evidence_of(GEOMETRY, ONE, OTHER))
    half = scored(study("b", ONE, OTHER), evidence_of(GEOMETRY, ONE, FALSE))
    healthy = scored(study("c"), evidence_of(GEOMETRY, FALSE))
    studies = [complete, half, healthy]
    assert [item.false for item in studies] == [0, 1, 1]
    rows = {row[0]: row[1:] for row in lesion_rows(studies)}
    assert rows["all"][:2] == ["4", "0.75"]
    assert rows["10 to 20 mm"][:2] == ["2", "1.00"]
    assert rows["20 mm and more"][:2] == ["2", "0.50"]
    assert rows["cholangiocarcinoma"] == ["0", "not defined", ""]
    false = {row[0]: row[1:3] for row in false_rows(studies)}
    assert false == {
        "patients": ["number", "false lesions a patient"],
        "all": ["3", "0.67"],
        "metastasis": ["2", "0.50"],
        "no tumour": ["1", "1.00"],
    }
    patients = {row[0]: row[1:] for row in patient_rows(studies)}
    assert patients["metastasis"] == ["2", "2", "0", "0", "2", "0", "0"]
    assert patients["no tumour"] == ["1", "1", "0", "0", "0", "1", "0"]
    words = {row[0]: row[1:] for row in certainty_rows(studies)}
    assert sum(int(row[0]) for row in list(words.values())[1:]) == 3
    assert sum(int(row[1]) for row in list(words.values())[1:]) == 2
    errors = {row[0]: row for row in measurement_rows(studies)}
    assert errors["long axis, mm"][1] == "3"
    assert float(errors["long axis, mm"][2]) < 1.5


def cohort(count: int) -> list[tuple[SimulatedStudy, VolumeEvidence]]:
    """A third without a tumour; false lesions have low scores and one slice, real ones high scores."""
    rng = np.random.default_rng(0)
    pairs = []
    for number in range(count):
        weak = [item.model_copy(update={"score": 0.2 + 0.1 * rng.random()}) for item in boxes(FALSE)[0][:1]]
        healthy = number % 3 == 0
        which = study(f"p{number}") if healthy else study(f"p{number}", ONE)
        evidence = evidence_of(GEOMETRY, *(() if healthy else (ONE,)))
        slices = slices_of(16, 0.1 if healthy else 0.9)
        pairs.append((which, replace(evidence, boxes=[*evidence.boxes, *weak], slices=slices)))
    return pairs


def test_the_fit_separates_lesions_from_false_ones() -> None:
    pairs = cohort(24)
    fitted = fit(pairs, CALIBRATION, Thresholds(0.5, 0.5))
    assert fitted.fitted_on.startswith("24 simulated studies")
    results = [score_study(which, analyse_volume(evidence, which.name, 1, fitted)) for which, evidence in pairs]
    assert all(item.found is not None for result in results for item in result.matches)
    assert sum(result.false for result in results) <= MAX_FALSE_LESIONS * len(results)
    for result in results:
        assert result.analysis.decision.tumour is (result.study.label is not None)
    assert all(weight >= 0 for weight in fitted.lesion.weights.values())
    assert StudyCalibration.model_validate_json(fitted.model_dump_json()) == fitted


def test_a_fit_without_tumour_free_studies_is_refused() -> None:
    with pytest.raises(UnusableData, match="simulate more"):
        fit([pair for pair in cohort(9) if pair[0].label is not None], CALIBRATION, Thresholds(0.5, 0.5))


def test_thresholds_are_at_least_those_of_the_vote() -> None:
    fitted = fit(cohort(12), CALIBRATION, Thresholds(0.77, 0.93))
    assert (fitted.tumour_threshold, fitted.type_threshold) == (0.77, 0.93)


def test_the_page_names_its_limits_and_the_real_volumes(tmp_path: Path) -> None:
    studies = [scored(study("a", ONE), evidence_of(GEOMETRY, ONE)), scored(study("b"), evidence_of(GEOMETRY))]
    real = [RealVolume("crlm", "one metastasis", studies[0].analysis)]
    page = study_page(studies, real, CALIBRATION)
    assert "say little about real patients" in page
    assert "| crlm | one metastasis |" in page
    assert "numbers of these tests" in page
    assert "## Real patients" not in study_page(studies, [], CALIBRATION)
    write_study_page(page, tmp_path / "new" / "studies.md")
    assert (tmp_path / "new" / "studies.md").read_text() == page
