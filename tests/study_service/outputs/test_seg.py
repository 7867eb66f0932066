from __future__ import annotations

import io
from copy import copy
from dataclasses import replace
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from hepar.imaging.volume import SliceSource
from study_service.outputs.context import OutputContext, source_slices
from study_service.outputs.seg import segmentation, segmentation_file
from study_service.outputs.source_headers import source_headers
from tests.support.derived_study import COLUMNS, ROWS, SLICES, StudyOptions, derived_study
from tests.support.dicom_tools import errors_of_iod
from tests.support.orientations import IMAGE_ORIENTATIONS

Masks = dict[str, dict[str, NDArray[np.bool_]]]
"""By tracking UID and SOP Instance UID of the source: the frame as stored."""


def stored_masks(context: OutputContext) -> Masks:
    """Reads the file's frames with pydicom alone."""
    content = segmentation_file(context)
    assert content is not None
    instance = pydicom.dcmread(io.BytesIO(content))
    frames = instance.pixel_array.astype(bool).reshape(-1, instance.Rows, instance.Columns)
    tracking = {segment.SegmentNumber: segment.TrackingUID for segment in instance.SegmentSequence}
    masks: Masks = {uid: {} for uid in tracking.values()}
    for frame, groups in zip(frames, instance.PerFrameFunctionalGroupsSequence, strict=True):
        number = groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        source = groups.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        masks[tracking[number]][source] = frame
    return masks


def expected_masks(options: StudyOptions) -> Masks:
    """The masks turned as the source stores its rasters, without any code of Hepar."""
    context = derived_study(options)
    turn = IMAGE_ORIENTATIONS[options.orientation][1]
    volumes = {
        lesion.tracking_uid: context.lesions == number for number, lesion in enumerate(context.result.lesions, 1)
    }
    volumes[context.uid("liver")] = context.liver
    return {
        uid: {
            str(source.header.SOPInstanceUID): turn(mask[options.row_factor // 2 :: options.row_factor])
            for source, mask in zip(context.sources, volume, strict=True)
            if source.is_exact and mask.any()
        }
        for uid, volume in volumes.items()
    }


@pytest.mark.parametrize("row_factor", [1, 3], ids=["square pixels", "tall pixels"])
@pytest.mark.parametrize("descending", [False, True], ids=["from the feet", "from the head"])
@pytest.mark.parametrize("orientation", IMAGE_ORIENTATIONS)
def test_masks_lie_voxel_wise_on_the_source_images(orientation: str, descending: bool, row_factor: int) -> None:
    options = StudyOptions(orientation, descending, between=(4,), row_factor=row_factor)
    found, expected = stored_masks(derived_study(options)), expected_masks(options)
    assert found.keys() == expected.keys()
    for uid, frames in expected.items():
        assert found[uid].keys() == frames.keys()  # and no empty frame
        for source, frame in frames.items():
            np.testing.assert_array_equal(found[uid][source], frame)


@pytest.mark.parametrize("orientation", IMAGE_ORIENTATIONS)
def test_highdicom_reads_the_volume_of_the_masks(orientation: str) -> None:
    """In patient coordinates: every set voxel lies where the volume's geometry puts it."""
    context = derived_study(StudyOptions(orientation))
    content = segmentation_file(context)
    assert content is not None
    read = highdicom.seg.segread(io.BytesIO(content))
    for number, mask in enumerate([context.liver, context.lesions == 1, context.lesions == 2], 1):
        volume = read.get_volume(segment_numbers=[number], combine_segments=False)
        indices = np.argwhere(volume.array[..., 0] > 0)
        found = volume.map_indices_to_reference(indices)
        expected = context.geometry.to_patient_mm(np.argwhere(mask).astype(float))
        assert sorted(found.round(3).tolist()) == sorted(expected.round(3).tolist())


@pytest.mark.parametrize("options", [StudyOptions(), StudyOptions("decubitus left"), StudyOptions(duplicates=(4,))])
def test_dciodvfy_finds_no_error(options: StudyOptions, tmp_path: Path) -> None:
    content = segmentation_file(derived_study(options))
    assert content is not None
    (tmp_path / "seg.dcm").write_bytes(content)
    assert errors_of_iod(tmp_path / "seg.dcm") == []


def test_slices_at_one_position_share_a_frame() -> None:
    context = derived_study(StudyOptions(duplicates=(4,)))
    masks = stored_masks(context)[context.result.lesions[0].tracking_uid]
    kept = [str(context.sources[index].header.SOPInstanceUID) for index in (3, 5)]
    assert masks.keys() == set(kept)
    np.testing.assert_array_equal(masks[kept[0]], context.lesions[3] == 1)


def test_segments_carry_codes_tracking_and_algorithm() -> None:
    context = derived_study()
    instance = segmentation(context)
    assert instance is not None
    assert [segment.SegmentLabel for segment in instance.SegmentSequence] == ["Liver", "Lesion L1", "Lesion L2"]
    assert [segment.TrackingID for segment in instance.SegmentSequence] == ["Liver", "L1", "L2"]
    assert [segment.TrackingUID for segment in instance.SegmentSequence[1:]] == ["2.25.1290033310", "2.25.1290033311"]
    assert [segment.SegmentedPropertyTypeCodeSequence[0].CodeValue for segment in instance.SegmentSequence] == [
        "10200004", "52988006", "52988006",
    ]  # fmt: skip
    assert instance.SegmentationType == "BINARY"
    algorithm = instance.SegmentSequence[1].SegmentationAlgorithmIdentificationSequence[0]
    assert algorithm.AlgorithmVersion == "2.0.0"
    assert "segment_resunet" in algorithm.AlgorithmParameters
    assert (instance.PatientName, instance.PatientID) == ("Müller^Jörg", "H-4711")


def test_only_what_has_a_mask_becomes_a_segment() -> None:
    without_lesions = segmentation(derived_study(StudyOptions(lesions=0)))
    boxed = segmentation(derived_study(StudyOptions(boxed=(0,))))
    assert without_lesions is not None
    assert boxed is not None
    assert [segment.TrackingID for segment in without_lesions.SegmentSequence] == ["Liver"]
    assert [segment.TrackingID for segment in boxed.SegmentSequence] == ["Liver", "L2"]


@pytest.mark.parametrize("options", [StudyOptions(lesions=0, liver=False), StudyOptions(with_files=False)])
def test_nothing_to_show_or_no_dicom_files_gives_no_segmentation(options: StudyOptions) -> None:
    assert segmentation_file(derived_study(options)) is None


def test_equal_results_give_equal_bytes() -> None:
    assert segmentation_file(derived_study()) == segmentation_file(derived_study())


def test_sizes_of_the_frames_are_those_of_the_source() -> None:
    context = derived_study(StudyOptions("transposed"))
    instance = segmentation(context)
    assert instance is not None
    assert (instance.Rows, instance.Columns) == (COLUMNS, ROWS)
    assert len(context.sources) == SLICES


@pytest.mark.parametrize("row_factor", [1, 3])
@pytest.mark.parametrize("orientation", IMAGE_ORIENTATIONS)
def test_positions_that_the_header_lacks_come_from_the_volume(orientation: str, row_factor: int) -> None:
    context = derived_study(StudyOptions(orientation, row_factor=row_factor))
    stated = source_headers(context)
    for source in context.sources:
        for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
            delattr(source.header, keyword)
    for found, expected in zip(source_headers(context), stated, strict=True):
        assert list(found.ImagePositionPatient) == pytest.approx(list(expected.ImagePositionPatient))
        assert list(found.ImageOrientationPatient) == pytest.approx(list(expected.ImageOrientationPatient))
        assert list(found.PixelSpacing) == pytest.approx(list(expected.PixelSpacing))


@pytest.mark.parametrize("orientation", ["as displayed", "mirrored", "decubitus left"])
def test_frames_of_a_multi_frame_image_are_named(orientation: str, tmp_path: Path) -> None:
    context = derived_study(StudyOptions(orientation, multi_frame=True))
    content = segmentation_file(context)
    assert content is not None
    (tmp_path / "seg.dcm").write_bytes(content)
    assert errors_of_iod(tmp_path / "seg.dcm") == []
    instance = pydicom.dcmread(tmp_path / "seg.dcm")
    turn = IMAGE_ORIENTATIONS[orientation][1]
    for frame, groups in zip(instance.pixel_array, instance.PerFrameFunctionalGroupsSequence, strict=True):
        source = groups.DerivationImageSequence[0].SourceImageSequence[0]
        index = source.ReferencedFrameNumber - 1
        label = groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber - 1
        mask = context.lesions[index] == label if label else context.liver[index]
        np.testing.assert_array_equal(frame.astype(bool), turn(mask))
        assert source.ReferencedSOPInstanceUID == context.sources[0].header.SOPInstanceUID
    assert len(instance.ReferencedSeriesSequence[0].ReferencedInstanceSequence) == 1


def test_a_volume_of_hepar_brings_its_sources() -> None:
    """Some files state their SOP Instance UID in the meta information only, which the volume's sources know."""
    context = derived_study(StudyOptions("prone", between=(3,)))
    files = [2 if index == 3 else index for index in range(SLICES)]
    sources = [
        SliceSource(files[index], None, f"1.2.{files[index]}", "1.2.840", source.geometry, (0, 0, 0), source.is_exact)
        for index, source in enumerate(context.sources)
    ]
    headers = [copy(context.sources[index].header) for index in dict.fromkeys(files)]
    del headers[0].SOPInstanceUID
    found = source_slices(headers, sources)
    assert [item.header.SOPInstanceUID for item in found] == [f"1.2.{file}" for file in files]
    assert [item.is_exact for item in found] == [item.is_exact for item in context.sources]
    assert source_slices([], [replace(source, sop_instance_uid=None) for source in sources]) == ()
    with pytest.raises(ValueError, match="shorter"):
        source_slices(headers[1:], sources)
