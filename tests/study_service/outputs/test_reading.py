"""Corrections of readers in the outputs of a result."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest

from hepar.contracts.base import example_of
from hepar.contracts.findings import ReadFinding, Reading
from hepar.contracts.study_files import Language
from study_service.outputs.context import OutputContext
from study_service.outputs.encapsulated_pdf import encapsulated_pdf_file
from study_service.outputs.fhir import fhir_bundle
from study_service.outputs.pdf import report_pdf
from study_service.outputs.reading import LINES_MAX
from study_service.outputs.seg import segmentation_file
from study_service.outputs.sr import comprehensive_report_file, structured_report_file
from study_service.outputs.wording import WORDS
from tests.study_service.outputs.test_pdf import pages_of, text_of
from tests.support.derived_study import StudyOptions, derived_study
from tests.support.dicom_tools import errors_of_iod

_EXAMPLE = Reading.model_validate(example_of(Reading))


def corrected(language: Language, findings: list[ReadFinding], corrections: int = 3) -> OutputContext:
    context = derived_study(StudyOptions(language=language))
    summary = _EXAMPLE.summary.model_copy(update={"corrections": corrections})
    reading = Reading(summary=summary, findings=findings)
    return replace(context, result=context.result.model_copy(update={"reading": reading}))


def finding(finding_id: str, **changes: object) -> ReadFinding:
    return _EXAMPLE.findings[0].model_copy(update={"id": finding_id, "changed": [], **changes})


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        (
            "en",
            [
                "L1: accepted; Most probable type Cyst [models: Metastasis]",
                "Outline 24.7 \N{MULTIPLICATION SIGN} 19.1 mm, 5.2 ml [models: 15.0 \N{MULTIPLICATION SIGN} 10.0 mm",
                "L2: rejected (clinician, 2026-11-26 10:04 UTC)",
                "R1: added by a reader",
            ],
        ),
        ("de", ["L2: abgelehnt (klinisch tätige Person, 26.11.2026 10:04 UTC)", "R1: ergänzt", "24,7"]),
    ],
)
def test_the_report_states_changes_beside_the_models_answer(
    language: Language, expected: list[str], tmp_path: Path
) -> None:
    findings = [
        finding("L1", label="cyst", changed=["label", "outline"]),
        finding("L2", status="rejected"),
        finding("R1", source="reader"),
    ]
    content = report_pdf(corrected(language, findings))
    text = " ".join(text_of(content, tmp_path).split())
    for part in [*expected, "2.2 ml" if language == "en" else "2,2 ml", WORDS[language]["notice"]]:
        assert part in text, text
    assert pages_of(content, tmp_path) == 1


def test_many_corrections_are_counted_and_none_is_no_section(tmp_path: Path) -> None:
    content = report_pdf(corrected("en", [finding(f"L{number}") for number in range(1, LINES_MAX + 5)]))
    assert WORDS["en"]["more"].format(count=4) in text_of(content, tmp_path)
    assert WORDS["en"]["reading"] not in text_of(report_pdf(derived_study()), tmp_path)


def made(make: Callable[[OutputContext], bytes | None], context: OutputContext) -> pydicom.FileDataset:
    return pydicom.dcmread(io.BytesIO(make(context) or b""))


@pytest.mark.parametrize("make", [encapsulated_pdf_file, structured_report_file, comprehensive_report_file])
def test_a_corrected_report_is_another_dicom_object(make: Callable[[OutputContext], bytes | None]) -> None:
    contexts = [derived_study(), *(corrected("en", [finding("L1")], count) for count in (1, 2))]
    instances = [made(make, context) for context in contexts]
    assert len({str(item.SOPInstanceUID) for item in instances}) == len(contexts)
    assert len({str(item.SeriesInstanceUID) for item in instances}) == 1
    assert all(item.file_meta.MediaStorageSOPInstanceUID == item.SOPInstanceUID for item in instances)


def test_masks_stay_the_object_that_they_are() -> None:
    assert segmentation_file(corrected("en", [finding("L1")])) == segmentation_file(derived_study())


def test_structured_report_and_fhir_state_rejected_findings(tmp_path: Path) -> None:
    context = corrected("en", [finding("L2", status="rejected")])
    expected = "L2: rejected (clinician, 2026-11-26 10:04 UTC)."
    (tmp_path / "sr.dcm").write_bytes(structured_report_file(context) or b"")
    assert errors_of_iod(tmp_path / "sr.dcm") == []
    assert expected.encode() in (tmp_path / "sr.dcm").read_bytes()
    bundle = json.loads(fhir_bundle(context))
    (report,) = (
        entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == "DiagnosticReport"
    )
    assert expected in report["conclusion"]
    german = json.loads(fhir_bundle(corrected("de", [finding("L2", status="rejected")])))
    assert "L2: abgelehnt" in str(german)
