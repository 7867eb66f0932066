"""Studies and their results in words."""

from __future__ import annotations

from hepar_client.contracts.lesions import Lesion
from hepar_client.contracts.studies import Study
from hepar_client.contracts.study_results import StudyResult
from hepar_client.contracts.wording import probability_text


def study_line(study: Study) -> str:
    """One line of a list."""
    parts = [study.id, study.status, study.name or "-", study.accession_number or "-", study.study_date or "-"]
    summary = study.summary
    if study.status == "running":
        total = study.progress.slices_total
        parts.append(f"{study.progress.stage} {study.progress.slices_done}{f' of {total}' if total else ''}")
    elif study.problem is not None:
        parts.append(f"{study.problem.title}: {study.problem.detail}")
    elif summary is not None:
        certainty = "" if summary.probability is None else f" {probability_text(summary.probability)}"
        parts.append(f"{summary.label or summary.outcome.replace('_', ' ')}{certainty}, {_lesions(summary.lesions)}")
    return "  ".join(parts)


def result_lines(result: StudyResult) -> list[str]:
    """The patient-level result, one line per lesion, and what a reader should know."""
    facts = [_headline(result)]
    if result.tumour_ml is not None and result.liver_ml is not None and result.tumour_percent is not None:
        facts.append(
            f"Tumour burden: {result.tumour_ml:.1f} ml of {result.liver_ml:.0f} ml ({result.tumour_percent:.1f} %)"
        )
    facts += [_lesion_line(lesion) for lesion in result.lesions]
    facts += [
        f"Series: {series.description or series.id} ({series.reason})" for series in result.series if series.chosen
    ]
    facts += [f"Note: {warning}" for warning in result.warnings]
    facts += [f"Unreadable: file {file.index}, {file.detail}" for file in result.unreadable_files]
    return facts + [f"Without {model}" for model in result.missing_models]


def _headline(result: StudyResult) -> str:
    if result.outcome == "out_of_scope":
        return "Out of scope: no slice shows a liver"
    label = result.label or ("tumour, type undecided" if result.tumour else "undecided")
    if result.tumour is False:
        label = "no tumour"
    probability = (
        ""
        if result.tumour_probability is None
        else f" (tumour probability {probability_text(result.tumour_probability)})"
    )
    return f"{label}{probability}, {_lesions(len(result.lesions))}"


def _lesion_line(lesion: Lesion) -> str:
    slices = f"slices {lesion.first_slice} to {lesion.last_slice}, key slice {lesion.key_slice}"
    size = f"{lesion.long_axis.length_mm:.1f} x {lesion.short_axis.length_mm:.1f} mm"
    volume = "" if lesion.volume_ml is None else f", {lesion.volume_ml:.1f} ml"
    kind = lesion.label or "type undecided"
    return f"  {lesion.id}: {size}{volume}, {kind}, probability {probability_text(lesion.probability)}, {slices}"


def _lesions(count: int) -> str:
    return "1 lesion" if count == 1 else f"{count} lesions"
