"""A study's result in one sentence, in English and in German."""

from __future__ import annotations

from typing import Literal

from hepar.contracts.study_files import Language
from hepar.contracts.study_results import StudyResult

Presence = Literal["present", "absent", "indeterminate"]

_SENTENCES: dict[str, dict[Language, str]] = {
    "no_liver": {
        "en": "No slice shows a liver. Nothing was assessed.",
        "de": "Keine Schicht zeigt eine Leber. Es wurde nichts beurteilt.",
    },
    "one": {"en": "One liver lesion was found.", "de": "Es wurde eine Leberläsion gefunden."},
    "many": {"en": "{count} liver lesions were found.", "de": "Es wurden {count} Leberläsionen gefunden."},
    "unlocated": {
        "en": "The classifiers see a liver tumour, but no lesion was located.",
        "de": "Die Klassifikatoren sehen einen Lebertumor, aber es wurde keine Läsion lokalisiert.",
    },
    "absent": {"en": "No liver lesion was found.", "de": "Es wurde keine Leberläsion gefunden."},
    "open": {
        "en": "No lesion was located. It is open whether the liver contains a tumour.",
        "de": "Es wurde keine Läsion lokalisiert. Es ist offen, ob die Leber einen Tumor enthält.",
    },
}


def presence_of_lesions(result: StudyResult) -> Presence:
    if result.lesions or result.tumour:
        return "present"
    return "absent" if result.tumour is False else "indeterminate"


def finding_statement(result: StudyResult, language: Language) -> str:
    """What was found, or that nothing was found, or that nothing was assessed."""
    return _SENTENCES[_kind(result)][language].format(count=len(result.lesions))


def _kind(result: StudyResult) -> str:
    if result.outcome == "out_of_scope":
        return "no_liver"
    if result.lesions:
        return "one" if len(result.lesions) == 1 else "many"
    return {True: "unlocated", False: "absent", None: "open"}[result.tumour]
