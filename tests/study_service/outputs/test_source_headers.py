"""What derived objects take over from files that state wrong, hostile or no values."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import pydicom
import pytest
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset

from study_service.outputs.context import OutputContext
from study_service.outputs.registry import DICOM_NAMES, make_outputs
from study_service.outputs.source_headers import study_attributes
from tests.support.derived_study import StudyOptions, derived_study
from tests.support.dicom_tools import errors_of_iod

_WRONG = {
    "PatientSex": "X",
    "PatientBirthDate": "19991399",
    "StudyDate": "yesterday",
    "StudyTime": "25:61",
    "PatientAge": "old",
    "PatientID": "I" * 65,
    "AccessionNumber": "A" * 17,
    "PatientName": "A\x1b$)C^" + "x" * 100 + "\\other",
    "StudyInstanceUID": "1.2.03..x",
    "SeriesInstanceUID": "",
    "FrameOfReferenceUID": "9" * 70,
    "SOPClassUID": "not a UID",
}


def with_values(values: dict[str, str | None]) -> OutputContext:
    """A study whose files state these values; None removes the element."""
    context = derived_study(StudyOptions())
    for source in context.sources:
        for keyword, value in values.items():
            if value is None:
                source.header.pop(keyword, None)
            else:
                tag = tag_for_keyword(keyword) or 0
                source.header.add(pydicom.DataElement(tag, dictionary_VR(tag), value, validation_mode=IGNORE))
    return context


def objects_of(context: OutputContext, folder: Path) -> list[Dataset]:
    """All DICOM objects, each without errors of dciodvfy."""
    found = []
    for name, content in make_outputs(context):
        if name in DICOM_NAMES:
            (folder / name).write_bytes(content)
            assert errors_of_iod(folder / name) == [], name
            found.append(pydicom.dcmread(io.BytesIO(content)))
    assert len(found) == 6
    return found


def test_wrong_values_become_empty_and_objects_stay_valid(tmp_path: Path) -> None:
    for instance in objects_of(with_values(dict(_WRONG)), tmp_path):
        for keyword in ("PatientSex", "PatientBirthDate", "StudyDate", "StudyTime", "PatientID", "AccessionNumber"):
            assert not instance[keyword].value, keyword
        assert "PatientAge" not in instance
        assert instance.StudyInstanceUID.startswith("2.25.")
        assert str(instance.PatientName) == "A $)C^" + "x" * 58


@pytest.mark.parametrize("name", ["SINGLE", "A^B^C^D^E^F^G", "=", "^^"])
def test_odd_names_are_not_logged(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Highdicom warns about names that it finds odd, and names them."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        objects_of(with_values({"PatientName": name}), tmp_path)
    assert caplog.records == []


def test_missing_elements_are_no_obstacle(tmp_path: Path) -> None:
    missing = dict.fromkeys([*_WRONG, "ReferringPhysicianName", "SpecificCharacterSet"])
    objects = objects_of(with_values(missing), tmp_path)
    assert len({item.StudyInstanceUID for item in objects}) == 1
    assert all(item.PatientID in (None, "") for item in objects)


def test_names_in_other_character_sets_become_utf_8(tmp_path: Path) -> None:
    context = with_values({"PatientName": "Yamada^Tarou=山田^太郎=やまだ^たろう"})
    for instance in objects_of(context, tmp_path):
        assert instance.PatientName.ideographic == "山田^太郎"


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("PatientBirthDate", "20000229"),
        ("StudyTime", "235959.123"),
        ("PatientSex", "O"),
        ("PatientName", "A^B^C^D^E=ideo=phon"),
        ("PatientID", "I" * 64),
    ],
)
def test_valid_values_are_kept(keyword: str, value: str) -> None:
    assert study_attributes(with_values({keyword: value}))[keyword].value == value


def test_uids_fit_whatever_the_root() -> None:
    root = "1.2.276.0.7230010.3.1.4.123456789"
    context = OutputContext(**{**vars(derived_study()), "uid_root": root})
    uid = context.uid("name")
    assert uid.startswith(f"{root}.")
    assert len(uid) <= 64
    assert uid != context.uid("other")
