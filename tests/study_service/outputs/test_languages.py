"""The same result in two languages: two DICOM objects where they differ, one where they do not."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial

import pydicom
import pytest

from study_service.outputs.context import OutputContext
from study_service.outputs.encapsulated_pdf import encapsulated_pdf_file
from study_service.outputs.secondary_capture import secondary_capture_file
from study_service.outputs.seg import segmentation_file
from study_service.outputs.sr import comprehensive_report_file, structured_report_file
from tests.support.derived_study import StudyOptions, derived_study

Make = Callable[[OutputContext], bytes | None]
_ENGLISH, _GERMAN = derived_study(), derived_study(StudyOptions(language="de"))


@pytest.mark.parametrize("make", [encapsulated_pdf_file, partial(secondary_capture_file, number=0)])
def test_another_language_is_another_object_of_the_same_series(make: Make) -> None:
    english, german = (pydicom.dcmread(io.BytesIO(make(context) or b"")) for context in (_ENGLISH, _GERMAN))
    assert english.SOPInstanceUID != german.SOPInstanceUID
    assert english.SeriesInstanceUID == german.SeriesInstanceUID
    assert german.file_meta.MediaStorageSOPInstanceUID == german.SOPInstanceUID


@pytest.mark.parametrize("make", [structured_report_file, comprehensive_report_file, segmentation_file])
def test_objects_without_words_of_a_language_are_the_same(make: Make) -> None:
    assert make(_ENGLISH) == make(_GERMAN)
