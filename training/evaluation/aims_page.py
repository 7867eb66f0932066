"""Writes the page of aims: docs/evaluation/aims.md."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from hepar.contracts.base import RESEARCH_USE_NOTICE
from training.evaluation.aims import FEWEST, MeasuredAim, measured_aims, model_bytes, read_tables
from training.evaluation.learning_curve import DRAWN, STEM, LearningCurve, read_curve

LOG = "../training-log.md"
GATE, REAL, VIEW = (
    f"[the gate of the segmenter]({LOG}#2026-11-25-the-first-segmenter)",
    f"[the recipe for real patients]({LOG}#2026-11-25-detectors-with-compact-2)",
    f"[a closer view]({LOG}#2026-11-26-a-closer-view-for-the-detectors)",
)
LIVER = (
    f"[evidence in the liver]({LOG}#2026-11-26-evidence-in-the-liver-and-what-else-was-measured-on-the-same-networks)"
)
TEACHER = f"[a teacher]({LOG}#2026-11-26-classifiers-from-nothing-and-from-the-shipped-ones-with-a-teacher)"
STUDENTS = f"[five students]({LOG}#2026-11-27-all-five-classifiers-with-the-teacher-and-the-learning-curve)"
NEW_IMAGES = f"[new images in every epoch]({LOG}#2026-11-27-new-images-in-every-epoch)"
OUTLINES = f"[outlines of real lesions]({LOG}#2026-11-27-outlines-of-real-lesions)"
MEAN = f"[the mean of three segmenters]({LOG}#2026-11-27-the-mean-of-three-trainings)"
CLASSIFIER_MEANS = f"[means of classifiers]({LOG}#2026-11-27-means-of-classifiers)"
STAGES = f"[a threshold for each stage]({LOG}#2026-11-25-a-threshold-for-each-stage-of-the-vote)"
BRIGHTNESS = f"[grey levels by the liver, and other ways without training]({LOG}#2026-11-26-the-input-without-training)"

TRIED = {
    "false boxes": (GATE, REAL, VIEW, OUTLINES, MEAN),
    "left lobe": (REAL,),
    "small lesions": (REAL, VIEW, OUTLINES),
    "boxes outside of the liver": (GATE, VIEW, OUTLINES, MEAN),
    "other scanners": (STAGES, LIVER, TEACHER, STUDENTS, CLASSIFIER_MEANS, BRIGHTNESS),
    "tumour or none": (LIVER, TEACHER, STUDENTS, NEW_IMAGES, OUTLINES, MEAN, CLASSIFIER_MEANS, BRIGHTNESS),
    "type": (STAGES, LIVER, TEACHER, STUDENTS, NEW_IMAGES, CLASSIFIER_MEANS),
    "calibration": (LIVER, STUDENTS, NEW_IMAGES, CLASSIFIER_MEANS),
    "perturbed images": (LIVER, VIEW, CLASSIFIER_MEANS, BRIGHTNESS),
}
"""What was tried for each topic of an aim."""

_INTRODUCTION = f"""Made by `make aims` from `metrics.json`, [real.md](real.md) and the models; do not edit.

Figures are of test patients unless the aim says otherwise; intervals are 95 % over patients. A share of fewer than
{FEWEST} lesions or slices is too few to say whether an aim is met. `lits_117`, `crlm` and `crlm-ct-1004` are one
patient each. The speed of a classification is in [benchmarks.md](../benchmarks.md)."""

_CURVE = """A linear classifier was fitted on features of frozen networks that were trained elsewhere: with all
training patients, a half of them, and so on. It was measured on validation patients. It shows how much the number of
patients limits such a classifier; the shipped networks learn their features from the same patients. Features:"""


def write_page(folder: Path, repository: Path) -> str:
    """Writes `folder`/aims.md and returns it. folder: holds metrics.json and real.md.

    Raises ValueError if these lack a figure.
    """
    report = json.loads((folder / "metrics.json").read_text())
    aims = measured_aims(report, read_tables((folder / "real.md").read_text()), model_bytes(repository))
    lines = ["# Aims", "", f"> {RESEARCH_USE_NOTICE}", "", _INTRODUCTION, "", *_table(aims), "", *_tried(aims)]
    curve = read_curve(folder)
    if curve is not None:
        lines += ["", *_learning_curve(curve)]
    page = "\n".join(lines) + "\n"
    (folder / "aims.md").write_text(page)
    return page


def _table(aims: Sequence[MeasuredAim]) -> list[str]:
    outcome = {True: "met", False: "**not met**", None: "too few to say"}
    rows = [f"| {item.aim} | {item.wanted} | {item.figure} | {outcome[item.met]} |" for item in aims]
    return ["| aim | wanted | today | |", "|---|---|---|---|", *rows]


def _tried(aims: Sequence[MeasuredAim]) -> Iterator[str]:
    """What was tried for each topic with an aim that is not met."""
    yield "## Not met or not known, and what was tried"
    yield ""
    topics = dict.fromkeys(item.topic for item in aims if not item.met)
    for topic in topics:
        yield f"- {topic}: {', '.join(TRIED[topic])}"


def _learning_curve(curve: LearningCurve) -> Iterator[str]:
    yield "## Learning curve"
    yield ""
    yield _CURVE
    yield f"{curve.networks}."
    yield ""
    yield f"![Learning curve]({STEM}.png)"
    yield ""
    yield f"| training patients | images | {' | '.join(DRAWN)} |"
    yield "|---|---|" + "---|" * len(DRAWN)
    for point in curve.points:
        cells = [_spread(point.scores[name]) for name in DRAWN]
        yield f"| {point.patients} | {point.images:.0f} | {' | '.join(cells)} |"
    yield ""
    yield "Means over draws of the patients; in brackets the lowest and the highest draw."


def _spread(scores: Sequence[float]) -> str:
    return f"{np.mean(scores):.3f}" + (f" ({min(scores):.3f} to {max(scores):.3f})" if len(scores) > 1 else "")
