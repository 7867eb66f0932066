"""Studies by StudyInstanceUID, and searches for them: what the caller may read, and a record of each access."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from hepar.contracts.studies import Series
from hepar.contracts.study_results import StudyResult
from hepar.storage.database import Database
from hepar.storage.encryption import DataKey, KeyRing
from study_service.accesses import record_access
from study_service.documents import AccessEvent, AnalysedVersion, Caller, PatientIdentifiers, StudyFiles
from study_service.errors import NoSuchStudy
from study_service.findings.results import read_result
from study_service.stored_studies import analysed_version, identifiers_of, search_hash, stored_result, study_files
from study_service.tables import StoredInstance, StoredResult, StoredSeries, StoredStudy
from study_service.visibility import visible_to

_BATCH = 200


@dataclass(frozen=True)
class FoundStudy:
    """analysed, result: of the newest version that has one, with what readers made of it."""

    study_uid: str
    files: StudyFiles
    analysed: AnalysedVersion | None
    result: StudyResult | None


@dataclass(frozen=True)
class ListedStudy:
    """instances: that were sent.  series: empty until the files were read for the analysis."""

    study_id: str
    identifiers: PatientIdentifiers
    study_date: date | None
    instances: int
    series: tuple[Series, ...]
    result: StudyResult | None


@dataclass(frozen=True)
class StudyKeys:
    """What the database finds by itself. None: not asked for."""

    study_uids: Sequence[str] | None = None
    accession_number: str | None = None
    date_from: date | None = None
    date_to: date | None = None


class DicomWebStudies:
    """All methods raise Unavailable where the database does not answer."""

    def __init__(
        self, database: Database, keys: KeyRing, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._database = database
        self._keys = keys
        self._now = now

    async def find(self, caller: Caller, study_uid: str, event: AccessEvent, **details: object) -> FoundStudy:
        """The caller's own where several accounts sent the study. Raises NoSuchStudy; the access is recorded."""
        async with self._database.writing() as session:
            same = StoredStudy.study_key == self._keys.keyed_hash("study", study_uid)
            own_first = (StoredStudy.owner == caller.subject).desc()
            wanted = select(StoredStudy).where(same, visible_to(caller))
            ordered = wanted.order_by(own_first, StoredStudy.created_at.desc(), StoredStudy.id)
            study = (await session.scalars(ordered.limit(1))).one_or_none()
            if study is None or identifiers_of(self._keys, study).study_uid != study_uid:
                raise NoSuchStudy
            await record_access(session, event, caller, study.id, self._now(), via="dicomweb", **details)
            files = await study_files(session, self._keys, study)
            stored = await stored_result(session, study, None)
            if stored is None:
                return FoundStudy(study_uid, files, None, None)
            result = await read_result(session, self._keys, study, stored)
        return FoundStudy(study_uid, files, analysed_version(self._keys, study, stored), result)

    async def search(
        self, caller: Caller, keys: StudyKeys, matches: Callable[[ListedStudy], bool], count_max: int
    ) -> list[ListedStudy]:
        """Newest first, `count_max` at most. The studies found are recorded as listed."""
        found: list[ListedStudy] = []
        async with self._database.writing() as session:
            async for batch in self._batches(session, caller, keys):
                listed = await asyncio.to_thread(self._listed, batch)
                found += [study for study in listed if study.identifiers.study_uid and matches(study)]
                if len(found) >= count_max:
                    break
            shown = found[:count_max]
            ids = [study.study_id for study in shown]
            await record_access(session, "listed", caller, "", self._now(), studies=ids, via="dicomweb")
        return shown

    async def _batches(self, session: AsyncSession, caller: Caller, keys: StudyKeys) -> AsyncIterator[list[_StudyRows]]:
        wanted = select(StoredStudy).where(visible_to(caller), *self._conditions(keys))
        ordered = wanted.order_by(StoredStudy.created_at.desc(), StoredStudy.id.desc())
        start = 0
        while True:
            studies = (await session.scalars(ordered.offset(start).limit(_BATCH))).all()
            if studies:
                yield await _rows(session, studies)
            if len(studies) < _BATCH:
                return
            start += _BATCH

    def _conditions(self, keys: StudyKeys) -> list[ColumnElement[bool]]:
        conditions: list[ColumnElement[bool]] = []
        if keys.study_uids is not None:
            hashes = [self._keys.keyed_hash("study", uid) for uid in keys.study_uids]
            conditions.append(StoredStudy.study_key.in_(hashes))
        if keys.accession_number is not None:
            conditions.append(StoredStudy.accession_hash == search_hash(self._keys, "accession", keys.accession_number))
        if keys.date_from is not None:
            conditions.append(StoredStudy.study_date >= keys.date_from)
        if keys.date_to is not None:
            conditions.append(StoredStudy.study_date <= keys.date_to)
        return conditions

    def _listed(self, rows: list[_StudyRows]) -> list[ListedStudy]:
        """Decrypts; for a thread."""
        listed = []
        for row in rows:
            key = self._keys.data_key(row.study.data_key)
            series = (Series.model_validate_json(key.decrypt(item, f"series {row.study.id}")) for item in row.series)
            known = identifiers_of(self._keys, row.study)
            result = None if row.result is None else _result(key, row.result)
            listed.append(ListedStudy(row.study.id, known, row.study.study_date, row.instances, tuple(series), result))
        return listed


@dataclass(frozen=True)
class _StudyRows:
    study: StoredStudy
    instances: int
    series: list[bytes]
    result: StoredResult | None


async def _rows(session: AsyncSession, studies: Sequence[StoredStudy]) -> list[_StudyRows]:
    ids: Collection[str] = [study.id for study in studies]
    counted = select(StoredInstance.study_id, func.count()).where(StoredInstance.study_id.in_(ids))
    counts = {row[0]: row[1] for row in await session.execute(counted.group_by(StoredInstance.study_id))}
    versions = {study.id: study.version for study in studies}
    series: dict[str, list[bytes]] = {}
    for part in await session.scalars(select(StoredSeries).where(StoredSeries.study_id.in_(ids))):
        if part.version == versions[part.study_id]:
            series.setdefault(part.study_id, []).append(part.document)
    results: dict[str, StoredResult] = {}
    wanted = select(StoredResult).where(StoredResult.study_id.in_(ids)).order_by(StoredResult.version)
    for result in await session.scalars(wanted):
        results[result.study_id] = result
    return [
        _StudyRows(study, counts.get(study.id, 0), series.get(study.id, []), results.get(study.id)) for study in studies
    ]


def _result(key: DataKey, stored: StoredResult) -> StudyResult:
    content = zlib.decompress(key.decrypt(stored.document, f"result {stored.study_id} {stored.version}"))
    return StudyResult.model_validate_json(content)
