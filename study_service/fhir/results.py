"""Results of studies for the FHIR interface: found by hashes of their identifiers, each disclosure recorded."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Select, and_, delete, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from hepar.storage.database import Database
from hepar.storage.encryption import KeyRing
from study_service.accesses import record_access
from study_service.documents import Caller
from study_service.fhir.errors import InvalidSearch, NoSuchResource
from study_service.fhir.parameters import DateRange, Token
from study_service.fhir.references import ResourceKey, type_of
from study_service.findings.entries import read_entries
from study_service.findings.state import reading_of, with_undone
from study_service.output_context import patient_header
from study_service.outputs.context import result_uid
from study_service.outputs.fhir_resources import ReportResources, ReportSource, Resource
from study_service.outputs.source_headers import patient_and_study
from study_service.stored_studies import identifiers_of, result_of
from study_service.tables import StoredCorrection, StoredFhirToken, StoredResult, StoredStudy
from study_service.visibility import visible_to

PATIENT = "Patient"
_NEWEST_CORRECTION = select(func.max(StoredCorrection.at)).where(
    StoredCorrection.study_id == StoredResult.study_id, StoredCorrection.version == StoredResult.version
)
_CORRECTED_AT = func.coalesce(_NEWEST_CORRECTION.scalar_subquery(), StoredResult.created_at)
_BATCH = 100
_JOINED: Select[StoredStudy, StoredResult] = select(StoredStudy, StoredResult).join(
    StoredStudy, StoredStudy.id == StoredResult.study_id
)


@dataclass(frozen=True)
class _Version:
    study: StoredStudy
    result: StoredResult
    corrections: Sequence[StoredCorrection]


@dataclass(frozen=True)
class ResultFilter:
    """What a search selects versions of studies by.

    versions: groups of which each must contain it; with none, the newest version of each study is meant.
    tokens: groups of hashes (`ResultStore.hashes`) of which each must have one of the version's.
    updated: groups of ranges of which one must hold the time of the result, or of its newest correction where those
    are meant.
    """

    versions: tuple[frozenset[tuple[str, int]], ...] = ()
    tokens: tuple[frozenset[str], ...] = ()
    updated: tuple[tuple[DateRange, ...], ...] = ()
    corrections_update: bool = False


@dataclass(frozen=True)
class ResultStore:
    """All methods raise Unavailable where the database does not answer. uid_root: of the installation."""

    database: Database
    keys: KeyRing
    uid_root: str
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def hashes(self, kind: str, tokens: Sequence[Token]) -> frozenset[str]:
        """kind: the type of the resource that has the identifier, or PATIENT."""
        return frozenset(self._hash(kind, token.system, token.value) for token in tokens)

    async def read(self, caller: Caller, key: ResourceKey) -> ReportSource:
        """Raises NoSuchResource; the read is recorded."""
        of_version = (StoredResult.study_id == key.study_id) & (StoredResult.version == key.version)
        wanted = _JOINED.where(visible_to(caller), of_version)
        async with self.database.writing() as session:
            rows = await _versions(session, wanted)
            if not rows:
                raise NoSuchResource
            await record_access(
                session, "result_read", caller, key.study_id, self.now(), version=key.version, resource=key.type
            )
        return (await self._sources(rows))[0]

    async def page(
        self, caller: Caller, wanted: ResultFilter, after: tuple[str, int] | None, limit: int
    ) -> list[ReportSource]:
        """Newest results first. after: the last version of the previous page. Raises InvalidSearch where it is gone.

        Nothing is recorded: `disclose` does, once the caller knows what it answers with.
        """
        if wanted.tokens:
            await self.store_tokens()
        query = _JOINED.where(visible_to(caller), *self._conditions(wanted))
        order = (StoredResult.created_at, StoredResult.study_id, StoredResult.version)
        async with self.database.reading() as session:
            if after is not None:
                last = await session.get(StoredResult, after)
                if last is None:
                    raise InvalidSearch.of("_after", "the page is no longer there; begin again")
                query = query.where(tuple_(*order) < tuple_(last.created_at, last.study_id, last.version))
            rows = await _versions(session, query.order_by(*(column.desc() for column in order)).limit(limit))
        return await self._sources(rows)

    async def disclose(
        self, caller: Caller, resource_type: str, parameters: Sequence[str], versions: Sequence[tuple[str, int]]
    ) -> None:
        """Records a search and, for each study, that its results were read. parameters: names only."""
        query = f"{resource_type}?{'&'.join(dict.fromkeys(parameters))}"
        async with self.database.writing() as session:
            studies = [study_id for study_id, _ in versions]
            await record_access(session, "searched", caller, "", self.now(), query=query, studies=studies)
            for study_id, version in versions:
                await record_access(
                    session, "result_read", caller, study_id, self.now(), version=version, resource=resource_type
                )

    async def store_tokens(self) -> int:
        """Of results that have none yet; several processes may do so. Returns the number of results."""
        done = 0
        without = StoredResult.has_fhir_tokens.is_(False)
        while True:
            async with self.database.reading() as session:
                if await session.scalar(select(StoredResult.study_id).where(without).limit(1)) is None:
                    return done
            async with self.database.writing() as session:
                rows = await _versions(session, _JOINED.where(without).limit(_BATCH).with_for_update(of=StoredResult))
                for source, row in zip(await self._sources(rows), rows, strict=True):
                    await self._store_tokens(session, source, row.result)
                done += len(rows)

    async def _store_tokens(self, session: AsyncSession, source: ReportSource, stored: StoredResult) -> None:
        of_version = (StoredFhirToken.study_id == stored.study_id) & (StoredFhirToken.version == stored.version)
        await session.execute(delete(StoredFhirToken).where(of_version))
        found = {
            self._hash(kind, system, identifier["value"])
            for kind, identifier in _identifiers(source)
            for system in (None, identifier.get("system", ""))
        }
        session.add_all(
            StoredFhirToken(study_id=stored.study_id, version=stored.version, token=token) for token in sorted(found)
        )
        stored.has_fhir_tokens = True
        await session.flush()

    def _hash(self, kind: str, system: str | None, value: str) -> str:
        return self.keys.keyed_hash("fhir", kind, "any" if system is None else f"system {system}", value)

    def _conditions(self, wanted: ResultFilter) -> Iterator[ColumnElement[bool]]:
        for group in wanted.versions:
            yield (
                or_(
                    *(and_(StoredResult.study_id == study, StoredResult.version == version) for study, version in group)
                )
                if group
                else StoredResult.version < 0
            )
        if not wanted.versions:
            newest = select(func.max(StoredResult.version)).where(StoredResult.study_id == StoredStudy.id)
            yield StoredResult.version == newest.correlate(StoredStudy).scalar_subquery()
        for tokens in wanted.tokens:
            of_version = and_(
                StoredFhirToken.study_id == StoredResult.study_id, StoredFhirToken.version == StoredResult.version
            )
            yield select(StoredFhirToken.token).where(of_version, StoredFhirToken.token.in_(tokens)).exists()
        for ranges in wanted.updated:
            moment = _CORRECTED_AT if wanted.corrections_update else StoredResult.created_at
            yield or_(*(item.condition(moment) for item in ranges))

    async def _sources(self, versions: Sequence[_Version]) -> list[ReportSource]:
        """Decrypted and parsed in a thread: a large result takes milliseconds."""
        return await asyncio.to_thread(lambda: [self._source(version) for version in versions])

    def _source(self, version: _Version) -> ReportSource:
        study = version.study
        result = result_of(self.keys, study, version.result)
        if version.corrections:
            entries = with_undone(read_entries(self.keys.data_key(study.data_key), version.corrections))
            result = result.model_copy(update={"reading": reading_of(result, entries)})
        known = identifiers_of(self.keys, study)
        header = patient_and_study(patient_header(known, study.study_date), result_uid(result, self.uid_root, "study"))
        has_files = known.study_uid is not None or any(series.uid for series in result.series)
        return ReportSource(result, header, has_files, result.created_at)


def _identifiers(source: ReportSource) -> Iterator[tuple[str, Resource]]:
    """Each with the type of the resource that has it; those of the patient too."""
    for name, resource in ReportResources(source, lambda _, name: name, {}).all().items():
        for identifier in resource.get("identifier", []):
            yield type_of(name), identifier
        if "identifier" in resource.get("subject", {}):
            yield PATIENT, resource["subject"]["identifier"]


async def _versions(session: AsyncSession, query: Select[StoredStudy, StoredResult]) -> list[_Version]:
    """With the corrections of each, oldest first."""
    rows = [(row[0], row[1]) for row in await session.execute(query)]
    corrections = defaultdict[tuple[str, int], list[StoredCorrection]](list)
    keys = [(stored.study_id, stored.version) for _, stored in rows]
    if keys:
        of_versions = tuple_(StoredCorrection.study_id, StoredCorrection.version).in_(keys)
        for row in await session.scalars(select(StoredCorrection).where(of_versions).order_by(StoredCorrection.number)):
            corrections[row.study_id, row.version].append(row)
    return [_Version(study, stored, corrections[stored.study_id, stored.version]) for study, stored in rows]
