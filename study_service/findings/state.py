"""Findings as the history of their corrections leaves them. Pure: the history alone decides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from hepar.contracts.findings import (
    AuthorRole,
    Correction,
    CorrectionAction,
    Finding,
    FindingMeasurement,
    FindingPart,
    FindingStatus,
    ReadFinding,
    Reading,
    ReadingSummary,
    SliceOutline,
)
from hepar.contracts.lesions import Lesion
from hepar.contracts.study_results import StudyResult

EntryAction = CorrectionAction | Literal["add"]
_JUDGED = ("accept", "reject", "retype", "outline", "add")


@dataclass(frozen=True)
class Entry:
    """One correction as it is stored. measurement: after `outline` and `add`."""

    number: int
    finding_id: str
    action: EntryAction
    at: datetime
    author: str
    author_role: AuthorRole
    label: str | None = None
    outlines: tuple[SliceOutline, ...] = ()
    comment: str | None = None
    measurement: FindingMeasurement | None = None
    undone: bool = False


def list_etag(version: int, entries: Sequence[Entry]) -> str:
    return f'"{version}.{len(entries)}"'


def with_undone(entries: Iterable[Entry]) -> list[Entry]:
    """Oldest first. An `undo` takes back the newest entry of the same finding that is in force."""
    marked: list[Entry] = []
    for entry in entries:
        if entry.action == "undo":
            place = in_force(marked, entry.finding_id)
            if place is not None:
                marked[place] = replace(marked[place], undone=True)
        marked.append(entry)
    return marked


def in_force(entries: Sequence[Entry], finding_id: str) -> int | None:
    """The place of the newest entry of a finding that an undo would take back."""
    return next(
        (
            place
            for place in reversed(range(len(entries)))
            if entries[place].finding_id == finding_id and entries[place].action != "undo" and not entries[place].undone
        ),
        None,
    )


def findings_of(result: StudyResult, entries: Sequence[Entry]) -> list[Finding]:
    """The models' findings, then those that readers added. entries: with their undone ones marked."""
    added = [entry.finding_id for entry in entries if entry.action == "add"]
    models = [_finding(result.version, lesion.id, lesion, entries) for lesion in result.lesions]
    return models + [_finding(result.version, finding_id, None, entries) for finding_id in added]


def next_added_id(entries: Sequence[Entry]) -> str:
    return f"R{sum(entry.action == 'add' for entry in entries) + 1}"


def model_measurement(lesion: Lesion) -> FindingMeasurement:
    return FindingMeasurement(**{name: getattr(lesion, name) for name in FindingMeasurement.model_fields})


def outlines_in_force(entries: Iterable[Entry], finding_id: str) -> dict[int, SliceOutline]:
    """By slice; a newer outline replaces an older one of the same slice."""
    own = (entry for entry in entries if entry.finding_id == finding_id and not entry.undone)
    found = {outline.slice: outline for entry in own for outline in entry.outlines}
    return dict(sorted(found.items()))


def summary_of(result: StudyResult, findings: Sequence[Finding], entries: Sequence[Entry]) -> ReadingSummary:
    present = [finding for finding in findings if finding.status in ("unreviewed", "accepted")]
    of_models = [finding.status for finding in findings if finding.source == "models"]
    volumes = [finding.measurement.volume_ml for finding in present]
    known = [volume for volume in volumes if volume is not None]
    tumour_ml = round(sum(known), 3) if known or not volumes else None
    percent = round(100 * tumour_ml / result.liver_ml, 3) if tumour_ml is not None and result.liver_ml else None
    newest = entries[-1] if entries else None
    return ReadingSummary(
        corrections=len(entries),
        unreviewed=of_models.count("unreviewed"),
        accepted=of_models.count("accepted"),
        rejected=of_models.count("rejected"),
        added=sum(finding.source == "reader" and finding.status == "accepted" for finding in findings),
        lesions=len(present),
        tumour_ml=tumour_ml,
        tumour_percent=percent,
        last_at=newest.at if newest else None,
        last_role=newest.author_role if newest else None,
    )


def reading_of(result: StudyResult, entries: Sequence[Entry]) -> Reading | None:
    """For documents of a result; None without corrections."""
    if not entries:
        return None
    findings = findings_of(result, entries)
    return Reading(
        summary=summary_of(result, findings, entries),
        findings=[_read_finding(finding) for finding in findings if finding.history],
    )


def _finding(version: int, finding_id: str, lesion: Lesion | None, entries: Sequence[Entry]) -> Finding:
    own = [entry for entry in entries if entry.finding_id == finding_id]
    valid = [entry for entry in own if not entry.undone]
    labels = [entry for entry in valid if entry.action in ("retype", "add")]
    measured = [entry.measurement for entry in valid if entry.measurement is not None]
    first = next((entry for entry in own if entry.action == "add"), None)
    if lesion is not None:
        original: FindingMeasurement = model_measurement(lesion)
    else:
        assert first is not None  # noqa: S101  a finding without a lesion was added
        assert first.measurement is not None  # noqa: S101  what is added has an outline
        original = first.measurement
    label = labels[-1].label if labels else lesion.label if lesion else first.label if first else None
    changed: list[FindingPart] = []
    if lesion is not None and label != lesion.label:
        changed.append("label")
    if lesion is not None and measured:
        changed.append("outline")
    return Finding(
        id=finding_id,
        version=version,
        source="reader" if lesion is None else "models",
        status=_status(valid, added=lesion is None),
        changed=changed,
        label=label,
        measurement=measured[-1] if measured else original,
        outlines=list(outlines_in_force(own, finding_id).values()),
        model=lesion,
        history=[_correction(entry) for entry in own],
        etag=f'"{version}.{finding_id}.{len(own)}"',
    )


def _status(valid: Sequence[Entry], *, added: bool) -> FindingStatus:
    """By the newest judgement in force. Whoever retypes or outlines a finding thereby accepts it."""
    if added and not any(entry.action == "add" for entry in valid):
        return "withdrawn"
    judged = [entry.action for entry in valid if entry.action in _JUDGED]
    if not judged:
        return "unreviewed"
    return "rejected" if judged[-1] == "reject" else "accepted"


def _correction(entry: Entry) -> Correction:
    return Correction(
        number=entry.number,
        action=entry.action,
        at=entry.at,
        author=entry.author,
        author_role=entry.author_role,
        label=entry.label,
        outlined_slices=[outline.slice for outline in entry.outlines],
        comment=entry.comment,
        undone=entry.undone,
    )


def _read_finding(finding: Finding) -> ReadFinding:
    newest = finding.history[-1]
    return ReadFinding(
        id=finding.id,
        source=finding.source,
        status=finding.status,
        changed=finding.changed,
        label=finding.label,
        measurement=finding.measurement,
        comments=[item.comment for item in finding.history if item.comment is not None and not item.undone],
        last_at=newest.at,
        last_role=newest.author_role,
    )
