"""Corrections as JSON lines, for training: what each reader said, and what which models had said before."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from hepar.contracts.correction_records import CorrectionRecord
from hepar.contracts.study_results import StudyResult
from hepar.storage.database import Database
from hepar.storage.encryption import KeyRing
from study_service.accesses import record_access
from study_service.documents import Caller
from study_service.exports.corrections import deidentified_record
from study_service.exports.pseudonyms import export_pseudonyms
from study_service.findings.entries import stored_entries
from study_service.findings.state import Entry
from study_service.stored_studies import identifiers_of, require_result, result_of
from study_service.tables import StoredCorrection, StoredStudy
from study_service.visibility import visible_to

_BATCH = 100
_Key = tuple[datetime, str, int, int]


class CorrectionExport:
    """All methods raise Unavailable where the database does not answer."""

    def __init__(
        self, database: Database, keys: KeyRing, uid_root: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._database = database
        self._keys = keys
        self._uid_root = uid_root
        self._now = now

    async def batches(self, caller: Caller, since: datetime | None, *, deidentified: bool) -> AsyncIterator[bytes]:
        """Lines (CorrectionRecord) by time, of all studies that the caller may see; each batch is recorded.

        since: time of the first correction that is wanted, as it was.
        """
        after: _Key | None = None
        while True:
            content, after = await self._batch(caller, since, after, deidentified=deidentified)
            yield content
            if after is None:
                return

    async def _batch(
        self, caller: Caller, since: datetime | None, after: _Key | None, *, deidentified: bool
    ) -> tuple[bytes, _Key | None]:
        """The lines of a batch, and the key of its last one; None where there are no more."""
        table = StoredCorrection
        columns = (table.at, table.study_id, table.version, table.number)
        wanted = select(*columns).join(StoredStudy, StoredStudy.id == table.study_id).where(visible_to(caller))
        if since is not None:
            wanted = wanted.where(table.at >= since)
        if after is not None:
            wanted = wanted.where(tuple_(*columns) > tuple_(*after))
        async with self._database.writing() as session:
            rows = (await session.execute(wanted.order_by(*columns).limit(_BATCH))).all()
            keys: list[_Key] = [(at, study_id, version, number) for at, study_id, version, number in rows]
            records = [
                self._deidentified(*found) if deidentified else found[1] for found in await self._found(session, keys)
            ]
            studies = sorted({study_id for _, study_id, _, _ in keys})
            details = {"studies": studies, "deidentified": deidentified}
            await record_access(session, "corrections_exported", caller, "", self._now(), **details)
        return b"".join(record.model_dump_json().encode() + b"\n" for record in records), keys[-1] if len(
            keys
        ) == _BATCH else None

    async def _found(self, session: AsyncSession, keys: list[_Key]) -> list[tuple[StoredStudy, CorrectionRecord]]:
        versions: dict[tuple[str, int], tuple[StoredStudy, StudyResult, list[Entry]]] = {}
        for study_id, version in dict.fromkeys((study_id, version) for _, study_id, version, _ in keys):
            study = await session.get_one(StoredStudy, study_id)
            result = result_of(self._keys, study, await require_result(session, study, version))
            versions[study_id, version] = study, result, await stored_entries(session, self._keys, study, version)
        records = []
        for _, study_id, version, number in keys:
            study, result, entries = versions[study_id, version]
            records.append((study, _record(result, entries[number - 1])))
        return records

    def _deidentified(self, study: StoredStudy, record: CorrectionRecord) -> CorrectionRecord:
        known = identifiers_of(self._keys, study)
        return deidentified_record(record, export_pseudonyms(self._keys, self._uid_root, study.id, known))


def _record(result: StudyResult, entry: Entry) -> CorrectionRecord:
    return CorrectionRecord(
        study_id=result.study_id,
        version=result.version,
        finding_id=entry.finding_id,
        number=entry.number,
        action=entry.action,
        at=entry.at,
        author=entry.author,
        author_role=entry.author_role,
        label=entry.label,
        outlines=list(entry.outlines),
        measurement=entry.measurement,
        undone=entry.undone,
        model_answer=next((lesion for lesion in result.lesions if lesion.id == entry.finding_id), None),
        models=result.models,
        software_version=result.software_version,
    )
