from __future__ import annotations

import io
from pathlib import Path

import pydicom
import pytest

from hepar.contracts.study_files import Language
from study_service.outputs.encapsulated_pdf import encapsulated_pdf_file
from study_service.outputs.pdf import report_pdf
from tests.support.derived_study import StudyOptions, derived_study
from tests.support.dicom_tools import errors_of_iod, output_of


@pytest.mark.parametrize("language", ["en", "de"])
def test_other_programs_read_the_pdf_back(language: Language, tmp_path: Path) -> None:
    context = derived_study(StudyOptions(language=language, between=(4,)))
    content = encapsulated_pdf_file(context)
    assert content is not None
    (tmp_path / "report.dcm").write_bytes(content)
    assert errors_of_iod(tmp_path / "report.dcm") == []
    output_of("dcm2pdf", tmp_path / "report.dcm", tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").read_bytes().rstrip(b"\0") == report_pdf(context)


def test_it_states_patient_study_and_sources() -> None:
    context = derived_study()
    instance = pydicom.dcmread(io.BytesIO(encapsulated_pdf_file(context) or b""))
    first = context.sources[0].header
    for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "AccessionNumber"):
        assert instance[keyword].value == first[keyword].value
    assert len(instance.SourceInstanceSequence) == len(context.sources)
    assert instance.EncapsulatedDocument[: instance.EncapsulatedDocumentLength] == report_pdf(context)


def test_equal_results_give_equal_bytes() -> None:
    assert encapsulated_pdf_file(derived_study()) == encapsulated_pdf_file(derived_study())


def test_a_study_without_dicom_files_has_none() -> None:
    assert encapsulated_pdf_file(derived_study(StudyOptions(with_files=False))) is None
