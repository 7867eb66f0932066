"""Which series of a study is analysed, and why: docs/decisions/0040."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hepar.contracts.studies import Series
from hepar.imaging.derived_maps import map_term
from hepar.imaging.errors import NoUsableSeries
from hepar.imaging.study.phases import Kernel, Phase, kernel_of, phases_of
from hepar.imaging.study.series import SliceStack

VOXELS_MAX = 400_000_000
LIVER_EXTENT_MM = 150.0
SPACING_BEST_MM, SPACING_MM_MAX = 3.0, 10.0
GAP_MM_MAX = 20.0
_PROJECTIONS = {"MIP", "MINIP", "MAX_IP", "MIN_IP", "MAXIMUM", "MINIMUM", "VRT", "VOLUME", "RADIAL"}
_PHASE_RANK: dict[Phase, int] = {
    "portal venous": 0,
    "unknown with contrast": 1,
    "unknown": 2,
    "delayed": 3,
    "arterial": 4,
    "unenhanced": 5,
}
_KERNEL_RANK: dict[Kernel, int] = {"soft": 0, "unknown": 1, "sharp": 2}
PHASE_TEXTS: dict[Phase, str] = {
    "portal venous": "portal venous",
    "unknown with contrast": "with contrast of unknown phase",
    "unknown": "phase unknown",
    "delayed": "delayed phase",
    "arterial": "arterial phase",
    "unenhanced": "without contrast",
}
KERNEL_TEXTS: dict[Kernel, str] = {"soft": "soft kernel", "unknown": "kernel unknown", "sharp": "sharp kernel"}


@dataclass(frozen=True)
class Rank:
    """Compared in the order of the fields; the lower is chosen.

    extent_short: whether a liver may not fit into it.  spacing: logarithm of its ratio to SPACING_BEST_MM.
    """

    derived: bool
    sharp: bool
    extent_short: bool
    phase: int
    kernel: int
    spacing: float
    slices: int
    id_number: int

    def key(self) -> tuple[float, ...]:
        return tuple(float(value) for value in vars(self).values())


def choose(stacks: Sequence[SliceStack], wanted: str | None = None) -> list[Series]:
    """Every series, one of them chosen, with the reason for or against it.

    wanted: id or SeriesInstanceUID of the series that the caller names.
    Raises NoUsableSeries, with the reason, where none can be analysed or not the wanted one.
    """
    obstacles = {stack.id: obstacle(stack) for stack in stacks}
    phases = phases_of(stacks)
    usable = [stack for stack in stacks if obstacles[stack.id] is None]
    if wanted is not None:
        chosen = _named(stacks, wanted)
        if (problem := obstacles[chosen.id]) is not None:
            raise NoUsableSeries(f"the named series cannot be analysed: {problem}")
    elif not usable:
        raise NoUsableSeries(_why_none(stacks, obstacles))
    else:
        chosen = min(usable, key=lambda stack: rank(stack, phases[stack.id]).key())
    named = "named by the sender: " if wanted is not None else ""
    reasons = {
        stack.id: obstacles[stack.id] or ("not named by the sender" if named else _why_not(stack, chosen, phases))
        for stack in stacks
    }
    reasons[chosen.id] = named + _properties(chosen, phases[chosen.id])
    return [_document(stack, reasons[stack.id], is_chosen=stack is chosen) for stack in stacks]


def not_chosen(stacks: Sequence[SliceStack]) -> list[Series]:
    """Every series of a study of which none can be analysed."""
    return [_document(stack, obstacle(stack) or "not named by the sender", is_chosen=False) for stack in stacks]


def obstacle(stack: SliceStack) -> str | None:
    """Why a stack cannot be analysed, or None."""
    findings = stack.findings
    kind = stack.first.frame.image_type
    rules = (
        ("not_ct" in findings, "not CT"),
        (stack.first.instance.is_secondary_capture, "a secondary capture, not a CT image"),
        ("localizer" in findings, "a localizer"),
        (map_term(kind, stack.first.instance.series_description) is not None, "a derived map without Hounsfield units"),
        (not _PROJECTIONS.isdisjoint(kind[2:]), "a projection, not slices"),
        ("no_positions" in findings, "the files do not state where its slices are"),
        (stack.plane not in (None, "axial"), f"{stack.plane} slices; only axial ones are read"),
        ("too_few_slices" in findings, f"only {len(stack.slices)} slice(s)"),
        (stack.first.frame.spacing_mm is None, "the files do not state the size of a pixel"),
        ("shifted_slices" in findings, "its slices do not lie above one another"),
        ("gantry_tilt" in findings, f"gantry tilt of {stack.tilt_degrees:.0f} degrees"),
        ((stack.spacing_mm or 0) > SPACING_MM_MAX, f"slices {stack.spacing_mm or 0:.1f} mm apart"),
        (stack.largest_gap_mm > GAP_MM_MAX, f"slices are missing over {stack.largest_gap_mm:.0f} mm"),
        (_voxels(stack) > VOXELS_MAX, f"{len(stack.slices)} slices are more than can be read"),
    )
    return next((text for applies, text in rules if applies), None)


def rank(stack: SliceStack, phase: Phase) -> Rank:
    return Rank(
        "derived" in stack.findings,
        kernel_of(stack) == "sharp",
        stack.extent_mm < LIVER_EXTENT_MM,
        _PHASE_RANK[phase],
        _KERNEL_RANK[kernel_of(stack)],
        round(abs(math.log((stack.spacing_mm or 1.0) / SPACING_BEST_MM)), 2),
        -len(stack.slices),
        int(stack.id.rsplit("-", 1)[1]),
    )


def _voxels(stack: SliceStack) -> float:
    per_slice = stack.first.instance.rows * stack.first.instance.columns
    return per_slice * (stack.extent_mm / (stack.spacing_mm or 1.0) + 1)


def _named(stacks: Sequence[SliceStack], wanted: str) -> SliceStack:
    found = [stack for stack in stacks if wanted in (stack.id, stack.uid)]
    if not found:
        raise NoUsableSeries("the named series is not in the study")
    usable = [stack for stack in found if obstacle(stack) is None]
    return (usable or found)[0]


def _why_none(stacks: Sequence[SliceStack], obstacles: dict[str, str | None]) -> str:
    reasons = list(dict.fromkeys(text for text in obstacles.values() if text))
    if stacks and all(stack.plane in ("coronal", "sagittal") for stack in stacks):
        return "the study has only coronal or sagittal slices; axial ones are needed"
    return f"no series of the study can be analysed: {'; '.join(reasons[:4]) or 'there is none'}"


def _document(stack: SliceStack, reason: str, *, is_chosen: bool) -> Series:
    first = stack.first.instance
    return Series(
        id=stack.id,
        uid=stack.uid,
        number=first.series_number,
        description=first.series_description,
        modality=first.modality,
        plane=stack.plane,
        images=stack.images,
        slice_spacing_mm=None if stack.spacing_mm is None else round(stack.spacing_mm, 3),
        findings=list(stack.findings),
        chosen=is_chosen,
        reason=reason,
    )


def _properties(stack: SliceStack, phase: Phase) -> str:
    origin = "derived" if "derived" in stack.findings else "original"
    facts = f"axial, {origin}, {KERNEL_TEXTS[kernel_of(stack)]}, {PHASE_TEXTS[phase]}"
    return f"{facts}, {len(stack.slices)} slices over {stack.extent_mm:.0f} mm"


def _why_not(stack: SliceStack, chosen: SliceStack, phases: dict[str, Phase]) -> str:
    """The first rule by which the chosen one comes before it."""
    phase, best_phase = phases[stack.id], phases[chosen.id]
    mine, best = rank(stack, phase), rank(chosen, best_phase)
    rules = (
        (mine.derived != best.derived, "derived; an original series was preferred"),
        (mine.sharp != best.sharp, "sharp kernel; a softer one was preferred"),
        (mine.extent_short != best.extent_short, f"only {stack.extent_mm:.0f} mm; a longer series was preferred"),
        (mine.phase != best.phase, f"{PHASE_TEXTS[phase]}; {PHASE_TEXTS[best_phase]} was preferred"),
        (mine.kernel != best.kernel, "kernel unknown; a soft one was preferred"),
        (
            mine.spacing != best.spacing,
            f"slices {stack.spacing_mm or 0:.1f} mm apart; nearer to {SPACING_BEST_MM:.0f} mm was preferred",
        ),
        (mine.slices != best.slices, f"{len(stack.slices)} slices; more slices were preferred"),
    )
    return next((text for applies, text in rules if applies), "like the chosen series, which comes first")
