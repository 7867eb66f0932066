"""`make cases`: the prose of the table is translated to checks, and a case that is read wrong is an error."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from tests.support.pictures import ct_dataset, dicom_bytes, encoded, gradient, multi_frame
from tools.cases import INPUT_VIEW, Outcome, alternatives, run

PHANTOM = np.tile(np.linspace(0, 255, INPUT_VIEW.width).astype(np.uint8), (INPUT_VIEW.height, 1))


def read(*warnings: str, pixels: np.ndarray = PHANTOM) -> Outcome:
    return Outcome(pixels, warnings)


def refused(reason: str) -> Outcome:
    return Outcome(None, refusal=reason)


@pytest.mark.parametrize(
    ("expected", "outcome", "right"),
    [
        ("the phantom", read(), True),
        ("the phantom", read(pixels=255 - PHANTOM), False),
        ("the phantom", read(pixels=np.zeros_like(PHANTOM)), False),
        ("the phantom", refused("the file is damaged"), False),
        ("refused", refused("anything"), True),
        ("refused", read(), False),
        ("the phantom, or refused with RescaleIntercept", refused("RescaleIntercept is not a number"), True),
        ("the phantom, or refused with RescaleIntercept", refused("the file is damaged"), False),
        ("the phantom, or refused with RescaleIntercept", read(), True),
        ("refused: RescaleSlope (or read as 1)", refused("RescaleSlope is 0"), True),
        ("padding is black, or a refusal that says padding", read(pixels=255 - PHANTOM), False),
        ("read, or a refusal that names it; not: broken", refused("the file is damaged or incomplete"), False),
        ("read, or a refusal that names it; not: broken", refused("a text of 2 MB"), True),
        ("a refusal or warning that the 16 bits are hardly used", read("It uses few of its 16 bits."), True),
        ("a refusal or warning that the 16 bits are hardly used", read(), False),
        ("refused, or a warning that values are not Hounsfield units", read("They are not Hounsfield units."), True),
        ("refused, or a warning that values are not Hounsfield units", read("Something else."), False),
        ("turned to standard display, told", read("It was turned."), True),
        ("turned to standard display, told", read(), False),
        ("turned, or a warning that does not deny it", read("It does not state it.", pixels=PHANTOM.T), False),
        ("as it lies in the file with the warning", read("The slice is not axial."), True),
        ("as it lies in the file with the warning", Outcome(PHANTOM, ("not axial",), as_stored=False), False),
        ("the picture", read(pixels=255 - PHANTOM), True),
    ],
)
def test_an_expectation_accepts_what_it_states_and_nothing_else(expected: str, outcome: Outcome, right: bool) -> None:
    assert any(check(outcome, PHANTOM) for check in alternatives(expected)) is right


def test_a_phrase_that_no_table_has_is_an_error() -> None:
    with pytest.raises(ValueError, match="no table has a check for 'something new'"):
        alternatives("the phantom, or something new")


def folder_of(folder: Path, cases: dict[str, tuple[str, bytes | None]]) -> Path:
    (folder / "inputs").mkdir()
    with (folder / "cases.tsv").open("w", newline="") as table:
        writer = csv.writer(table, delimiter="\t")
        writer.writerow(["name", "report", "input", "expected", "got", "verdict"])
        for name, (expected, content) in cases.items():
            writer.writerow([name, "control" if name == "plain" else "a report", "", expected, "", ""])
            if content is not None:
                (folder / "inputs" / name).write_bytes(content)
    return folder


PLAIN = dicom_bytes(ct_dataset(gradient(256, 256).astype(np.int32)))


def test_each_case_has_a_line_and_a_wrong_one_changes_the_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = {
        "plain": ("the phantom", PLAIN),
        "frames": ("the picture", dicom_bytes(multi_frame(2))),
        "picture": ("refused", encoded(gradient())),
        "http": ("405", None),
    }
    assert run(folder_of(tmp_path, cases)) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "right  plain: expected the phantom; found read"
    assert lines[2] == "WRONG  picture: expected refused; found read"
    assert lines[3] == "2 right, 1 wrong, 1 without a file"


def test_right_cases_alone_give_exit_code_0_and_a_folder_without_a_control_2(tmp_path: Path) -> None:
    for name, code in (("plain", 0), ("other", 2)):
        (tmp_path / name).mkdir()
        assert run(folder_of(tmp_path / name, {name: ("the phantom", PLAIN)})) == code
