"""The web app's German texts of messages that have no codes, against the code that writes them."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from hepar.imaging import decode
from hepar.imaging.errors import ImageError
from tests.imaging.test_reasons import CASES
from tests.support.problem_messages import ROOT, UnknownValueError, field_codes, refusals, warnings

I18N = ROOT / "web/src/i18n"
_ENTRY = re.compile(r'\[\s*/\^(?P<pattern>.+)\$/,\s*(?P<german>"(?:[^"\\]|\\.)*"),?\s*\]')
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")
Table = list[tuple[re.Pattern[str], str]]


def table(name: str) -> Table:
    """The patterns of one file, and their German texts."""
    source = (I18N / name).read_text()
    found = [(re.compile(entry["pattern"]), json.loads(entry["german"])) for entry in _ENTRY.finditer(source)]
    assert len(found) == len(re.findall(r"/\^", source)), f"an entry of {name} has another form"
    return found


TABLE = table("deRefusals.ts") + table("deRequests.ts") + table("deWarnings.ts")


def german_texts(message: str) -> list[str]:
    matches = [(match, german) for pattern, german in TABLE if (match := pattern.fullmatch(message))]
    return [re.sub(r"\$(\d)", lambda group: match[int(group[1])], german) for match, german in matches]  # noqa: B023


def numbers(text: str) -> list[float]:
    return sorted(float(number.replace(",", ".")) for number in _NUMBER.findall(text))


def test_every_refusal_and_warning_has_one_german_text() -> None:
    messages = refusals() + warnings()
    assert {f"{message.place}: {message.text}" for message in messages if len(german_texts(message.text)) != 1} == set()


def test_a_german_text_has_the_numbers_of_the_message() -> None:
    for message in refusals() + warnings():
        (german,) = german_texts(message.text)
        assert numbers(german) == numbers(message.text), german


@pytest.mark.parametrize("name", CASES)
def test_a_file_that_is_refused_has_a_german_text(name: str) -> None:
    with pytest.raises(ImageError) as refusal:
        decode(CASES[name][0])
    assert len(german_texts(str(refusal.value))) == 1


def test_no_german_text_is_left_of_a_message_that_is_gone() -> None:
    texts = [message.text for message in refusals() + warnings()]
    assert [pattern.pattern for pattern, _ in TABLE if not any(map(pattern.fullmatch, texts))] == []


def test_every_invalid_field_has_a_german_text() -> None:
    fields = (I18N / "deProblems.ts").read_text().partition("deFieldErrors")[2]
    assert field_codes() > {"empty", "missing"}
    assert field_codes() - set(re.findall(r"^  (\w+): ", fields, re.MULTILINE)) == set()


@pytest.mark.parametrize(
    ("expression", "texts"),
    [
        ('"one"', ["one"]),
        ('"one" if wide else "two"', ["one", "two"]),
        ('f"at most {LIMIT:g} s"', ["at most 2.5 s"]),
        ('f"{quoted_number(width)} of {quoted_number(width)}"', ["7 of 7", "unknown of unknown"]),
        ("message", ["one", "two"]),
    ],
)
def test_messages_are_collected_from_the_source(
    expression: str, texts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [message.text for message in refusals([module(expression, tmp_path, monkeypatch)])] == texts


def test_a_message_with_an_unknown_value_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownValueError, match=r"add values of 'width' to SAMPLES"):
        refusals([module('f"{width} pixels"', tmp_path, monkeypatch)])


def module(expression: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module that refuses an image with the expression as its message."""
    path = folder / "refusing.py"
    path.write_text(
        "from hepar.imaging.errors import UnreadableImage\n"
        "LIMIT = 2.5\n"
        "def refuse(width, wide):\n"
        '    message = "one" if wide else "two"\n'
        f"    raise UnreadableImage({expression})\n"
    )
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr("tests.support.problem_messages.ROOT", folder)
    monkeypatch.delitem(sys.modules, "refusing", raising=False)
    return path
