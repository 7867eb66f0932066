"""Contrast phase and reconstruction kernel of a series, as far as its header tells them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from hepar.imaging.study.series import SliceStack

Phase = Literal["portal venous", "arterial", "delayed", "unenhanced", "unknown with contrast", "unknown"]
Kernel = Literal["soft", "sharp", "unknown"]

_DAY_S = 86_400
_ARTERIAL_S, _PORTAL_S, _LATE_S = (10, 50), (50, 110), (110, 3600)
"""After the start of the injection: usual delays are 35 s, 70 s and 180 s."""
_ARTERIAL_TO_PORTAL_S = (20, 70)
_LATE_AFTER_S = 900

# Words of descriptions in English and German, and scanners' abbreviations.
_PHASE_WORDS: tuple[tuple[Phase, re.Pattern[str]], ...] = (
    ("unenhanced", re.compile(
        r"\b(non? ?(con(trast)?|enhanced)|unenhanced|pre ?contrast|nativ\w*|w ?/? ?o(ut)?|without|ohne|nc|ncct)\b"
    )),
    ("delayed", re.compile(r"\b(delay\w*|late|equilib\w*|excret\w*|nephro\w*|sp(a|ae|\u00e4)t\w*|[35] ?min)\b")),
    ("portal venous", re.compile(
        r"\b(portal\w*|porto\w*|venous|ven\w{0,5}|pv|pvp|pven|hepatic (phase|ven\w*)|(6|7|8)\d ?(s|sec))\b"
    )),
    ("arterial", re.compile(r"\b(art\w*|angio\w*|cta|hap|(2|3)\d ?(s|sec))\b")),
)  # fmt: skip
_CONTRAST_WORDS = re.compile(r"\b(contrast|km|kontrast\w*|c\+|ce|cect|post|iv|enhanced)\b")
_LATE_ARTERIAL = re.compile(r"\blate art\w*")
_SHARP_WORDS = re.compile(r"\b(lung\w*|lunge\w*|bones?|knochen\w*|sharp|edge|hrct|high ?res\w*|osteo\w*)\b")
_SOFT_WORDS = re.compile(r"\b(soft|std|standard|abdomen|weichteil\w*|body)\b")
_SIEMENS = re.compile(r"^[A-Z][A-Za-z]?(\d{2})[a-z]?(\b|\s)")
_TOSHIBA = re.compile(r"^FC(\d{2})")
_GE_SOFT, _GE_SHARP = {"STANDARD", "SOFT"}, {"LUNG", "BONE", "BONEPLUS", "EDGE", "DETAIL", "ULTRA", "CHEST"}
_PHILIPS_SOFT, _PHILIPS_SHARP = {"A", "B", "C", "UA", "UB", "UC", "IMR"}, {"D", "E", "F", "L", "YA", "YB", "YC", "YD"}
_SIEMENS_SHARP_MIN, _TOSHIBA_SOFT_MAX = 50, 29


def phases_of(stacks: Sequence[SliceStack]) -> dict[str, Phase]:
    """By the ids of the stacks.

    Where neither a description nor the time of the injection tells it, acquisitions with contrast are compared:
    the one 20 to 70 s after another is portal venous, the one before it arterial, one that follows later delayed.
    """
    phases: dict[str, Phase] = {stack.id: phase_of(stack) for stack in stacks}
    contrast_s = {
        stack.id: acquired_s
        for stack in stacks
        if phases[stack.id] not in ("unenhanced", "unknown") and (acquired_s := _acquired_s(stack)) is not None
    }
    for stack_id, acquired_s in contrast_s.items():
        if phases[stack_id] == "unknown with contrast":
            phases[stack_id] = _relative_phase(acquired_s, list(contrast_s.values()))
    return phases


def _relative_phase(acquired_s: float, all_s: list[float]) -> Phase:
    low_s, high_s = _ARTERIAL_TO_PORTAL_S
    before_s = [acquired_s - other_s for other_s in all_s]
    if any(low_s <= delay_s <= high_s for delay_s in before_s):
        return "portal venous"
    if any(low_s <= -delay_s <= high_s for delay_s in before_s):
        return "arterial"
    return "delayed" if any(high_s < delay_s <= _LATE_AFTER_S for delay_s in before_s) else "unknown with contrast"


def _acquired_s(stack: SliceStack) -> float | None:
    return stack.slices[len(stack.slices) // 2].frame.acquired_s


def phase_of(stack: SliceStack) -> Phase:
    """From the description, or else from the times of the contrast agent and of the acquisition."""
    text = _words(stack.first.instance.series_description)
    if _LATE_ARTERIAL.search(text):
        return "arterial"
    for phase, words in _PHASE_WORDS:
        if words.search(text):
            return phase
    from_times = _phase_of_times(stack)
    if from_times is not None:
        return from_times
    if stack.first.instance.has_contrast or _CONTRAST_WORDS.search(text):
        return "unknown with contrast"
    return "unenhanced" if stack.first.instance.has_contrast is False else "unknown"


def kernel_of(stack: SliceStack) -> Kernel:
    """From ConvolutionKernel in the ways of four manufacturers, or else from the description."""
    from_name = _kernel_of_name((stack.first.instance.kernel or "").strip())
    text = _words(stack.first.instance.series_description)
    if from_name != "unknown":
        return from_name
    if _SHARP_WORDS.search(text):
        return "sharp"
    return "soft" if _SOFT_WORDS.search(text) else "unknown"


def _kernel_of_name(name: str) -> Kernel:
    if found := _TOSHIBA.match(name):
        return "soft" if int(found[1]) <= _TOSHIBA_SOFT_MAX else "sharp"
    if found := _SIEMENS.match(name):
        return "soft" if int(found[1]) < _SIEMENS_SHARP_MIN else "sharp"
    term = name.upper().split(" ")[0]
    if term in _GE_SOFT | _PHILIPS_SOFT:
        return "soft"
    return "sharp" if term in _GE_SHARP | _PHILIPS_SHARP else "unknown"


def _phase_of_times(stack: SliceStack) -> Phase | None:
    """By the seconds between the injection and the middle slice."""
    acquired_s, bolus_s = _acquired_s(stack), stack.first.frame.bolus_s
    if acquired_s is None or bolus_s is None:
        return None
    delay_s = (acquired_s - bolus_s) % _DAY_S
    limits: tuple[tuple[Phase, tuple[int, int]], ...] = (
        ("arterial", _ARTERIAL_S),
        ("portal venous", _PORTAL_S),
        ("delayed", _LATE_S),
    )
    return next((phase for phase, (low_s, high_s) in limits if low_s <= delay_s < high_s), None)


def _words(text: str | None) -> str:
    return re.sub(r"[^0-9a-z+/\u00e4\u00f6\u00fc]+", " ", (text or "").lower())
