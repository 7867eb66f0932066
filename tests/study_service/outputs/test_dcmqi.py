"""dcmqi reads the segmentation: the reader behind 3D Slicer's QuantitativeReporting."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from study_service.outputs.seg import segmentation_file
from tests.support.dcmqi import ReadSegmentation, read_segmentations
from tests.support.derived_study import StudyOptions, derived_study
from tests.support.orientations import IMAGE_ORIENTATIONS

_OPTIONS = {
    orientation: StudyOptions(orientation, descending=number % 2 == 1)
    for number, orientation in enumerate(IMAGE_ORIENTATIONS)
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ReadSegmentation]:
    """All orientations by one process, which needs a second to start."""
    folder = tmp_path_factory.mktemp("segmentations")
    paths = []
    for number, options in enumerate(_OPTIONS.values()):
        content = segmentation_file(derived_study(options))
        assert content is not None
        paths.append(folder / f"{number}.dcm")
        paths[-1].write_bytes(content)
    return dict(zip(_OPTIONS, read_segmentations(paths), strict=True))


@pytest.mark.parametrize("name", _OPTIONS)
def test_dcmqi_reads_the_masks_voxel_by_voxel(name: str, found: dict[str, ReadSegmentation]) -> None:
    context = derived_study(_OPTIONS[name])
    masks = [context.liver, context.lesions == 1, context.lesions == 2]
    assert found[name].voxels.shape[-1] == len(masks)
    for segment, mask in enumerate(masks):
        expected = context.geometry.to_patient_mm(np.argwhere(mask).astype(float))
        assert sorted(found[name].points_mm(segment).round(3).tolist()) == sorted(expected.round(3).tolist())


def test_dcmqi_reads_what_describes_the_segments(found: dict[str, ReadSegmentation]) -> None:
    context = derived_study(next(iter(_OPTIONS.values())))
    liver, *lesions = next(iter(found.values())).segments
    assert (liver["SegmentLabel"], liver["TrackingIdentifier"]) == ("Liver", "Liver")
    assert liver["TrackingUniqueIdentifier"] == context.uid("liver")
    assert _codes(liver) == ("91723000", "10200004")
    for number, (segment, lesion) in enumerate(zip(lesions, context.result.lesions, strict=True), start=2):
        assert segment["labelID"] == number
        assert (segment["TrackingIdentifier"], segment["TrackingUniqueIdentifier"]) == (lesion.id, lesion.tracking_uid)
        assert _codes(segment) == ("49755003", "52988006")
        assert segment["AnatomicRegionSequence"]["CodeValue"] == "10200004"
        assert (segment["SegmentAlgorithmType"], segment["SegmentAlgorithmName"]) == ("AUTOMATIC", "Hepar")
    assert liver["recommendedDisplayRGBValue"] != lesions[0]["recommendedDisplayRGBValue"]


def test_dcmqi_has_no_warnings(found: dict[str, ReadSegmentation]) -> None:
    assert {name: read.warnings for name, read in found.items()} == {name: [] for name in found}


def _codes(segment: dict[str, Any]) -> tuple[str, str]:
    keys = ("SegmentedPropertyCategoryCodeSequence", "SegmentedPropertyTypeCodeSequence")
    category, kind = (segment[key] for key in keys)
    assert {category["CodingSchemeDesignator"], kind["CodingSchemeDesignator"]} == {"SCT"}
    return category["CodeValue"], kind["CodeValue"]
