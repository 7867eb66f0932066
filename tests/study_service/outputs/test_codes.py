from __future__ import annotations

import pytest
from pydicom.sr.coding import Code

from study_service.outputs import codes

_ALL = [
    *(value for value in vars(codes).values() if isinstance(value, Code)),
    *codes.DISEASES.values(),
    *codes.TYPE_PROBABILITIES.values(),
]
# Verhoeff's dihedral multiplication and permutation (SNOMED CT Technical Implementation Guide, 5.5).
_TIMES = [
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
]  # fmt: skip
_PERMUTED = [
    "0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415", "7046913258",
]  # fmt: skip


def check_digit_is_right(identifier: str) -> bool:
    check = 0
    for place, digit in enumerate(reversed(identifier)):
        check = int(_TIMES[check][int(_PERMUTED[place % 8][int(digit)])])
    return check == 0


@pytest.mark.parametrize(
    "code", [code for code in _ALL if code.scheme_designator == "SCT"], ids=lambda code: code.value
)
def test_snomed_codes_have_the_right_check_digit(code: Code) -> None:
    assert check_digit_is_right(code.value)


def test_a_wrong_check_digit_is_found() -> None:
    assert not check_digit_is_right("109842007")


@pytest.mark.parametrize("code", _ALL, ids=lambda code: code.value)
def test_codes_fit_their_dicom_attributes(code: Code) -> None:
    assert len(code.value) <= 16
    assert len(code.meaning) <= 64
