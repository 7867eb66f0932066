from __future__ import annotations

from collections import Counter

import pytest
from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.tag import Tag
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage

from hepar.imaging.deidentification.profile import Options, Profile, attribute_types, table


def test_the_table_is_that_of_the_standard() -> None:
    """652 attributes of edition 2026c (621 rows with all groups in 2024b), without the repeating groups."""
    assert Counter(rule.basic for rule in table().values()) == {
        "X": 412, "D": 93, "U": 55, "Z": 42, "X/D": 23, "X/Z": 11, "X/Z/D": 8, "Z/D": 6, "X/Z/U*": 2,
    }  # fmt: skip
    assert {rule.characteristics for rule in table().values()} == {"", "K", "C"}
    shifted = [tag for tag, rule in table().items() if rule.modified_dates == "C"]
    assert len(shifted) == 165
    assert {dictionary_VR(tag) for tag in shifted if dictionary_has_tag(tag)} <= {
        "DA",
        "TM",
        "DT",
        "SH",
        "LO",
        "OB",
        "SL",
        "UI",
        "SQ",
    }


def test_attributes_of_images_are_known_and_free_text_is_not_among_them() -> None:
    for keyword in attribute_types():
        tag = tag_for_keyword(keyword)
        assert tag is not None, keyword
        if tag not in table():
            assert dictionary_VR(tag) not in ("PN", "LT", "ST", "UT", "UR", "AE", "DA", "DT", "TM", "OB", "UN"), keyword


@pytest.mark.parametrize(
    ("keyword", "nested", "options", "action"),
    [
        ("PatientName", False, Options(), "empty"),
        ("StudyDate", False, Options(), "empty"),
        ("StudyDate", False, Options(shifted_dates=True), "shift"),
        ("AcquisitionDateTime", False, Options(), "remove"),
        ("PatientAge", False, Options(), "remove"),
        ("PatientAge", False, Options(characteristics=True), "keep"),
        ("Allergies", False, Options(characteristics=True), "remove"),
        ("StudyInstanceUID", False, Options(), "uid"),
        ("InstitutionName", False, Options(), "remove"),
        ("ProtocolName", False, Options(), "remove"),
        ("ReferencedImageSequence", False, Options(), "remove"),
        ("RescaleSlope", False, Options(), "keep"),
        ("ContrastBolusAgent", False, Options(), "empty"),
        ("PixelData", False, Options(), "remove"),
        ("BeamHoldTransitionDateTime", False, Options(), "remove"),
    ],
)
def test_actions_for_ct_images(keyword: str, nested: bool, options: Options, action: str) -> None:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    assert Profile(CTImageStorage, options).action(Tag(tag), nested=nested) == action


def test_an_attribute_that_one_class_needs_gets_a_dummy_there() -> None:
    tag = Tag("ContentDate")
    assert Profile(CTImageStorage, Options()).action(tag, nested=False) == "empty"
    assert Profile(EnhancedCTImageStorage, Options()).action(tag, nested=False) == "dummy"


def test_private_and_unknown_attributes_are_removed() -> None:
    profile = Profile(CTImageStorage, Options(True, True))
    for tag in (0x00291001, 0x00290010, 0x60003000, 0x50003000, 0x00081301):
        assert profile.action(Tag(tag), nested=False) == "remove", keyword_for_tag(tag)
