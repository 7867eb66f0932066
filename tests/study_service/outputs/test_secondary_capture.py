from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image

from study_service.outputs.context import OutputContext
from study_service.outputs.drawings import LABEL_COLOURS, key_picture, key_picture_png
from study_service.outputs.key_images import KEY_IMAGES_MAX, key_image
from study_service.outputs.secondary_capture import secondary_capture_file
from tests.support.derived_study import ROWS, StudyOptions, derived_study
from tests.support.dicom_tools import errors_of_iod


def capture(context: OutputContext, number: int) -> bytes:
    content = secondary_capture_file(context, number)
    assert content is not None
    return content


@pytest.mark.parametrize("number", [0, 1])
def test_dciodvfy_finds_no_error(number: int, tmp_path: Path) -> None:
    (tmp_path / "sc.dcm").write_bytes(capture(derived_study(StudyOptions("prone")), number))
    assert errors_of_iod(tmp_path / "sc.dcm") == []


def test_it_shows_the_picture_and_names_its_source() -> None:
    context = derived_study()
    instance = pydicom.dcmread(io.BytesIO(capture(context, 1)))
    np.testing.assert_array_equal(instance.pixel_array, key_picture(context, 1))
    key_slice = context.result.lesions[1].key_slice
    assert instance.SourceImageSequence[0].ReferencedSOPInstanceUID == context.sources[key_slice].header.SOPInstanceUID
    assert instance["Laterality"].value == ""


def test_captures_are_instances_of_one_series() -> None:
    context = derived_study()
    first, second = (pydicom.dcmread(io.BytesIO(capture(context, number))) for number in (0, 1))
    assert first.SeriesInstanceUID == second.SeriesInstanceUID
    assert first.SOPInstanceUID != second.SOPInstanceUID


def test_pictures_do_not_identify_the_patient() -> None:
    named, other = (derived_study(StudyOptions(patient_name=name)) for name in ("Müller^Jörg", "Meier^Eva"))
    assert key_picture_png(named, 0) == key_picture_png(other, 0)


def test_a_study_without_lesions_shows_the_middle_of_its_liver() -> None:
    context = derived_study(StudyOptions(lesions=0))
    assert secondary_capture_file(context, 0) is not None
    assert all(secondary_capture_file(context, number) is None for number in range(1, KEY_IMAGES_MAX))


def test_a_study_without_dicom_files_has_pictures_only() -> None:
    context = derived_study(StudyOptions(with_files=False))
    assert secondary_capture_file(context, 0) is None
    assert Image.open(io.BytesIO(key_picture_png(context, 0) or b"")).format == "PNG"


@pytest.mark.parametrize("number", [0, 1])
def test_outlines_lie_around_the_voxels_of_the_mask(number: int) -> None:
    context = derived_study()
    lesion = context.result.lesions[number]
    image = key_image(context, lesion.key_slice)
    (mark,) = [mark for mark in image.marks if mark.lesion.id == lesion.id]
    (outline,) = mark.outlines
    box = lesion.boxes[0]
    millimetres = outline * image.mm_per_px
    assert np.ptp(millimetres, axis=0) == pytest.approx(
        [(box.x_max - box.x_min) * 1.25, (box.y_max - box.y_min) * 1.25], abs=0.01
    )
    assert mark.box == pytest.approx((*outline.min(axis=0), *outline.max(axis=0)), abs=0.01)
    dark = _inside(image.grey, outline)
    assert dark.mean() == pytest.approx(55 / 250 * 255, abs=4)  # the lesion's grey value


def test_coloured_marks_are_drawn() -> None:
    picture = key_picture(derived_study(), 0)
    assert picture is not None
    colour = [int(LABEL_COLOURS["metastasis"][place : place + 2], 16) for place in (1, 3, 5)]
    assert (picture == colour).all(axis=-1).sum() > 100
    assert picture.shape[0] > ROWS


def _inside(grey: NDArray[np.uint8], outline: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The middle half of what an outline surrounds."""
    (left, top), (right, bottom) = outline.min(axis=0), outline.max(axis=0)
    width, height = (right - left) / 4, (bottom - top) / 4
    return grey[int(top + height) : int(bottom - height), int(left + width) : int(right - width)]
