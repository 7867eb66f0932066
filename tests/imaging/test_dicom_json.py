"""Headers in DICOM JSON, compared with pydicom's own reading of them, and of files that state nonsense."""

from __future__ import annotations

import io
import json
import zlib
from pathlib import Path

import pydicom
import pytest
from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from pydicom.uid import ImplicitVRLittleEndian

from hepar.imaging.dicom_json import json_header
from hepar.imaging.study.instances import list_objects
from tests.support.pictures import ct_dataset, dicom_bytes
from tests.support.studies import as_members, ct_series, numbered_hu, stored, stored_series, zip_bytes


def listed(folder: Path, *contents: bytes) -> list[dict[str, dict[str, object]]]:
    found = list_objects(stored(folder, *contents))
    return [json.loads(item.header, parse_constant=pytest.fail) for item in found.objects]


def image() -> pydicom.FileDataset:
    dataset = ct_dataset(numbered_hu(0))
    dataset.SpecificCharacterSet, dataset.PatientName = "ISO_IR 100", "Müller^Eva"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.3", "1.2.3.4"
    return dataset


def test_a_header_is_what_pydicom_reads(tmp_path: Path) -> None:
    dataset = image()
    item = Dataset()
    item.ReferencedSOPInstanceUID = "1.2.5"
    dataset.ReferencedImageSequence = [item]
    [header] = listed(tmp_path, dicom_bytes(dataset))
    assert header["00080005"] == {"vr": "CS", "Value": ["ISO_IR 192"]}
    assert header.pop("7FE00010") == {"vr": "OW", "BulkDataURI": "7FE00010"}
    read = Dataset.from_json(header)
    del dataset.PixelData
    read.SpecificCharacterSet = dataset.SpecificCharacterSet
    assert read == Dataset({element.tag: element for element in dataset})


def test_values_that_json_has_no_form_for_are_left_out(tmp_path: Path) -> None:
    dataset = image()
    dataset.add_new(0x00181271, "FD", float("nan"))
    dataset.add_new(0x00204000, "LT", "x" * 100_000)
    dataset.add_new(0x00091001, "UN", b"x" * 5000)
    dataset.add_new(0x00091002, "OB", b"xy")
    inner = Dataset()
    inner.add_new(0x00880200, "OB", b"x" * 5000)
    inner.PatientID = "inner"
    dataset.ReferencedImageSequence = [inner]
    nested = dataset
    for _ in range(20):
        nested.ReferencedStudySequence = [Dataset()]
        nested = nested.ReferencedStudySequence[0]
    broken = Dataset({element.tag: element for element in dataset})
    broken.file_meta = dataset.file_meta
    for tag, vr, value in ((0x00280010, "US", b"\x01"), (0x00200032, "DS", b"1\\x\\3 "), (0x00200013, "IS", b"1.5 ")):
        broken._dict[Tag(tag)] = RawDataElement(Tag(tag), vr, len(value), value, 0, False, True)
    header = json_header(broken, pixels_vr=None)
    json.dumps(header, allow_nan=False)
    assert not {"00181271", "00204000", "00280010", "00200032"} & header.keys()
    assert header["00091001"] == {"vr": "UN", "BulkDataURI": "00091001"}
    assert header["00091002"] == {"vr": "OB", "InlineBinary": "eHk="}
    assert header["00081140"]["Value"] == [{"00100020": {"vr": "LO", "Value": ["inner"]}}]
    depth, level = 0, header
    while level.get("00081110", {}).get("Value"):
        depth, level = depth + 1, level["00081110"]["Value"][0]
    assert depth == 8


def test_implicit_types_are_found(tmp_path: Path) -> None:
    dataset = image()
    dataset.PixelRepresentation, dataset.SmallestImagePixelValue = 0, 7
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    buffer = io.BytesIO()
    dataset.save_as(buffer, implicit_vr=True, little_endian=True, enforce_file_format=True)
    [header] = listed(tmp_path, buffer.getvalue())
    assert header["00280106"] == {"vr": "US", "Value": [7]}
    assert header["7FE00010"] == {"vr": "OW", "BulkDataURI": "7FE00010"}


def test_each_object_is_found_where_the_list_says(tmp_path: Path) -> None:
    series = ct_series([0.0, 5.0, 10.0])
    members = as_members(series) | {"README.TXT": b"hello", "DICOM/CUT.dcm": dicom_bytes(series[0])[:400]}
    [path] = stored(tmp_path, zip_bytes(members))
    found = list_objects([path])
    assert (len(found.objects), found.refused) == (3, 1)
    content = path.read_bytes()
    for item, dataset in zip(found.objects, series, strict=True):
        part = content[item.extent.start : item.extent.start + item.extent.stored_bytes]
        assert item.extent.is_deflated
        assert zlib.decompress(part, -15) == dicom_bytes(dataset)
        assert item.sop_instance_uid == dataset.SOPInstanceUID
    alone = list_objects(stored_series(tmp_path, series[:1]))
    assert alone.objects[0].extent.start == 0
