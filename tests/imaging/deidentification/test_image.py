from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest
from highdicom.legacy import LegacyConvertedEnhancedCTImage
from pydicom._dicom_dict import DicomDictionary
from pydicom.config import disable_value_validation
from pydicom.dataset import FileDataset
from pydicom.uid import UID, JPEGLossless

from hepar.imaging.decoding import decode
from hepar.imaging.deidentification import Options, Pseudonyms, deidentified_file
from hepar.imaging.deidentification.refusal import NotDeidentifiable
from hepar.imaging.hounsfield import CT_CLASSES
from tests.support import identified_images as identified
from tests.support.dicom_tools import errors_of_iod
from tests.support.pictures import compressed, ct_dataset, dicom_bytes, jpeg_lossless, multi_frame, with_elements
from tests.support.study_api import ct_files

PSEUDONYMS = Pseudonyms("D-7KQ2M9XA", -1234, b"k" * 32)
_ALL_OPTIONS = [Options(), Options(shifted_dates=True), Options(characteristics=True), Options(True, True)]
_RETAINED_TEXT = {
    "Manufacturer", "ManufacturerModelName", "SoftwareVersions", "ConvolutionKernel", "FilterType", "RescaleType",
    "PositionReferenceIndicator", "ImageFilter", "CodeValue", "LongCodeValue", "CodingSchemeDesignator",
    "CodingSchemeVersion", "CodeMeaning", "StackID",
}  # fmt: skip
"""Texts that no table lists and that images need."""


def deidentified(image: pydicom.Dataset, options: Options = Options()) -> bytes:  # noqa: B008  immutable
    return deidentified_file(identified.file_of(image), PSEUDONYMS, options)


def read(content: bytes) -> FileDataset:
    return pydicom.dcmread(io.BytesIO(content))


@pytest.mark.parametrize("options", _ALL_OPTIONS, ids=str)
def test_no_listed_attribute_comes_through(options: Options) -> None:
    """In the image, in sequences of three depths, and in private elements."""
    listed, private = identified.listed_attributes(), identified.private_attributes()
    source = identified.image_of(listed, private, identified.nested(listed, private))
    assert len(source) > 480
    content = deidentified(source, options)
    times = {b"041356"} if options.shifted_dates else set()
    for canary in set(identified.CANARIES) - times:
        assert canary not in content or identified.elements_with(content, canary) <= _characteristics(options), canary
    assert not [element for element in read(content).iterall() if element.tag.is_private]


def _characteristics(options: Options) -> set[str]:
    """Whose VR allows any text or number."""
    return {"EthnicGroup", "PatientSize", "PatientWeight"} if options.characteristics else set()


def test_of_all_attributes_only_named_texts_come_through() -> None:
    """Also of those that the table does not list."""
    entries = [(tag, vr) for tag, (vr, *_others) in DicomDictionary.items()]
    source = identified.image_of(identified.dictionary_attributes(iter(entries)))
    for keyword in ("BurnedInAnnotation", "RecognizableVisualFeatures", "ConversionType", "ImageType", "HighBit"):
        source.pop(keyword, None)
    for keyword in ("NumberOfFrames", "ExtendedOffsetTable", "PixelPaddingValue", "SpecificCharacterSet"):
        source.pop(keyword, None)
    content = deidentified(source)
    numbers = {element.keyword for element in read(content).iterall() if element.VR in ("DS", "IS")}
    codes = {element.keyword for element in read(content).iterall() if element.VR == "CS"}
    assert identified.elements_with(content, b"KANARI4711") <= _RETAINED_TEXT | codes
    assert identified.elements_with(content, b"98765432123") <= numbers
    assert identified.elements_with(content, b"19560413", b"041356") == set()


@pytest.mark.parametrize("options", _ALL_OPTIONS, ids=str)
def test_the_object_states_what_was_done(options: Options) -> None:
    found = read(deidentified(identified.image_of(), options))
    codes = [item.CodeValue for item in found.DeidentificationMethodCodeSequence]
    expected = ["113100"] + ["113107"] * options.shifted_dates + ["113108"] * options.characteristics
    assert (found.PatientIdentityRemoved, codes) == ("YES", expected)
    modified = "MODIFIED" if options.shifted_dates else "REMOVED"
    assert found.LongitudinalTemporalInformationModified == modified
    assert (str(found.PatientName), found.PatientID) == ("D-7KQ2M9XA", "D-7KQ2M9XA")


def test_uids_stay_consistent_and_those_of_the_standard_stay() -> None:
    first, second = (read(deidentified_file(content, PSEUDONYMS, Options())) for content in ct_files(2))
    source = read(ct_files(1)[0])
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        assert first[keyword].value == second[keyword].value
        assert first[keyword].value.startswith("2.25.")
        assert first[keyword].value != source[keyword].value
    assert first.SOPInstanceUID != second.SOPInstanceUID
    assert first.file_meta.MediaStorageSOPInstanceUID == first.SOPInstanceUID
    assert first.SOPClassUID in CT_CLASSES
    other = Pseudonyms("D-7KQ2M9XA", -1234, b"l" * 32)
    assert PSEUDONYMS.uid("1.2.3") == PSEUDONYMS.uid("1.2.3\0") != other.uid("1.2.3")
    assert all(UID(Pseudonyms("", 0, b"k", root).uid("1.2.3")).is_valid for root in ("2.25", "1.2.840.99999.12345"))


def test_references_between_images_are_those_of_the_mapped_images() -> None:
    image = ct_dataset(np.zeros((48, 64), dtype=np.int32))
    item = pydicom.Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = image.SOPClassUID, "1.2.3.4"
    multiple = with_elements(multi_frame(2), SOPClassUID="1.2.840.10008.5.1.4.1.1.2.1", ReferencedImageSequence=[item])
    found = read(deidentified(multiple))
    assert found.ReferencedImageSequence[0].ReferencedSOPInstanceUID == PSEUDONYMS.uid("1.2.3.4")
    assert found.ReferencedImageSequence[0].ReferencedSOPClassUID == image.SOPClassUID


def test_dates_are_shifted_by_the_same_days_and_times_stay() -> None:
    image = identified.image_of()
    image.StudyDate, image.StudyTime, image.AcquisitionDate = "20261120", "101530.25", "20261121"
    image.AcquisitionDateTime = "20261121101530.25+0100"
    image.ContentDate, image.PatientBirthDate = "20240229", "19560413"
    found = read(deidentified(image, Options(shifted_dates=True)))
    assert (found.StudyDate, found.AcquisitionDate, found.ContentDate) == ("20230705", "20230706", "20201013")
    assert found.AcquisitionDateTime == "20230706101530.25+0100"
    assert found.StudyTime == "101530.25"
    assert found.PatientBirthDate == ""
    removed = read(deidentified(image))
    assert (removed.StudyDate, removed.StudyTime) == ("", "")
    assert "AcquisitionDateTime" not in removed


@pytest.mark.parametrize("value", ["", "2026", "20261341", "00010101", "KANARI47", "99991231", "20261120-20261121"])
def test_what_is_no_date_is_removed(value: str) -> None:
    image = identified.image_of()
    with disable_value_validation():
        image.StudyDate = value
        content = deidentified_file(
            identified.file_of(image), Pseudonyms("D-1", -366, b"k"), Options(shifted_dates=True)
        )
    assert read(content).StudyDate in ("", "99981230")


def test_characteristics_are_retained_only_with_the_option() -> None:
    image = identified.image_of()
    image.PatientSex, image.PatientAge, image.PatientWeight, image.PatientSize = "F", "093Y", "71.5", "1.70"
    image.Allergies, image.PatientState = "KANARI4711", "KANARI4711"
    with_option, without = read(deidentified(image, Options(characteristics=True))), read(deidentified(image))
    assert (with_option.PatientSex, with_option.PatientAge, with_option.PatientWeight) == ("F", "090Y", 71.5)
    assert (without.PatientSex, "PatientAge" in without, "PatientWeight" in without) == ("", False, False)
    assert "Allergies" not in with_option


def test_what_must_be_stated_becomes_empty_where_its_value_is_wrong() -> None:
    image = identified.image_of()
    with disable_value_validation():
        image.PatientSex, image.PatientPosition, image.PatientAge = "KANARI4711", "kanari", "KANA"
        image.SliceThickness, image.BodyPartExamined = "", "kanari"
        found = read(deidentified(image, Options(characteristics=True)))
    assert (found.PatientSex, found.PatientPosition, found.SliceThickness) == ("", "", None)
    assert "PatientAge" not in found
    assert "BodyPartExamined" not in found


def test_pixels_are_equal_and_no_other_data_is_kept() -> None:
    values = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    image = ct_dataset(values.astype(np.int32) - 1024)
    stream = jpeg_lossless(values)
    comment = b"\xff\xfe" + (2 + 10).to_bytes(2, "big") + b"KANARI4711"
    packed = compressed(image, JPEGLossless, stream[:2] + comment + stream[2:])
    packed.add_new(0xFFFCFFFC, "OB", b"KANARI4711")
    found = deidentified(packed)
    assert b"KANARI4711" not in found
    np.testing.assert_array_equal(read(found).pixel_array, values)


def test_bits_beside_the_stored_ones_are_cleared() -> None:
    """Old overlays lie there, with text."""
    values = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) % 4096
    image = ct_dataset(np.zeros((64, 64), dtype=np.int32))
    image.PixelData = (values | 0x8000).tobytes()
    image.BitsStored, image.HighBit = 12, 11
    found = read(deidentified(image))
    np.testing.assert_array_equal(np.frombuffer(found.PixelData, "<u2").reshape(64, 64), values)


def test_padding_keeps_its_value() -> None:
    image = ct_dataset(np.zeros((64, 64), dtype=np.int32))
    stored = np.zeros((64, 64), dtype=np.int16)
    stored[:5] = -2000
    image.PixelData, image.PixelRepresentation = stored.tobytes(), 1
    image.BitsStored, image.HighBit = 12, 11
    image.add_new("PixelPaddingValue", "SS", -2000)
    np.testing.assert_array_equal(np.frombuffer(read(deidentified(image)).PixelData, "<i2").reshape(64, 64), stored)


@pytest.mark.parametrize("syntax", ["slice", "frames"])
def test_values_in_hounsfield_units_are_equal(syntax: str) -> None:
    source = dicom_bytes(ct_dataset(np.tile(np.arange(64), (64, 1))) if syntax == "slice" else multi_frame(2))
    before, after = decode(source), decode(deidentified_file(source, PSEUDONYMS, Options()))
    np.testing.assert_array_equal(before.pixels, after.pixels)


@pytest.mark.parametrize("options", _ALL_OPTIONS, ids=str)
def test_dciodvfy_finds_no_error_where_there_was_none(options: Options, tmp_path: Path) -> None:
    source = valid_ct_image()
    (tmp_path / "source.dcm").write_bytes(dicom_bytes(source))
    (tmp_path / "found.dcm").write_bytes(deidentified(source, options))
    assert errors_of_iod(tmp_path / "source.dcm") == []
    assert errors_of_iod(tmp_path / "found.dcm") == []


@pytest.mark.parametrize("options", [Options(), Options(True, True)], ids=str)
def test_multi_frame_images_stay_valid_and_refer_to_their_mapped_sources(options: Options, tmp_path: Path) -> None:
    """As highdicom converts single images."""
    slices = [
        with_elements(
            valid_ct_image(), SOPInstanceUID=f"1.2.3.1.{number}", InstanceNumber=str(number),
            ImagePositionPatient=["-20", "-20", str(5 * number)], BurnedInAnnotation="NO",
        )
        for number in (1, 2, 3)
    ]  # fmt: skip
    converted = LegacyConvertedEnhancedCTImage([read(dicom_bytes(item)) for item in slices], "1.2.3.7", 7, "1.2.3.8", 1)
    del converted.ReferencedSeriesSequence  # dciodvfy counts it as an error
    (tmp_path / "source.dcm").write_bytes(dicom_bytes(converted))
    (tmp_path / "found.dcm").write_bytes(content := deidentified(converted, options))
    assert errors_of_iod(tmp_path / "source.dcm") == errors_of_iod(tmp_path / "found.dcm") == []
    found = read(content)
    groups = found.PerFrameFunctionalGroupsSequence
    positions = [float(item.PlanePositionSequence[0].ImagePositionPatient[2]) for item in groups]
    assert sorted(positions) == [5.0, 10.0, 15.0]
    sources = [item.ConversionSourceAttributesSequence[0].ReferencedSOPInstanceUID for item in groups]
    assert set(sources) == {PSEUDONYMS.uid(f"1.2.3.1.{number}") for number in (1, 2, 3)}
    np.testing.assert_array_equal(found.pixel_array, converted.pixel_array)


def valid_ct_image() -> FileDataset:
    image = ct_dataset(np.tile(np.arange(64, dtype=np.int32), (64, 1)))
    return with_elements(
        image, StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.3.1", FrameOfReferenceUID="1.2.3.9",
        ImageType=["ORIGINAL", "PRIMARY", "AXIAL"], PatientName="Curie^Marie", PatientID="4711",
        PatientBirthDate="18671107", PatientSex="F", StudyDate="20261120", StudyTime="101530", AccessionNumber="A-1042",
        StudyID="7", ReferringPhysicianName="Joliot^Irene", SeriesNumber="2", InstanceNumber="1", AcquisitionNumber="1",
        ContentDate="20261120", ContentTime="101530", Manufacturer="Acme", PatientPosition="HFS", KVP="120",
        PositionReferenceIndicator="", ImagePositionPatient=["-20", "-20", "0"], SliceThickness="5",
        RescaleType="HU", PatientOrientation=["L", "P"], WindowCenter="50", WindowWidth="400",
        AcquisitionDateTime="20261120101530", InstitutionName="Hospital", OperatorsName="Who", DeviceSerialNumber="9",
        ProtocolName="Abdomen", SeriesDate="20261120", SeriesTime="101530", BodyPartExamined="ABDOMEN",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("elements", "why"),
    [
        ({"BurnedInAnnotation": "YES"}, "burned"),
        ({"BurnedInAnnotation": "MAYBE"}, "burned"),
        ({"RecognizableVisualFeatures": "YES"}, "face"),
        ({"ConversionType": "WSD"}, "captured"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localizer"),
        ({"ImageType": ["DERIVED", "SECONDARY", "OTHER", "SCREEN SAVE"]}, "screen"),
        ({"ImageType": ["DERIVED", "PRIMARY"]}, "derived"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "secondary capture"),
    ],
)
def test_images_that_may_show_text_are_refused(elements: dict[str, object], why: str) -> None:
    with pytest.raises(NotDeidentifiable, match=why):
        deidentified(with_elements(identified.image_of(), **elements))


def test_derived_images_without_burned_in_text_are_taken() -> None:
    image = with_elements(identified.image_of(), ImageType=["DERIVED", "PRIMARY"], BurnedInAnnotation="NO")
    assert read(deidentified(image)).BurnedInAnnotation == "NO"
