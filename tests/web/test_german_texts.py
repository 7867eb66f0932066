"""The web app's German texts of messages that have no codes, against the code that writes them."""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path

import pytest

from hepar.imaging import decode
from hepar.imaging.errors import ImageError
from hepar.imaging.study.choice import KERNEL_TEXTS, PHASE_TEXTS
from tests.imaging.test_reasons import CASES
from tests.support.problem_messages import ROOT, SAMPLES, UnknownValueError, field_codes, refusals, warnings

I18N = ROOT / "web/src/i18n"
_ENTRY = re.compile(r'\[\s*/\^(?P<pattern>.+)\$/,\s*(?P<german>"(?:[^"\\]|\\.)*"),?\s*\]')
_PLACEHOLDER = re.compile(r"\{[^}]*\}")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")
_FILE_NAME = re.compile(r"\S+\.dcm")  # the same in both languages
Table = list[tuple[re.Pattern[str], str]]


def table(name: str) -> Table:
    """The patterns of one file, and their German texts."""
    source = (I18N / name).read_text()
    found = [(re.compile(entry["pattern"]), json.loads(entry["german"])) for entry in _ENTRY.finditer(source)]
    assert len(found) == len(re.findall(r"/\^", source)), f"an entry of {name} has another form"
    return found


_TABLES = ("deRefusals.ts", "deRequests.ts", "deSends.ts", "deStudies.ts", "deWarnings.ts")
TABLE = [entry for name in _TABLES for entry in table(name)]
PHRASES = table("dePhrases.ts")
MESSAGES = refusals() + warnings()
# The first is an InvalidRequest without a field; others of that kind are shown by their fields.
OTHER_TEXTS = ["the study is stored already, as one of another patient"]


def german_texts(message: str) -> list[str]:
    matches = [(match, german) for pattern, german in TABLE if (match := pattern.fullmatch(message))]
    return [re.sub(r"\$(\d)", lambda group: match[int(group[1])], german) for match, german in matches]  # noqa: B023


def numbers(text: str) -> list[float]:
    return sorted(float(number.replace(",", ".")) for number in _NUMBER.findall(text))


def test_every_refusal_and_warning_has_one_german_text() -> None:
    assert {f"{message.place}: {message.text}" for message in MESSAGES if len(german_texts(message.text)) != 1} == set()


def phrases_of_messages() -> list[str]:
    """For and against a series, from the rules in hepar.imaging.study.choice; and what an archive refuses."""
    texts = [*KERNEL_TEXTS.values(), *PHASE_TEXTS.values(), "axial", "original", "derived", "not named by the sender"]
    texts += ["named by the sender: axial", "12 slices over 205 mm", "like the chosen series, which comes first"]
    tree = ast.parse((ROOT / "hepar/imaging/study/choice.py").read_text())
    for node in ast.walk(tree):
        match node:
            case ast.Tuple(elts=[ast.Compare() | ast.UnaryOp() | ast.Attribute(), ast.Constant(value=str(text))]):
                texts.append(text)
            case ast.Tuple(elts=[ast.Compare() | ast.UnaryOp() | ast.Call() | ast.BoolOp(), ast.JoinedStr() as text]):
                texts.append(_PLACEHOLDER.sub(_sample, ast.unparse(text)[2:-1]))
    texts += [
        text.removeprefix("the archive refuses ")
        for (module, name), found in SAMPLES.items()
        if module.startswith("dicom") and name.startswith("refusal(")
        for text in found
    ]
    return [phrase for text in texts for phrase in re.split("; |, ", text) if not _FILE_NAME.fullmatch(phrase)]


def _sample(placeholder: re.Match[str]) -> str:
    return {"{stack.plane}": "sagittal"}.get(
        placeholder[0], PHASE_TEXTS["arterial"] if "PHASE" in placeholder[0] else "7"
    )


def test_every_phrase_has_one_german_text() -> None:
    phrases = phrases_of_messages()
    matching = {phrase: [german for pattern, german in PHRASES if pattern.fullmatch(phrase)] for phrase in phrases}
    assert {phrase for phrase, german in matching.items() if len(german) != 1} == set()
    unused = [pattern.pattern for pattern, _ in PHRASES if not any(map(pattern.fullmatch, phrases))]
    assert unused == ["there is none"], "said where a study has no series at all"


def test_a_german_text_has_the_numbers_of_the_message() -> None:
    for message in MESSAGES:
        (german,) = german_texts(message.text)
        assert numbers(german) == numbers(message.text), german


@pytest.mark.parametrize("name", CASES)
def test_a_file_that_is_refused_has_a_german_text(name: str) -> None:
    with pytest.raises(ImageError) as refusal:
        decode(CASES[name][0])
    assert len(german_texts(str(refusal.value))) == 1


def test_no_german_text_is_left_of_a_message_that_is_gone() -> None:
    texts = [message.text for message in MESSAGES] + OTHER_TEXTS
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
