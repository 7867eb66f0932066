from __future__ import annotations

import csv
import io

import pydicom
import pytest

from hepar.contracts.study_results import StudyResult
from study_service.outputs.registry import BY_MEDIA_TYPE, DICOM_NAMES, OUTPUTS, make_outputs
from study_service.outputs.tables import COLUMNS, lesions_csv, result_json
from tests.support.derived_study import StudyOptions, derived_study

_MAGIC = {
    "application/json": b"{",
    "application/fhir+json": b"{",
    "text/csv": b"study_id,",
    "application/pdf": b"%PDF-",
    "application/dicom": bytes(128) + b"DICM",
    "image/png": b"\x89PNG",
}


def test_every_output_comes_from_the_same_context() -> None:
    contents = dict(make_outputs(derived_study()))
    third_on = {f"key-image-{number}.{kind}" for number in (3, 4, 5) for kind in ("dcm", "png")}
    assert contents.keys() == OUTPUTS.keys() - third_on  # there are two key images
    for name, content in contents.items():
        assert content.startswith(_MAGIC[OUTPUTS[name].media_type]), name


def test_equal_contexts_give_equal_bytes() -> None:
    assert dict(make_outputs(derived_study())) == dict(make_outputs(derived_study()))


def test_dicom_objects_belong_to_the_study_and_are_distinct() -> None:
    contents = dict(make_outputs(derived_study()))
    instances = [pydicom.dcmread(io.BytesIO(contents[name])) for name in DICOM_NAMES if name in contents]
    assert {str(item.StudyInstanceUID) for item in instances} == {"1.2.826.0.1.3680043.8.498.100"}
    assert len({str(item.SOPInstanceUID) for item in instances}) == len(instances) == 6
    assert len({(str(item.SeriesInstanceUID), item.SeriesNumber, item.Modality) for item in instances}) == 5
    assert {item.SpecificCharacterSet for item in instances} == {"ISO_IR 192"}


def test_a_study_without_dicom_files_has_no_dicom_objects() -> None:
    assert not set(dict(make_outputs(derived_study(StudyOptions(with_files=False))))) & set(DICOM_NAMES)


def test_each_media_type_of_a_result_names_one_file() -> None:
    assert BY_MEDIA_TYPE == {
        "application/json": "result.json",
        "text/csv": "lesions.csv",
        "application/pdf": "report.pdf",
        "application/fhir+json": "report.fhir.json",
    }


def test_json_is_the_result() -> None:
    context = derived_study()
    assert StudyResult.model_validate_json(result_json(context)) == context.result


def test_the_table_has_a_row_per_lesion() -> None:
    context = derived_study(StudyOptions(boxed=(1,)))
    first, second = csv.DictReader(io.StringIO(lesions_csv(context).decode(), newline=""))
    assert tuple(first) == COLUMNS
    assert (first["lesion"], first["measured_on"], first["volume_ml"]) == ("L1", "mask", "2.25")
    assert (second["lesion"], second["measured_on"], second["volume_ml"]) == ("L2", "box", "")
    assert float(first["long_axis_mm"]) == pytest.approx(context.result.lesions[0].long_axis.length_mm, abs=0.01)
    assert first["detectors"] == "detect_faster_rcnn detect_yolov5"


def test_a_result_without_lesions_gives_the_header_alone() -> None:
    assert lesions_csv(derived_study(StudyOptions(lesions=0))).decode().strip() == ",".join(COLUMNS)
