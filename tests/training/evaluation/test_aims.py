"""The page of aims: from tables written by hand, and the page of this repository."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.training.support import REPOSITORY
from training.commands.aims import WriteAims
from training.commands.context import Context, MissingPrerequisite
from training.evaluation.aims import MeasuredAim, Share, measured_aims, read_tables
from training.evaluation.aims_page import TRIED

EVALUATION = REPOSITORY / "docs" / "evaluation"

OTHERS = (
    "| domain | networks | regions found | 10 mm and more | called a tumour | called cholangiocarcinoma, decided "
    "| of these outside of the liver |"
)
PAGE = f"""# Real patients

## Found at the thresholds of the cards: test patients

| networks | sure | sure, left | boxes a slice without a lesion |
|---|---|---|---|
| shipped, without gate | 1 of 20 (0.05) | 0 of 1 (0.00) | 0.900 (9 on 10) |
| shipped, with gate | 19 of 20 (0.95) | 7 of 8 (0.88) | 0.060 (6 on 100) |

## The same: validation patients

| networks | sure, left |
|---|---|
| shipped, with gate | 1 of 4 (0.25) |

## Sure lesions found, by boxes a slice without a lesion: test patients

| networks | 0.02 boxes a slice | 0.05 boxes a slice |
|---|---|---|
| shipped, fused, with gate | 1 of 20 (0.05) at 0.4 | 18 of 20 (0.90) at 0.25 |

## Tumour or none: area under the curve

| networks | validation: slices | validation: 95 % interval | test: slices | test: 95 % interval |
|---|---|---|---|---|
| before | 0.100 | 0.0 to 0.2 | 0.200 | 0.1 to 0.3 |
| shipped | 0.950 | 0.9 to 1.0 | 0.970 | 0.8 to 1.0 |

## Other scanners and hospitals

{OTHERS}
|---|---|---|---|---|---|---|
| crlm | shipped, with gate | 12 of 20 (0.60) | 12 of 16 (0.75) | 15 of 18 (0.83) | 1 of 18 (0.06) | 0 |
| lits_117 | shipped, with gate | 70 of 100 (0.70) | 40 of 50 (0.80) | 9 of 12 (0.75) | 0 of 12 (0.00) | 2 |
| crlm-ct-1004-41slice | shipped, with gate | none known | none known | none known | none known | 3 |
"""

METRIC = {"value": 0.9, "low": 0.8, "high": 1.0}
REPORT = {
    "classification": {
        "default": "soft_vote",
        "metrics": {
            "soft_vote": {
                "accuracy": METRIC,
                "size_matched_type_accuracy": METRIC | {"value": 0.84},
                "tumour_calibration_error": METRIC | {"value": 0.02},
                "type_calibration_error": METRIC | {"value": 0.05},
            }
        },
    },
    "robustness": {
        "unchanged": {"classification ensemble": 0.9, "detection ensemble": 0.8},
        "noise": {"classification ensemble": 0.88, "detection ensemble": 0.81},
        "blur": {"classification ensemble": 0.91, "detection ensemble": 0.7},
    },
}


@pytest.fixture
def aims() -> dict[str, MeasuredAim]:
    return {item.aim: item for item in measured_aims(REPORT, read_tables(PAGE), 81_000_000)}


@pytest.mark.parametrize(
    ("aim", "figure", "met"),
    [
        ("sure lesions found, with at most", "18 of 20 (0.90), at the score 0.25 that gives that rate", True),
        ("the same, at the score that is served", "19 of 20 (0.95) with 0.060 (6 on 100)", False),
        ("sure lesions in the left lobe", "8 of 12 (0.67)", False),
        ("`lits_117`: lesions of 10 mm and more", "40 of 50 (0.80)", True),
        ("`lits_117`: smaller", "30 of 50 (0.60)", True),
        ("`crlm`: lesions of 10 mm and more", "12 of 16 (0.75)", False),
        ("`crlm`: smaller", "0 of 4 (0.00)", None),
        ("`crlm`: lesion slices", "15 of 18 (0.83)", True),
        ("`crlm`: called chol", "1 of 18 (0.06)", False),
        ("`crlm-ct-1004`", "3", False),
        ("tumour or none, area under the curve on real slices, test", "0.970 (0.8 to 1.0)", True),
        ("tumour or none, area under the curve on real slices, validation", "0.950 (0.9 to 1.0)", False),
        ("accuracy over three labels", "0.900 (0.800 to 1.000)", True),
        ("type, sizes matched", "0.840 (0.800 to 1.000)", False),
        ("calibration error: tumour", "0.020 (0.800 to 1.000)", True),
        ("calibration error: type", "0.050 (0.800 to 1.000)", False),
        ("largest loss of accuracy", "0.020 (noise)", True),
        ("largest loss of mean average precision", "0.100 (blur)", False),
        ("all graphs on disk", "81.0 MB", False),
    ],
)
def test_each_aim_has_its_figure(aims: dict[str, MeasuredAim], aim: str, figure: str, met: bool | None) -> None:
    (item,) = [item for name, item in aims.items() if name.startswith(aim)]
    assert (item.figure, item.met) == (figure, met)


def test_a_share_is_read_from_its_cell() -> None:
    assert Share.read("none known") == Share(0, 0)
    with pytest.raises(ValueError, match=r"not a share: 0\.5"):
        Share.read("0.5")


def test_a_missing_row_is_named() -> None:
    with pytest.raises(ValueError, match=r"no row with .*shipped, fused, with gate"):
        measured_aims(REPORT, read_tables(PAGE.replace("shipped, fused", "another, fused")), 0)


def test_the_page_of_this_repository_is_that_of_its_figures(tmp_path: Path) -> None:
    """Also where the report or the models change and nobody runs `make aims`."""
    copy = tmp_path / "evaluation"
    shutil.copytree(EVALUATION, copy)
    (copy / "aims.md").unlink()
    WriteAims(evaluation=copy).run(Context.create("smoke", tmp_path, REPOSITORY / "triton_models"))
    assert (copy / "aims.md").read_text() == (EVALUATION / "aims.md").read_text()


def test_every_topic_links_to_a_chapter_of_the_log() -> None:
    headings = re.findall(r"^## (.+)$", (REPOSITORY / "docs" / "training-log.md").read_text(), re.MULTILINE)
    anchors = {re.sub(r"[^\w\s-]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
    linked = {link.rpartition("#")[2].rstrip(")") for links in TRIED.values() for link in links}
    assert linked <= anchors
    report = json.loads((EVALUATION / "metrics.json").read_text())
    aims = measured_aims(report, read_tables((EVALUATION / "real.md").read_text()), 0)
    assert {item.topic for item in aims} - {""} == set(TRIED)


def test_without_the_report_the_command_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(MissingPrerequisite, match="run `python -m training report` first"):
        WriteAims(evaluation=tmp_path).run(Context.create("smoke", tmp_path, tmp_path))
