"""Sentences of the analysis, which are English, in the language of a report."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hepar.contracts.study_files import Language

_NUMBER = r"(\d+(?:\.\d+)?)"
_TILTED = "Die Schichten sind um {} Grad gegen axiale gekippt; das Ergebnis kann falsch sein."
_GERMAN: Mapping[str, str] = {
    "named by the sender: axial": "vom Absender benannt: axial",
    "axial": "axial",
    "original": "original",
    "derived": "abgeleitet",
    "soft kernel": "weicher Faltungskern",
    "sharp kernel": "harter Faltungskern",
    "kernel unknown": "Faltungskern unbekannt",
    "portal venous": "portalvenöse Phase",
    "with contrast of unknown phase": "mit Kontrastmittel in unbekannter Phase",
    "phase unknown": "Phase unbekannt",
    "delayed phase": "Spätphase",
    "arterial phase": "arterielle Phase",
    "without contrast": "ohne Kontrastmittel",
    "{} slices over {} mm": "{} Schichten über {} mm",
    "{} image(s) of the series could not be decoded.": "Nicht lesbare Bilder der Serie: {}.",
    "{} of {} slices lie between images and were interpolated.": (
        "{} von {} Schichten liegen zwischen Bildern und wurden interpoliert."
    ),
    "The body is larger than the training images; the networks saw {} mm per pixel instead of {}.": (
        "Der Körper ist größer als die Trainingsbilder; die Netze sahen {} mm pro Pixel statt {}."
    ),
    "The slices are {} degrees off standard axial ones; the result may be wrong.": _TILTED,
    "The slice is {} degrees off a standard axial one; the result may be wrong.": _TILTED,
}
"""Braces stand for numbers."""
_PATTERNS = [
    (re.compile(re.escape(english).replace(re.escape("{}"), _NUMBER)), german) for english, german in _GERMAN.items()
]


def in_language(text: str, language: Language) -> str:
    """A sentence, or phrases between commas. What has no translation stays as it is."""
    if language == "en":
        return text
    whole = _translated(text)
    return ", ".join(map(_translated, text.split(", "))) if whole == text else whole


def _translated(text: str) -> str:
    for pattern, german in _PATTERNS:
        if match := pattern.fullmatch(text):
            return german.format(*(number.replace(".", ",") for number in match.groups()))
    return text
