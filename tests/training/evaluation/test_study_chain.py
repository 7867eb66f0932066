"""The sample study as a hospital would send it, through the shipped networks, to lesions and a decision."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hepar.ensemble.lesions import VolumeAnalysis, VolumeEvidence, analyse_volume
from hepar.imaging.study import load_study
from training.evaluation.study_chain import StudyNetworks

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "samples" / "study.zip"
NEAR_MM = 10.0


@pytest.fixture(scope="module")
def evidence() -> VolumeEvidence:
    _, volume = load_study([SAMPLE])
    return StudyNetworks.of(ROOT / "triton_models").evidence(volume.hu, volume.geometry)


@pytest.fixture(scope="module")
def analysis(evidence: VolumeEvidence) -> VolumeAnalysis:
    return analyse_volume(evidence, "sample", 1)


def test_only_slices_of_the_liver_are_classified(evidence: VolumeEvidence) -> None:
    indices = [item.slice for item in evidence.slices]
    assert 20 < len(indices) < evidence.geometry.shape[0]
    assert {box.slice for box in evidence.boxes} <= set(indices)


def test_every_lesion_of_the_sample_is_found_at_its_place(analysis: VolumeAnalysis) -> None:
    truth = json.loads((ROOT / "samples" / "study.json").read_text())
    for expected in truth["lesions"]:
        distances_mm = [
            np.linalg.norm(np.subtract(lesion.centre_mm, expected["centre_mm"])) for lesion in analysis.lesions
        ]
        nearest = analysis.lesions[int(np.argmin(distances_mm))]
        assert min(distances_mm) < NEAR_MM
        assert nearest.label == expected["label"]
        assert nearest.measured_on == "mask"
        assert nearest.long_axis.length_mm == pytest.approx(expected["long_axis_mm"], abs=10)
    assert analysis.decision.liver_ml == pytest.approx(truth["liver_ml"], rel=0.15)


def test_the_sample_is_called_metastasis(analysis: VolumeAnalysis) -> None:
    decision = analysis.decision
    assert (decision.outcome, decision.tumour, decision.label) == ("decided", True, "metastasis")
    assert len(decision.key_slices) == 5
