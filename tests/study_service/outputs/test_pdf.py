from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import typst

from hepar.contracts.study_files import Language
from study_service.outputs.context import OutputContext
from study_service.outputs.pdf import report_pdf
from study_service.outputs.typesetting import _fonts, _inputs
from study_service.outputs.wording import WORDS
from tests.support.derived_study import StudyOptions, derived_study
from tests.support.dicom_tools import program

_HOSTILE = [
    '#panic("stop")',
    '#read("/etc/passwd")',
    "#import sys: *",
    "]#text(red)[x",
    "*bold* _thin_ $x^2$ `raw`",
    '"; panic() //',
    "@label <label> = Title",
    "/* open",
    "\\u{41}",
    "~---...",
    "{{sys.inputs}}",
]


def text_of(content: bytes, tmp_path: Path) -> str:
    (tmp_path / "report.pdf").write_bytes(content)
    command = [program("pdftotext"), "-layout", str(tmp_path / "report.pdf"), "-"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def pages_of(content: bytes, tmp_path: Path) -> int:
    (tmp_path / "report.pdf").write_bytes(content)
    command = [program("pdfinfo"), str(tmp_path / "report.pdf")]
    lines = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pages:"))


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        (
            "en",
            [
                "Müller, Jörg", "H-4711", "1958-04-17", "A-1042", "2026-11-20", "2026-11-26 09:30 UTC",
                "2 liver lesions were found.", "96%", "Metastasis (81%)",
                "15.0 \N{MULTIPLICATION SIGN} 10.0 mm", "2.2 ml", "4\N{EN DASH}6",
                "segment_resunet 1, detect_yolov5 2", "Hepar 2.0.0", "0b0e7f0a-5d4e-4c8a-9a5e-0d7f6b3f7c11",
                "Page 1 of 1",
            ],
        ),
        (
            "de",
            [
                "17.04.1958", "20.11.2026", "26.11.2026 09:30 UTC", "Es wurden 2 Leberläsionen gefunden.",
                "15,0 \N{MULTIPLICATION SIGN} 10,0 mm",
                "2,2 ml", "Metastase (81 %)", "Seite 1 von 1",
            ],
        ),
    ],
)  # fmt: skip
def test_the_report_contains_the_result(language: Language, expected: list[str], tmp_path: Path) -> None:
    text = text_of(report_pdf(derived_study(StudyOptions(language=language))), tmp_path)
    for part in [*expected, WORDS[language]["notice"]]:
        assert part in text


def test_both_languages_have_the_same_texts() -> None:
    assert WORDS["en"].texts.keys() == WORDS["de"].texts.keys()
    assert all(text.strip() for words in WORDS.values() for text in words.texts.values())


@pytest.mark.parametrize("name", _HOSTILE)
def test_hostile_names_are_printed_as_they_are(name: str, tmp_path: Path) -> None:
    text = text_of(report_pdf(_with_name(name)), tmp_path)
    assert "".join(name.split()) in "".join(text.split())


@pytest.mark.parametrize("name", ["王^小明", "😀", "\u202eevil", "a\x00b", "\ud800", "ﷺ" * 20, "W" * 64, "̈" * 30])
def test_names_that_the_font_cannot_print_do_not_fail(name: str) -> None:
    assert report_pdf(_with_name(name)).startswith(b"%PDF-")


def test_every_character_that_is_passed_on_can_be_printed() -> None:
    """PDF/A refuses a character without a glyph."""
    template = b'#set text(font: "Libertinus Serif")\n#for part in json(bytes(sys.inputs.data)) [#part #parbreak()]'
    characters = [chr(code) for code in range(0x20, 0x3000)]
    content = typst.compile(
        template, format="pdf", sys_inputs=_inputs(characters), font_paths=_fonts(), pdf_standards=["a-2b"], timestamp=0
    )
    assert content.startswith(b"%PDF-")
    with pytest.raises(typst.TypstError):
        typst.compile(
            template,
            format="pdf",
            sys_inputs={"data": json.dumps(["王"])},
            font_paths=_fonts(),
            pdf_standards=["a-2b"],
            timestamp=0,
        )


def _with_name(name: str) -> OutputContext:
    context = derived_study(StudyOptions(patient_name=name))
    series = context.result.series[0].model_copy(update={"description": name.replace("\ud800", "")})
    return replace(context, result=context.result.model_copy(update={"series": [series]}))


@pytest.mark.parametrize("pdf_a", [True, False])
def test_equal_results_give_equal_bytes(pdf_a: bool) -> None:
    context = derived_study()
    assert report_pdf(context, pdf_a) == report_pdf(context, pdf_a)


def test_pdf_a_is_declared(tmp_path: Path) -> None:
    assert b"pdfaid:part>2<" in report_pdf(derived_study()).replace(b" ", b"")
    assert b"pdfaid" not in report_pdf(derived_study(), pdf_a=False)


@pytest.mark.parametrize(
    ("options", "statement"),
    [
        (StudyOptions(lesions=0), "No liver lesion was found."),
        (StudyOptions(lesions=0, liver=False), "No slice shows a liver. Nothing was assessed."),
        (StudyOptions(lesions=1, boxed=(0,)), "One liver lesion was found."),
        (StudyOptions(with_files=False), "2 liver lesions were found."),
    ],
)
def test_the_report_states_what_was_found(options: StudyOptions, statement: str, tmp_path: Path) -> None:
    content = report_pdf(derived_study(options))
    assert statement in text_of(content, tmp_path)
    assert pages_of(content, tmp_path) == 1


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_long_result_stays_on_one_page(language: Language, tmp_path: Path) -> None:
    context = derived_study(StudyOptions(language=language, boxed=(1,)))
    result = context.result
    lesions = [*result.lesions, *(result.lesions[1].model_copy(update={"id": f"L{number}"}) for number in range(3, 40))]
    long_series = result.series[0].model_copy(update={"description": "W" * 64, "reason": "x y " * 200})
    update = {
        "lesions": lesions,
        "series": [long_series],
        "warnings": ["A remark on the study that is quite long and goes on for a while. " * 5] * 20,
        "models": [result.models[0].model_copy(update={"model": f"classify_network_{number}"}) for number in range(12)],
        "key_slices": [result.key_slices[0]] * 5,
    }
    content = report_pdf(replace(context, result=result.model_copy(update=update)))
    assert pages_of(content, tmp_path) == 1
    assert WORDS[language]["more"].format(count=31) in text_of(content, tmp_path)
