"""What readers made of the findings, as lines of the report."""

from __future__ import annotations

from hepar.contracts.findings import FindingMeasurement, ReadFinding
from hepar.contracts.lesions import Lesion
from hepar.contracts.study_results import StudyResult

from .wording import MISSING, Wording

LINES_MAX = 6


def reading_lines(result: StudyResult, words: Wording) -> list[str]:
    """One line of figures, then one for each corrected finding; empty without corrections."""
    if result.reading is None:
        return []
    models = {lesion.id: lesion for lesion in result.lesions}
    lines = [_line(finding, models.get(finding.id), words) for finding in result.reading.findings]
    more = [words["more"].format(count=len(lines) - LINES_MAX)] if len(lines) > LINES_MAX else []
    return [_figures(result, words), *lines[:LINES_MAX], *more]


def reading_sentences(result: StudyResult, words: Wording) -> list[str]:
    """The same for running text."""
    lines = reading_lines(result, words)
    return (
        [f"{words['reading']}: {' '.join(line if line.endswith('.') else f'{line}.' for line in lines)}"]
        if lines
        else []
    )


def _figures(result: StudyResult, words: Wording) -> str:
    assert result.reading is not None  # noqa: S101  the caller checks it
    summary = result.reading.summary
    volume = MISSING if summary.tumour_ml is None else f"{words.number(summary.tumour_ml, 1)} ml"
    return words["reading_figures"].format(
        lesions=summary.lesions, volume=volume, rejected=summary.rejected, added=summary.added,
        unreviewed=summary.unreviewed,
    )  # fmt: skip


def _line(finding: ReadFinding, lesion: Lesion | None, words: Wording) -> str:
    """Such as "L2: rejected (clinician, 2026-11-26 10:04 UTC)"; a change names the models' answer as well."""
    parts = [words["reader_added"] if lesion is None else words.term("status", finding.status)]
    if lesion is None and finding.status != "accepted":
        parts.append(words.term("status", finding.status))
    if lesion is None:
        parts.append(words.term("label", finding.label))
    if "label" in finding.changed:
        parts.append(_changed(words["type"], words.term("label", finding.label), _model_type(lesion, words), words))
    if "outline" in finding.changed or lesion is None:
        before = None if lesion is None else _size(lesion, words)
        parts.append(_changed(words["outline"], _size(finding.measurement, words), before, words))
    who = f"{words.term('role', finding.last_role)}, {words.time(finding.last_at)}"
    return f"{finding.id}: {'; '.join(parts)} ({who})"


def _changed(name: str, now: str, before: str | None, words: Wording) -> str:
    was = "" if before is None else f" [{words['by_models']}: {before}]"
    return f"{name} {now}{was}"


def _model_type(lesion: Lesion | None, words: Wording) -> str | None:
    return None if lesion is None else words.term("label", lesion.label)


def _size(measured: Lesion | FindingMeasurement, words: Wording) -> str:
    axes = " \N{MULTIPLICATION SIGN} ".join(
        words.number(axis.length_mm, 1) for axis in (measured.long_axis, measured.short_axis)
    )
    volume = "" if measured.volume_ml is None else f", {words.number(measured.volume_ml, 1)} ml"
    return f"{axes} mm{volume}"
