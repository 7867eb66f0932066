"""Sentences of the analysis in German reports."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hepar.imaging.study.choice import KERNEL_TEXTS, PHASE_TEXTS
from study_service.outputs.analysis_texts import in_language
from study_service.outputs.pdf import report_pdf
from tests.study_service.outputs.test_pdf import text_of
from tests.support.derived_study import StudyOptions, derived_study


@pytest.mark.parametrize("phrase", [*KERNEL_TEXTS.values(), *PHASE_TEXTS.values()])
def test_every_phrase_of_the_choice_of_a_series_has_a_translation(phrase: str) -> None:
    assert in_language(phrase, "de") != phrase
    assert in_language(phrase, "en") == phrase


@pytest.mark.parametrize(
    ("english", "german"),
    [
        (
            "named by the sender: axial, derived, kernel unknown, arterial phase, 41 slices over 202 mm",
            "vom Absender benannt: axial, abgeleitet, Faltungskern unbekannt, arterielle Phase, 41 Schichten über",
        ),
        ("2 of 41 slices lie between images and were interpolated.", "2 von 41 Schichten liegen zwischen Bildern"),
        ("1 image(s) of the series could not be decoded.", "Nicht lesbare Bilder der Serie: 1."),
        ("The slices are 4.5 degrees off standard axial ones; the result may be wrong.", "um 4,5 Grad"),
        ("Something new, which nobody has translated.", "Something new, which nobody has translated."),
    ],
)
def test_sentences_are_translated_with_their_numbers(english: str, german: str) -> None:
    assert german in in_language(english, "de")


def test_a_german_report_has_german_remarks(tmp_path: Path) -> None:
    context = derived_study(StudyOptions(language="de"))
    remark = "2 of 10 slices lie between images and were interpolated."
    result = context.result.model_copy(update={"warnings": [remark]})
    text = " ".join(text_of(report_pdf(replace(context, result=result)), tmp_path).split())
    assert "axial, original, weicher Faltungskern, portalvenöse Phase" in text
    assert "2 von 10 Schichten liegen zwischen Bildern und wurden interpoliert." in text
    assert "portal venous" not in text.replace("Abdomen portal venous", "")  # the series' own name
