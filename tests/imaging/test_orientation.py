"""Files in every orientation become one image for the networks, and its geometry leads back to the file."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageOps
from pydicom.dataset import Dataset, FileDataset

from hepar.imaging import CtImage, decode
from hepar.imaging.errors import ImageError, UnreadableImage, UnsupportedImage
from hepar.imaging.geometry import AS_SENT
from tests.support.orientations import EXIF_ORIENTATIONS, IMAGE_ORIENTATIONS, PATIENT_ORIENTATIONS
from tests.support.pictures import ct_dataset, dicom_bytes, encoded, gradient, multi_frame

UPRIGHT = np.arange(48 * 64, dtype=np.int32).reshape(48, 64) // 13
DICOM_WORDS, EXIF_WORDS = "turned to standard radiological display", "turned by its EXIF orientation"


def read(dataset: Dataset) -> CtImage:
    return decode(dicom_bytes(dataset))


def with_orientation(stored: np.ndarray, image: list[str] | None, patient: list[str] | None = None) -> FileDataset:
    dataset = ct_dataset(np.ascontiguousarray(stored))
    del dataset.ImageOrientationPatient
    if image is not None:
        dataset.ImageOrientationPatient = image
    if patient is not None:
        dataset.PatientOrientation = patient
    return dataset


@pytest.mark.parametrize("name", IMAGE_ORIENTATIONS)
def test_an_axial_slice_is_turned_to_standard_display(name: str) -> None:
    values, turn = IMAGE_ORIENTATIONS[name]
    image = read(with_orientation(turn(UPRIGHT), values))
    assert np.array_equal(image.pixels, read(ct_dataset(UPRIGHT)).pixels)
    assert [DICOM_WORDS in warning for warning in image.warnings] == [True] * (name != "as displayed")
    height, width = turn(UPRIGHT).shape
    assert (image.geometry.width, image.geometry.height) == (width, height)
    assert image.spacing_mm == (0.8, 0.7), "as sent"
    assert image.geometry.sides_known
    assert np.array_equal(image.orientation.to_sent(UPRIGHT), turn(UPRIGHT))


@pytest.mark.parametrize("name", PATIENT_ORIENTATIONS)
def test_the_patient_orientation_is_used_without_an_image_orientation(name: str) -> None:
    values, turn = PATIENT_ORIENTATIONS[name]
    image = read(with_orientation(turn(UPRIGHT), None, values))
    assert np.array_equal(image.pixels, read(ct_dataset(UPRIGHT)).pixels)
    assert image.geometry.sides_known
    contradicted = read(with_orientation(UPRIGHT, ["1", "0", "0", "0", "1", "0"], values))
    assert contradicted.orientation == AS_SENT, "ImageOrientationPatient outranks it"


@pytest.mark.parametrize("values", [None, ["L"], ["L", "R"], ["W", "P"], ["", ""]])
def test_without_a_usable_orientation_standard_display_is_assumed_and_told(values: list[str] | None) -> None:
    image = read(with_orientation(UPRIGHT, None, values))
    assert "does not state the patient's orientation" in image.warnings[0]
    assert (image.orientation, image.geometry.sides_known) == (AS_SENT, False)


@pytest.mark.parametrize(
    ("image", "patient", "plane"),
    [
        (["0", "1", "0", "0", "0", "-1"], None, "sagittal"),
        (["1", "0", "0", "0", "0", "-1"], None, "coronal"),
        (["0", "0", "-1", "1", "0", "0"], None, "coronal"),
        (["1", "0", "0", "0", "0.6", "-0.8"], None, "oblique"),
        (None, ["A", "F"], "sagittal"),
        (None, ["LA", "F"], "coronal"),
    ],
)
def test_a_slice_that_is_not_axial_is_refused_with_its_plane(
    image: list[str] | None, patient: list[str] | None, plane: str
) -> None:
    with pytest.raises(UnsupportedImage, match=f"the slice is {plane}; only axial slices are read"):
        read(with_orientation(UPRIGHT, image, patient))


@pytest.mark.parametrize("terms", [["LOCALIZER"], ["localizer", "CT_SOM5 TOP"], ["AXIAL", "SCOUT"], ["TOPOGRAM"]])
def test_a_localiser_is_refused(terms: list[str]) -> None:
    dataset = ct_dataset(UPRIGHT)
    dataset.ImageType = ["ORIGINAL", "PRIMARY", *terms]
    with pytest.raises(UnsupportedImage, match="localiser"):
        read(dataset)
    enhanced, frame_type = multi_frame(2), Dataset()
    frame_type.FrameType = ["ORIGINAL", "PRIMARY", "LOCALIZER", "NONE"]
    enhanced.SharedFunctionalGroupsSequence[0].CTImageFrameTypeSequence = [frame_type]
    with pytest.raises(UnsupportedImage, match="localiser"):
        read(enhanced)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (["1", "0", "0", "0", "0.9397", "-0.342"], ()),
        (["0.9397", "0.342", "0", "-0.342", "0.9397", "0"], ()),
        (["0.8192", "0.5736", "0", "-0.5736", "0.8192", "0"], ("35 degrees off a standard axial one",)),
        (
            ["0.5736", "-0.8192", "0", "0.8192", "0.5736", "0"],
            (DICOM_WORDS, "35 degrees off a standard axial one"),
        ),
    ],
    ids=["gantry tilt of 20", "rotated by 20", "rotated by 35", "rotated by -55"],
)
def test_a_tilted_or_rotated_slice_takes_the_nearest_orientation_and_a_large_angle_is_told(
    values: list[str], words: tuple[str, ...]
) -> None:
    warnings = read(with_orientation(UPRIGHT, values)).warnings
    assert len(warnings) == len(words)
    assert all(word in warning for word, warning in zip(words, warnings, strict=True))


@pytest.mark.parametrize(
    "values", [["1", "0", "0", "0", "1", "0", "0"], ["0"] * 6, ["1", "0", "0", "1", "0", "0"], ["1e9"] + ["0"] * 5]
)
def test_an_image_orientation_that_is_none_is_refused_with_its_name(values: list[str]) -> None:
    with pytest.raises(UnreadableImage, match="ImageOrientationPatient"):
        read(with_orientation(UPRIGHT, values))


@pytest.mark.parametrize(
    ("spacing", "ratio", "aspect"),
    [
        (["2.8", "1.4"], None, 2.0),
        (["0.7", "1.4"], ["1", "1"], 0.5),
        (None, ["4", "2"], 2.0),
        (None, ["3", "3"], 1.0),
        (None, None, 1.0),
    ],
)
def test_the_aspect_of_pixels_is_that_of_the_spacing_or_of_the_aspect_ratio(
    spacing: list[str] | None, ratio: list[str] | None, aspect: float
) -> None:
    dataset = ct_dataset(UPRIGHT)
    del dataset.PixelSpacing
    if spacing is not None:
        dataset.PixelSpacing = spacing
    if ratio is not None:
        dataset.PixelAspectRatio = ratio
    image = read(dataset)
    assert image.pixel_aspect == aspect
    assert (image.spacing_mm is None) == (spacing is None)


@pytest.mark.parametrize("name", ["ImagerPixelSpacing", "NominalScannedPixelSpacing"])
def test_a_spacing_at_the_detector_or_on_a_film_gives_the_aspect_but_no_size(name: str) -> None:
    dataset = ct_dataset(UPRIGHT)
    del dataset.PixelSpacing
    setattr(dataset, name, ["1.4", "0.7"])
    image = read(dataset)
    assert (image.pixel_aspect, image.spacing_mm) == (2.0, None)
    dataset.PixelSpacing = ["0.7", "0.7"]
    assert read(dataset).pixel_aspect == 1.0


@pytest.mark.parametrize(("name", "value"), [("PixelSpacing", ["9", "1"]), ("PixelAspectRatio", ["1", "9"])])
def test_an_implausible_aspect_is_refused(name: str, value: list[str]) -> None:
    dataset = ct_dataset(UPRIGHT)
    del dataset.PixelSpacing
    setattr(dataset, name, value)
    with pytest.raises(ImageError, match=name):
        read(dataset)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize("value", EXIF_ORIENTATIONS)
def test_a_picture_is_turned_by_its_exif_orientation(value: int, form: str) -> None:
    """Compared with Pillow's own turning of the same pixels, decoded without the orientation."""
    exif = Image.Exif()
    exif[0x0112] = value
    tag: dict[str, object] = {"tiffinfo": {274: value}} if form == "TIFF" else {"exif": exif}
    stored = gradient(40, 64)
    image = decode(encoded(stored, form, lossless=True, **tag))
    untagged = Image.open(io.BytesIO(encoded(stored, form, lossless=True)))
    untagged.getexif()[0x0112] = value
    assert np.abs(image.pixels.astype(int) - np.asarray(ImageOps.exif_transpose(untagged).convert("L"))).max() <= 3
    assert (image.geometry.width, image.geometry.height) == (64, 40), "as stored"
    assert [EXIF_WORDS in warning for warning in image.warnings] == [True] * (value != 1)
    assert not image.geometry.sides_known


@pytest.mark.parametrize(
    ("form", "options", "aspect"),
    [
        ("PNG", {"dpi": (144, 72)}, 2.0),
        ("JPEG", {"dpi": (72, 144)}, 0.5),
        ("TIFF", {"dpi": (144, 72)}, 2.0),
        ("TIFF", {"tiffinfo": {274: 6}, "dpi": (144, 72)}, 2.0),
        ("PNG", {"dpi": (72, 72)}, 1.0),
        ("PNG", {"dpi": (720, 1)}, 1.0),
        ("TIFF", {"dpi": (96, 95.99)}, 1.0),
        ("BMP", {}, 1.0),
    ],
)
def test_a_picture_that_states_pixels_that_are_not_square_is_scaled_and_told(
    form: str, options: dict[str, object], aspect: float
) -> None:
    image = decode(encoded(gradient(40, 64), form, **options))
    assert image.pixel_aspect == pytest.approx(aspect, rel=0.01)
    assert (image.geometry.width, image.geometry.height) == (64, 40)
    assert [warning for warning in image.warnings if "not square" in warning] == list(
        image.warnings[:1] * (aspect != 1)
    )
