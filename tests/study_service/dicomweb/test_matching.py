"""Matching of attributes, compared with Python's fnmatch and with examples of PS3.4, C.2.2.2."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepar.imaging.dicom_json import JsonHeader
from study_service.dicomweb.accept import NotAcceptable
from study_service.dicomweb.matching import InvalidDicomWebRequest, parsed_query


def matches(name: str, wanted: str, vr: str, *found: object) -> bool:
    query = parsed_query([(name, wanted)])
    [tag] = query.keys
    return query.matches({tag: {"vr": vr, "Value": list(found)}})


@given(st.text("ab*?", min_size=1, max_size=8), st.text("abc", max_size=8))
def test_wildcards_mean_what_they_mean_in_a_shell(pattern: str, text: str) -> None:
    assert matches("StudyDescription", pattern, "LO", text) == fnmatchcase(text, pattern)


def test_a_pattern_of_many_asterisks_takes_no_longer() -> None:
    assert not matches("StudyDescription", "*a" * 2000 + "b", "LO", "a" * 4000)


@pytest.mark.parametrize(
    ("name", "wanted", "vr", "found", "expected"),
    [
        ("StudyTime", "1000-1100", "TM", "103000", True),
        ("StudyTime", "1000-1100", "TM", "110000.5", True),
        ("StudyTime", "1000-1100", "TM", "113000", False),
        ("StudyTime", "-0959", "TM", "100000", False),
        ("Modality", "C?", "CS", "CT", True),
        ("Modality", "ct", "CS", "CT", False),
        ("PatientName", "MÜLLER*", "PN", {"Alphabetic": "Müller^Eva"}, True),
        ("PatientName", "山田*", "PN", {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎"}, True),
        ("SOPInstanceUID", "1.2.3\\1.2.4", "UI", "1.2.4", True),
        ("SOPInstanceUID", "1.2.*", "UI", "1.2.4", False),
        ("InstanceNumber", "7", "IS", 7, True),
        ("InstanceNumber", "7", "IS", 77, False),
    ],
)
def test_each_kind_of_value_has_its_own_rule(name: str, wanted: str, vr: str, found: object, expected: bool) -> None:
    assert matches(name, wanted, vr, found) is expected


def test_a_missing_attribute_matches_nothing_but_an_empty_key() -> None:
    assert not parsed_query([("PatientID", "1")]).matches({})
    assert not parsed_query([("PatientID", "*")]).matches({"00100020": {"vr": "LO"}})
    assert parsed_query([("PatientID", "")]).matches({})


def test_what_is_returned() -> None:
    patient, modality = {"vr": "LO", "Value": ["1"]}, {"vr": "CS", "Value": ["CT"]}
    header: JsonHeader = {"00100020": patient, "00080060": modality, "00090010": {"vr": "LO"}}
    plain = parsed_query([("limit", "5")])
    assert plain.chosen(header, ["00080060", "00200010"]) == {"00080060": header["00080060"], "00200010": {"vr": "SH"}}
    more = parsed_query([("includefield", "PatientID,00090010")])
    assert set(more.chosen(header, ["00080060"])) == {"00080060", "00100020", "00090010"}
    assert parsed_query([("includefield", "all")]).chosen(header, []) == header


@pytest.mark.parametrize("name", ["ReferencedSeriesSequence.SeriesInstanceUID", "patientid", "0010002", "", "x" * 500])
def test_no_other_names_are_keys(name: str) -> None:
    with pytest.raises(InvalidDicomWebRequest):
        parsed_query([(name, "1")])


def test_errors_have_the_statuses_of_the_standard() -> None:
    assert (InvalidDicomWebRequest.status, NotAcceptable.status) == (400, 406)
