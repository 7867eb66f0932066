"""The paired comparison of the ensemble with a model, and the report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from training.evaluation.comparison import paired_comparison
from training.evaluation.report import write_report


def test_the_paired_test_uses_only_discordant_images() -> None:
    ensemble_correct, model_correct = np.arange(100) < 90, np.arange(100) < 70
    pair = paired_comparison(ensemble_correct, model_correct, [f"p{index % 10}" for index in range(100)])
    assert pair["accuracy_difference"]["value"] == pytest.approx(0.2)
    assert (pair["only_ensemble_right"], pair["only_model_right"]) == (20, 0)
    assert pair["mcnemar_p"] == pytest.approx(2 * 0.5**20, abs=1e-5)


def test_the_report_contains_every_graph_and_every_number(tmp_path: Path) -> None:
    metric = {"value": 0.5, "low": 0.4, "high": 0.6}
    report = {
        "test_images": 4,
        "test_patients": 2,
        "classification": {
            "labels": ["cholangiocarcinoma", "metastasis"],
            "default": "soft_vote",
            "metrics": {"a": {"accuracy": metric}, "soft_vote": {"accuracy": metric | {"value": 0.77}}},
            "ensemble_vs_model": {"a": {"accuracy_difference": metric, "mcnemar_p": 0.25}},
            "confusion": [[1, 0], [1, 2]],
            "roc": {"soft_vote": {"metastasis": [[0, 1], [0, 1]]}},
            "reliability": [[0.5, 0.6, 4]],
            "coverage_accuracy": [[0.5, 1, 0.6]],
        },
        "robustness": {"unchanged": {"a": 0.5}, "blur": {"a": 0.25}},
    }
    page = write_report(report, tmp_path / "report").read_text()
    assert "not a medical device" in page
    assert "0.770 (0.400 to 0.600)" in page
    for stem in ("accuracy", "confusion", "roc", "reliability", "coverage", "robustness"):
        assert f"src='{stem}.svg'" in page
        assert (tmp_path / "report" / f"{stem}.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((tmp_path / "report" / "metrics.json").read_text()) == report
    assert "| soft_vote (served by default) | 0.770" in (tmp_path / "report" / "table.md").read_text()
