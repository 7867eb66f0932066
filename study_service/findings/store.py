"""Reading and correcting the findings of a study. A writer names the state that it has read (If-Match)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from hepar.contracts.findings import CorrectionForm, Finding, FindingList, FindingMeasurement, NewFinding
from hepar.contracts.study_results import StudyResult
from hepar.storage.database import Database
from hepar.storage.encryption import DataKey, KeyRing
from hepar.storage.objects import ObjectStore
from study_service.accesses import record_access
from study_service.analysed_volume import AnalysedVolume
from study_service.documents import Caller
from study_service.errors import CorrectionNotPossible, FindingChanged, NoSuchFinding
from study_service.findings.entries import add_entry, corrected_versions, stored_entries
from study_service.findings.measuring import check_outlines, measured_finding
from study_service.findings.state import (
    Entry,
    EntryAction,
    findings_of,
    in_force,
    list_etag,
    next_added_id,
    outlines_in_force,
    summary_of,
)
from study_service.stored_studies import require_result, result_of
from study_service.tables import StoredStudy
from study_service.visibility import visible_study

CORRECTIONS_MAX = 500
"""Of one version of a result."""


@dataclass(frozen=True)
class _State:
    """A version's result and the history of its corrections, read in one transaction."""

    study: StoredStudy
    result: StudyResult
    entries: list[Entry]
    data_key: DataKey = field(repr=False)

    @property
    def etag(self) -> str:
        return list_etag(self.result.version, self.entries)

    def finding(self, finding_id: str) -> Finding:
        """Raises NoSuchFinding."""
        found = next((item for item in findings_of(self.result, self.entries) if item.id == finding_id), None)
        if found is None:
            raise NoSuchFinding
        return found


@dataclass(frozen=True)
class Target:
    """version: the newest with a result where it is None.  if_match: the ETag of what the caller has read."""

    study_id: str
    version: int | None
    if_match: str


class Findings:
    """All methods raise Unavailable, NoSuchStudy for what the caller may not see, and StudyNotFinished."""

    def __init__(
        self,
        database: Database,
        keys: KeyRing,
        objects: ObjectStore,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._keys = keys
        self._objects = objects
        self._now = now

    async def read(self, caller: Caller, study_id: str, version: int | None = None) -> FindingList:
        """Of a version, by default of the newest that has a result; the read is recorded."""
        async with self._database.writing() as session:
            state = await self._state(session, caller, study_id, version)
            result, earlier = state.result, []
            for number in await corrected_versions(session, study_id, result.version):
                old = await self._state(session, caller, study_id, number)
                earlier += [item for item in findings_of(old.result, old.entries) if item.history]
            await record_access(session, "findings_read", caller, study_id, self._now(), version=result.version)
        items = findings_of(result, state.entries)
        summary = summary_of(result, items, state.entries)
        return FindingList(
            study_id=study_id, version=result.version, summary=summary, items=items, earlier=earlier, etag=state.etag
        )

    async def add(self, caller: Caller, target: Target, form: NewFinding) -> Finding:
        """Raises FindingChanged, CorrectionNotPossible, and InvalidRequest for outlines that are none."""
        state = await self._unchanged(caller, target)
        volume = self._volume(state)
        check_outlines(form.outlines, (await volume.volume()).geometry)
        measured = await measured_finding(volume, None, {item.slice: item for item in form.outlines})
        async with self._database.writing() as session:
            state = await self._state(session, caller, target.study_id, target.version, lock=True)
            _require(state.etag == target.if_match)
            finding_id = next_added_id(state.entries)
            entry = self._entry(caller, state, finding_id, "add", form, measured)
            return await self._stored(session, caller, state, entry)

    async def correct(self, caller: Caller, target: Target, finding_id: str, form: CorrectionForm) -> Finding:
        """Raises NoSuchFinding, FindingChanged, CorrectionNotPossible, and InvalidRequest for invalid outlines."""
        measured = None
        if form.action == "outline":
            state = await self._unchanged(caller, target, finding_id)
            volume, lesion = self._volume(state), state.finding(finding_id).model
            check_outlines(form.outlines, (await volume.volume()).geometry)
            outlines = outlines_in_force(state.entries, finding_id) | {item.slice: item for item in form.outlines}
            measured = await measured_finding(volume, lesion, outlines)
        async with self._database.writing() as session:
            state = await self._state(session, caller, target.study_id, target.version, lock=True)
            finding = state.finding(finding_id)
            _require(finding.etag == target.if_match)
            if finding.status == "withdrawn":
                raise CorrectionNotPossible("the finding was taken back")
            if form.action == "undo" and in_force(state.entries, finding_id) is None:
                raise CorrectionNotPossible("there is nothing to undo")
            entry = self._entry(caller, state, finding_id, form.action, form, measured)
            return await self._stored(session, caller, state, entry)

    async def _unchanged(self, caller: Caller, target: Target, finding_id: str | None = None) -> _State:
        """Before anything is measured."""
        async with self._database.reading() as session:
            state = await self._state(session, caller, target.study_id, target.version)
        _require((state.finding(finding_id).etag if finding_id else state.etag) == target.if_match)
        return state

    async def _state(
        self, session: AsyncSession, caller: Caller, study_id: str, version: int | None, *, lock: bool = False
    ) -> _State:
        study = await visible_study(session, caller, study_id, lock=lock)
        result = result_of(self._keys, study, await require_result(session, study, version))
        entries = await stored_entries(session, self._keys, study, result.version)
        return _State(study, result, entries, self._keys.data_key(study.data_key))

    def _entry(
        self,
        caller: Caller,
        state: _State,
        finding_id: str,
        action: EntryAction,
        form: NewFinding | CorrectionForm,
        measured: FindingMeasurement | None,
    ) -> Entry:
        """Raises CorrectionNotPossible."""
        if len(state.entries) >= CORRECTIONS_MAX:
            raise CorrectionNotPossible(f"a version may have {CORRECTIONS_MAX} corrections")
        return Entry(
            number=len(state.entries) + 1,
            finding_id=finding_id,
            action=action,
            at=self._now(),
            author=caller.subject,
            author_role=caller.role,
            label=form.label,
            outlines=tuple(form.outlines),
            comment=form.comment,
            measurement=measured,
        )

    async def _stored(self, session: AsyncSession, caller: Caller, state: _State, entry: Entry) -> Finding:
        """The finding afterwards. The study counts as changed, for its retention."""
        study_id, version = state.study.id, state.result.version
        add_entry(session, state.data_key, study_id, version, entry)
        state.study.updated_at = entry.at
        facts = {"version": version, "finding": entry.finding_id, "action": entry.action, "number": entry.number}
        await record_access(session, "corrected", caller, study_id, entry.at, **facts)
        entries = await stored_entries(session, self._keys, state.study, version)
        return _State(state.study, state.result, entries, state.data_key).finding(entry.finding_id)

    def _volume(self, state: _State) -> AnalysedVolume:
        return AnalysedVolume(self._objects, state.data_key, state.study.id, state.result.version)


def _require(matches: bool) -> None:
    if not matches:
        raise FindingChanged
