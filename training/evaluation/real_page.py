"""Writes the page on real patients: docs/evaluation/real.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hepar.contracts.base import RESEARCH_USE_NOTICE
from training.evaluation.best_member import compared_with_best_member
from training.evaluation.judged_slices import Judged, RealSlice
from training.evaluation.real_patients import Row, by_patient, froc, operating_points, other_domains, tumour_area

_INTRODUCTION = """Made by `make evaluate`; do not edit.

All lesions on this page are real; [table.md](table.md) is about synthesised ones. The boxes on the MSD slices were
confirmed by somebody who is not a radiologist, who called them sure or probable. Slices that were unclear are left
out. A lesion is found if a fused box of either type overlaps it by 0.3 or more. Sizes are those of the box at 1.6 mm
per pixel. Left means left of the middle of the body. The type of the lesions is not known, except in `crlm` and
`crlm-ct-1004-41slice`, two patients with colorectal metastases. In `lits_117` and `crlm`, a region is a connected
part of the outlined tumour in one slice. `abdomen_pelvis` is a CT of TotalSegmentator's tests: the segmenter was
trained with it, classifiers and detectors were not. Nobody has looked for lesions in its liver; 60 of its slices show
no liver.

The mask of the liver is that of each repository's own segmenter, or of the shipped one where it has none. So boxes
outside of the liver are counted by different masks in the rows "shipped" and "before".

The thresholds and the gate were fitted on the validation patients, so that the figures of these are too good. Each
figure comes from few patients."""

_BEST = "The fusion and its best detector: mean share of sure lesions found over these rates of boxes"


def write_page(slices: Sequence[RealSlice], judged: Sequence[Judged], path: Path) -> str:
    """Writes the page and returns it. judged: the shipped networks first."""
    sections = [
        ("Found at the thresholds of the cards: test patients", operating_points(slices, judged, "test")),
        ("The same: validation patients", operating_points(slices, judged, "validation")),
        ("Sure lesions found, by boxes a slice without a lesion: test patients", froc(slices, judged, "test")),
        ("The same: validation patients", froc(slices, judged, "validation")),
        (_BEST, compared_with_best_member(slices, judged)),
        ("Tumour or none: area under the curve", tumour_area(slices, judged)),
        ("Other scanners and hospitals", other_domains(slices, judged)),
        (f"Each test patient: {judged[0].name}", by_patient(slices, judged[0], "test")),
        (f"Each validation patient: {judged[0].name}", by_patient(slices, judged[0], "validation")),
    ]
    lines = ["# Real patients", "", f"> {RESEARCH_USE_NOTICE}", "", _INTRODUCTION, "", _counts(slices), ""]
    for title, rows in sections:
        lines += [f"## {title}", "", *_table(rows), ""]
    page = "\n".join(lines)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page)
    return page


def _counts(slices: Sequence[RealSlice]) -> str:
    sentences = []
    for part in ("test", "validation"):
        own = [item for item in slices if item.item.domain == "msd" and item.item.part == part]
        lesions = [lesion for item in own for lesion in item.lesions]
        sentences.append(
            f"{len({item.item.patient for item in own})} {part} patients: {len(lesions)} lesions "
            f"({sum(lesion.sure for lesion in lesions)} sure) on {sum(bool(item.lesions) for item in own)} slices, and "
            f"{sum(item.lesion_free for item in own)} slices without a lesion."
        )
    return " ".join(sentences)


def _table(rows: Sequence[Row]) -> list[str]:
    return [f"| {' | '.join(rows[0])} |", "|" + "---|" * len(rows[0]), *(f"| {' | '.join(row)} |" for row in rows[1:])]
