from __future__ import annotations

import io
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
import pydicom
import pytest
from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage

from study_service.outputs import codes
from study_service.outputs.context import OutputContext
from study_service.outputs.seg import segmentation
from study_service.outputs.sr import comprehensive_report_file, structured_report_file
from tests.support.derived_study import StudyOptions, derived_study
from tests.support.dicom_tools import errors_of_iod, output_of
from tests.support.orientations import IMAGE_ORIENTATIONS

_STUDIES = {
    "two lesions": StudyOptions(),
    "turned": StudyOptions("decubitus right", descending=True),
    "a lesion with a box only": StudyOptions(boxed=(1,)),
    "boxes only": StudyOptions(liver=False, boxed=(0, 1)),
    "no lesion": StudyOptions(lesions=0),
    "no liver": StudyOptions(lesions=0, liver=False),
    "slices at one position": StudyOptions(duplicates=(4,)),
    "slices between images": StudyOptions(between=(4,)),
    "frames of one image": StudyOptions(multi_frame=True, boxed=(1,)),
}

Group: TypeAlias = (
    sr.MeasurementsAndQualitativeEvaluations
    | sr.PlanarROIMeasurementsAndQualitativeEvaluations
    | sr.VolumetricROIMeasurementsAndQualitativeEvaluations
)


def read_report(context: OutputContext) -> tuple[Dataset, sr.MeasurementReport]:
    """The file, and its content as highdicom's reader understands it."""
    content = structured_report_file(context)
    assert content is not None
    read = sr.srread(io.BytesIO(content))
    return read, cast("sr.MeasurementReport", read.content)


def values_of(group: Group) -> dict[str, Any]:
    return {item.name.value: (item.value, item.unit.value) for item in group.get_measurements()}


def study_group(report: sr.MeasurementReport) -> sr.MeasurementsAndQualitativeEvaluations:
    (group,) = report.get_image_measurement_groups()
    return group


@pytest.mark.parametrize("comprehensive_3d", [True, False], ids=["3D", "2D"])
@pytest.mark.parametrize("name", _STUDIES)
def test_dciodvfy_finds_no_error_and_dcmtk_reads_it(name: str, comprehensive_3d: bool, tmp_path: Path) -> None:
    content = structured_report_file(derived_study(_STUDIES[name]), comprehensive_3d)
    assert content is not None
    path = tmp_path / "sr.dcm"
    path.write_bytes(content)
    assert errors_of_iod(path) == []
    text = output_of("dsrdump", "+Pc", path)
    assert '(126000,DCM,"Imaging Measurement Report")' in text
    assert "UNVERIFIED" in text


def test_highdicom_reads_back_equal_values() -> None:
    context = derived_study()
    _, report = read_report(context)
    groups = report.get_volumetric_roi_measurement_groups(finding_type=codes.LESION)
    assert [group.tracking_identifier for group in groups] == ["L1", "L2"]
    for group, lesion in zip(groups, context.result.lesions, strict=True):
        assert group.tracking_uid == lesion.tracking_uid
        assert values_of(group) == {
            "103339001": (pytest.approx(lesion.long_axis.length_mm), "mm"),
            "103340004": (pytest.approx(lesion.short_axis.length_mm), "mm"),
            "118565006": (pytest.approx(lesion.volume_ml), "mL"),
            "p-lesion": (pytest.approx(lesion.probability), "1"),
            "p-metastasis": (pytest.approx(0.81), "1"),
            "p-cholangiocarc": (pytest.approx(0.19), "1"),
        }
        (lesion_type,) = group.get_qualitative_evaluations(codes.LESION_TYPE)
        assert lesion_type.value == codes.DISEASES["metastasis"]


def test_groups_refer_to_the_segments_with_the_same_tracking_uid() -> None:
    context = derived_study()
    masks = segmentation(context)
    assert masks is not None
    by_number = {segment.SegmentNumber: segment for segment in masks.SegmentSequence}
    _, report = read_report(context)
    groups = report.get_volumetric_roi_measurement_groups()
    assert len(groups) == 3
    for group in groups:
        reference = group.referenced_segment
        assert reference is not None
        assert reference.referenced_sop_instance_uid == masks.SOPInstanceUID
        (number,) = reference.referenced_segment_numbers or []
        assert by_number[number].TrackingUID == group.tracking_uid
        assert by_number[number].TrackingID == group.tracking_identifier


def test_evidence_names_the_source_images_and_the_segmentation() -> None:
    context = derived_study()
    read, _ = read_report(context)
    named = {
        instance.ReferencedSOPInstanceUID
        for study in [
            *read.get("CurrentRequestedProcedureEvidenceSequence", []),
            *read.get("PertinentOtherEvidenceSequence", []),
        ]
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    }
    masks = segmentation(context)
    assert masks is not None
    assert named == {str(source.header.SOPInstanceUID) for source in context.sources} | {masks.SOPInstanceUID}


def test_the_report_is_preliminary_and_not_verified() -> None:
    read, _ = read_report(derived_study())
    assert (read.PreliminaryFlag, read.VerificationFlag) == ("PRELIMINARY", "UNVERIFIED")
    assert read.CodingSchemeIdentificationSequence[0].CodingSchemeDesignator == "99HEPAR"
    assert (read.PatientName, read.PatientID, read.AccessionNumber) == ("Müller^Jörg", "H-4711", "A-1042")


def test_the_algorithm_is_identified_with_its_models() -> None:
    _, report = read_report(derived_study())
    items = study_group(report)[0].ContentSequence
    texts = [item.TextValue for item in items if item.ValueType == "TEXT" and item.name == codes_of("111002")]
    assert texts == ["segment_resunet 1", "detect_yolov5 2"]
    assert any(item.value == codes.ARTIFICIAL_INTELLIGENCE for item in items if item.ValueType == "CODE")


def codes_of(value: str) -> sr.CodedConcept:
    return sr.CodedConcept(value, "DCM", "Algorithm Parameters")


@pytest.mark.parametrize(
    ("options", "presence", "statement"),
    [
        (StudyOptions(), codes.PRESENT, "2 liver lesions were found."),
        (StudyOptions(lesions=0), codes.ABSENT, "No liver lesion was found."),
        (StudyOptions(lesions=0, liver=False), codes.INDETERMINATE, "No slice shows a liver. Nothing was assessed."),
    ],
)
def test_the_report_states_what_was_found(options: StudyOptions, presence: Code, statement: str) -> None:
    context = derived_study(options)
    _, report = read_report(context)
    group = study_group(report)
    evaluations = {item.name.value: item.value for item in group.get_qualitative_evaluations()}
    assert evaluations["300331000"] == presence
    (comment,) = [item.TextValue for item in group[0].ContentSequence if item.name == codes.COMMENT]
    assert comment == f"{statement} {context.result.notice}"
    assert values_of(group)["lesion-count"] == (len(context.result.lesions), "1")


@pytest.mark.parametrize("orientation", IMAGE_ORIENTATIONS)
def test_a_box_lies_in_pixels_of_the_source_image(orientation: str) -> None:
    """Compared with the volume's own voxels inside the box, turned without any code of Hepar."""
    context = derived_study(StudyOptions(orientation, boxed=(0,)))
    _, report = read_report(context)
    (group,) = report.get_planar_roi_measurement_groups()
    assert set(values_of(group)) >= {"box-long-axis", "box-short-axis"}
    assert isinstance(group.roi, sr.ImageRegion)
    lesion = context.result.lesions[0]
    box = lesion.boxes[lesion.key_slice - lesion.first_slice]
    upright = np.zeros(context.geometry.shape[1:], dtype=bool)
    upright[int(box.y_min) : int(box.y_max), int(box.x_min) : int(box.x_max)] = True
    rows, columns = np.nonzero(IMAGE_ORIENTATIONS[orientation][1](upright))
    corners = group.roi.value
    assert corners.min(axis=0).tolist() == [columns.min(), rows.min()]
    assert corners.max(axis=0).tolist() == [columns.max() + 1, rows.max() + 1]
    source = group.roi.ContentSequence[0].ReferencedSOPSequence[0]
    assert source.ReferencedSOPInstanceUID == context.sources[lesion.key_slice].header.SOPInstanceUID


def test_comprehensive_sr_is_an_object_of_its_own() -> None:
    three, two = (pydicom.dcmread(io.BytesIO(content)) for content in both_reports())
    assert (three.SOPClassUID, two.SOPClassUID) == (Comprehensive3DSRStorage, ComprehensiveSRStorage)
    assert three.SOPInstanceUID != two.SOPInstanceUID
    assert three.SeriesInstanceUID != two.SeriesInstanceUID


def both_reports() -> list[bytes]:
    context = derived_study()
    return [content for content in (structured_report_file(context), comprehensive_report_file(context)) if content]


def test_equal_results_give_equal_bytes() -> None:
    assert both_reports() == both_reports()


def test_a_study_without_dicom_files_has_no_report() -> None:
    assert structured_report_file(derived_study(StudyOptions(with_files=False))) is None
