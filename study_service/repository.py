"""Studies in the database: reading, listing, cancelling and deleting them, each with its access rule."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, and_, or_, select, true

from hepar.contracts.studies import Series, Study
from hepar.contracts.study_results import StudyResult
from hepar.storage.database import Database
from hepar.storage.encryption import KeyRing
from hepar.storage.paging import PageRequest, paged
from study_service.accesses import record_access
from study_service.attention import attention_page
from study_service.documents import (
    AccessEvent,
    AnalysedVersion,
    Caller,
    StudyFiles,
    StudyFilter,
)
from study_service.errors import StudyEnded
from study_service.findings.results import read_result
from study_service.stored_studies import (
    analysed_version,
    queue_next_version,
    require_result,
    search_hash,
    study_document,
    study_files,
)
from study_service.tables import StoredResult, StoredSeries, StoredStudy, StoredUpload
from study_service.visibility import visible_study, visible_to

_ENDED = ("finished", "failed", "cancelled")


class StudyRepository:
    """All methods raise Unavailable where the database does not answer, NoSuchStudy for what the caller may not see."""

    def __init__(
        self,
        database: Database,
        keys: KeyRing,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._keys = keys
        self._now = now

    async def read(self, caller: Caller, study_id: str, event: AccessEvent = "read") -> Study:
        """One study; the read is recorded."""
        async with self._database.writing() as session:
            study = await visible_study(session, caller, study_id)
            await record_access(session, event, caller, study_id, self._now())
            return study_document(self._keys, study)

    async def peek(self, caller: Caller, study_id: str) -> Study:
        """As read, without a record: for the events of a study whose first read was recorded."""
        async with self._database.reading() as session:
            return study_document(self._keys, await visible_study(session, caller, study_id))

    async def result(
        self, caller: Caller, study_id: str, version: int | None = None, event: AccessEvent = "result_read"
    ) -> StudyResult:
        """Of a version, by default of the newest that has one, with what readers made of it.

        Raises StudyNotFinished; the read is recorded.
        """
        async with self._database.writing() as session:
            study = await visible_study(session, caller, study_id)
            stored = await require_result(session, study, version)
            result = await read_result(session, self._keys, study, stored)
            await record_access(session, event, caller, study_id, self._now(), version=result.version)
        return result

    async def analysed(
        self, caller: Caller, study_id: str, version: int | None, event: AccessEvent, index: int | None
    ) -> AnalysedVersion:
        """Of a version, by default of the newest that has a result. Raises StudyNotFinished; the read is recorded."""
        async with self._database.writing() as session:
            study = await visible_study(session, caller, study_id)
            stored = await require_result(session, study, version)
            place = {} if index is None else {"slice": index}
            await record_access(session, event, caller, study_id, self._now(), version=stored.version, **place)
            return analysed_version(self._keys, study, stored)

    async def newest_version(self, caller: Caller, study_id: str, version: int | None) -> int:
        """The version itself where one is given. Raises StudyNotFinished where it has no result."""
        async with self._database.reading() as session:
            study = await visible_study(session, caller, study_id)
            stored = await require_result(session, study, version)
            return stored.version

    async def versions(self, caller: Caller, study_id: str) -> list[int]:
        """The versions that have a result, oldest first."""
        async with self._database.reading() as session:
            await visible_study(session, caller, study_id)
            wanted = select(StoredResult.version).where(StoredResult.study_id == study_id)
            return list((await session.scalars(wanted.order_by(StoredResult.version))).all())

    async def series(self, caller: Caller, study_id: str) -> list[Series]:
        """Of the newest version; empty until its files were read."""
        async with self._database.reading() as session:
            study = await visible_study(session, caller, study_id)
            of_version = (StoredSeries.study_id == study_id) & (StoredSeries.version == study.version)
            stored = await session.scalars(select(StoredSeries).where(of_version).order_by(StoredSeries.position))
            key = self._keys.data_key(study.data_key)
            return [Series.model_validate_json(key.decrypt(row.document, f"series {study_id}")) for row in stored]

    async def page(self, caller: Caller, wanted: StudyFilter, page: PageRequest) -> tuple[list[Study], str | None]:
        """A page of the studies that the caller may read, and the cursor of the next page."""
        query = select(StoredStudy).where(visible_to(caller), self._matches(wanted))
        async with self._database.writing() as session:
            if wanted.order == "attention":
                rows, following = await attention_page(session, query, page)
            else:
                rows, following = await paged(session, StoredStudy, page, query, newest_first=True)
            found = [study_document(self._keys, row) for row in rows]
            await record_access(session, "listed", caller, "", self._now(), studies=[study.id for study in found])
        return found, following

    async def files(self, caller: Caller, study_id: str, event: AccessEvent) -> StudyFiles:
        """The keys of a study's objects, for downloads, slices and masks; the access is recorded."""
        async with self._database.writing() as session:
            study = await visible_study(session, caller, study_id)
            await record_access(session, event, caller, study_id, self._now())
            return await study_files(session, self._keys, study)

    async def cancel(self, caller: Caller, study_id: str) -> Study:
        """Its worker notices within seconds. Raises StudyEnded."""
        async with self._database.writing() as session:
            study = await visible_study(session, caller, study_id, lock=True)
            if study.status in _ENDED:
                raise StudyEnded(f"the study is {study.status}")
            study.status, study.worker, study.lease_until = "cancelled", None, None
            study.updated_at = self._now()
            await record_access(session, "cancelled", caller, study_id, self._now())
            return study_document(self._keys, study)

    async def reanalyse(self, caller: Caller, study_id: str, series: str | None = None) -> Study:
        """Queues a new version, also of a study that failed or was cancelled. series: instead of Hepar's choice."""
        async with self._database.writing() as session:
            study = await visible_study(session, caller, study_id, lock=True)
            study.series_choice = series
            queue_next_version(study, self._now())
            await record_access(session, "reanalysed", caller, study_id, self._now())
            return study_document(self._keys, study)

    async def delete(self, caller: Caller, study_id: str, event: AccessEvent = "deleted") -> list[str]:
        """Removes all rows; returns the prefixes of the objects, which the caller deletes. The access log stays."""
        async with self._database.writing() as session:
            study = await visible_study(session, caller, study_id, lock=True)
            uploads = await session.scalars(select(StoredUpload.id).where(StoredUpload.study_id == study_id))
            prefixes = [f"studies/{study_id}", *(f"uploads/{upload}" for upload in uploads)]
            await record_access(session, event, caller, study_id, self._now())
            await session.delete(study)
        return prefixes

    def _matches(self, wanted: StudyFilter) -> ColumnElement[bool]:
        conditions: list[ColumnElement[bool]] = [true()]
        if wanted.status is not None:
            conditions.append(StoredStudy.status == wanted.status)
        if wanted.label is not None:
            conditions.append(StoredStudy.label == wanted.label)
        if wanted.accession_number is not None:
            conditions.append(
                StoredStudy.accession_hash == search_hash(self._keys, "accession", wanted.accession_number)
            )
        if wanted.study_date_from is not None:
            conditions.append(StoredStudy.study_date >= wanted.study_date_from)
        if wanted.study_date_to is not None:
            conditions.append(StoredStudy.study_date <= wanted.study_date_to)
        if wanted.search is not None:
            conditions.append(
                or_(
                    StoredStudy.id == wanted.search.strip().lower(),
                    StoredStudy.patient_pseudonym == wanted.search.strip().upper(),
                    StoredStudy.accession_hash == search_hash(self._keys, "accession", wanted.search),
                    StoredStudy.name_hash == search_hash(self._keys, "name", wanted.search),
                )
            )
        return and_(*conditions)
