"""What the FHIR interface asks of both databases."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from hepar.contracts.base import example_of
from hepar.contracts.studies import StudySummary
from hepar.contracts.study_results import StudyResult
from hepar.storage.database import Database
from hepar.storage.encryption import KeyRing
from hepar.web.upstream import open_upstream
from study_service.documents import PatientIdentifiers
from study_service.fhir.audit_search import AUDIT_PARAMETERS, AuditSearch
from study_service.fhir.parameters import Token, parsed_date, search_request
from study_service.fhir.results import PATIENT, ResultFilter, ResultStore
from study_service.tables import StoredFhirToken, StoredResult
from tests.support.gateway_client import NOWHERE
from tests.support.study_rows import ADMINISTRATOR, ANN, BEN, new_study, open_studies, queue_of, uploads_of

START = datetime(2026, 11, 20, 9, tzinfo=UTC)


async def finished(database: Database, keys: KeyRing, number: int) -> str:
    """A study of patient `number` whose result is from `number` hours after START."""
    uploads, queue = uploads_of(database, keys), queue_of(database, keys)
    known = PatientIdentifiers(patient_id=str(number), accession_number=f"A-{number}", study_uid=f"1.2.{number}")
    study = (await uploads.receive(ANN, new_study(uploads, {str(number)}, known))).study
    job = await queue.claim()
    assert job is not None
    made = {"study_id": study.id, "version": 1, "created_at": START + timedelta(hours=number)}
    result = StudyResult.model_validate(example_of(StudyResult)).model_copy(update=made)
    await queue.finish(job, result, StudySummary.model_validate(example_of(StudySummary)).model_dump(), "metastasis")
    return study.id


async def numbers(store: ResultStore, wanted: ResultFilter, after: tuple[str, int] | None = None) -> list[str]:
    """Patients of a page of two."""
    return [str(source.study.PatientID) for source in await store.page(ANN, wanted, after, 2)]


def test_results_are_found_in_pages(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_studies(database_url, tmp_path) as (database, keys):
            ids = [await finished(database, keys, number) for number in (1, 2, 3)]
            store = ResultStore(database, keys, "2.25")
            assert await numbers(store, ResultFilter()) == ["3", "2"]
            assert await numbers(store, ResultFilter(), (ids[1], 1)) == ["1"]
            assert await store.page(BEN, ResultFilter(), None, 2) == []
            for kind, token in ((PATIENT, "2"), ("ImagingStudy", "A-2"), ("DiagnosticReport", "A-2")):
                hashes = store.hashes(kind, [Token(None, token), Token(None, "nothing")])
                assert await numbers(store, ResultFilter(tokens=(hashes,))) == ["2"], kind
            for value, found in (("gt2026-11-20T11:00:00Z", ["3"]), ("lt2026-11-20T11:00:00Z", ["1"])):
                for corrections in (True, False):
                    updated = ((parsed_date("_lastUpdated", value),),)
                    wanted = ResultFilter(updated=updated, corrections_update=corrections)
                    assert await numbers(store, wanted) == found
            versions = (frozenset({(ids[0], 1), (ids[1], 1), (ids[2], 2)}),)
            assert await numbers(store, ResultFilter(versions=versions)) == ["2", "1"]

    asyncio.run(scenario())


def test_results_that_are_older_than_the_search_are_found(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_studies(database_url, tmp_path) as (database, keys):
            await finished(database, keys, 1)
            store = ResultStore(database, keys, "2.25")
            assert sorted(await asyncio.gather(store.store_tokens(), store.store_tokens())) == [0, 1]
            async with database.writing() as session:
                await session.execute(delete(StoredFhirToken))
                await session.execute(update(StoredResult).values(has_fhir_tokens=False))
            hashes = store.hashes(PATIENT, [Token("", "1")])
            assert await numbers(store, ResultFilter(tokens=(hashes,))) == ["1"]
            assert await store.store_tokens() == 0

    asyncio.run(scenario())


def test_accesses_are_found(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            open_studies(database_url, tmp_path) as (database, keys),
            open_upstream(NOWHERE, "sign-in") as auth,
        ):
            first, second = [await finished(database, keys, number) for number in (1, 2)]
            search = AuditSearch(ResultStore(database, keys, "2.25"), auth, "http://x", {})

            async def found(*pairs: tuple[str, str]) -> list[str]:
                """The studies, newest first."""
                request = search_request([*pairs, ("type", "rest")], AUDIT_PARAMETERS, prefer=None)
                events, _ = await search.page(ADMINISTRATOR, request)
                return [
                    entity["what"]["identifier"]["value"].removeprefix("urn:uuid:")
                    for event in events
                    for entity in event["entity"]
                    if entity["type"]["code"] == "2" and "identifier" in entity.get("what", {})
                ]

            assert await found() == [second, first]
            assert await found(("patient:identifier", "2")) == [second]
            assert await found(("entity:identifier", f"urn:uuid:{first}")) == [first]
            assert await found(("agent:identifier", "ann"), ("subtype", "create")) == [second, first]
            assert await found(("agent:identifier", "ben")) == []
            assert await found(("date", "ge2026"), ("date", "lt2999-01-01")) == [second, first]
            assert await found(("date", "2026-01-01T00:00:00Z")) == []

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026", "2026-01-01T00:00:00", "2027-01-01T00:00:00"),
        ("2026-12", "2026-12-01T00:00:00", "2027-01-01T00:00:00"),
        ("2024-02-29", "2024-02-29T00:00:00", "2024-03-01T00:00:00"),
        ("2026-11-26T09:30Z", "2026-11-26T09:30:00", "2026-11-26T09:31:00"),
        ("2026-11-26T09:30:05+01:00", "2026-11-26T08:30:05", "2026-11-26T08:30:06"),
        ("2026-11-26T09:30:05-01:00", "2026-11-26T10:30:05", "2026-11-26T10:30:06"),
    ],
)
def test_a_date_is_an_interval_of_its_precision(text: str, start: str, end: str) -> None:
    for prefix in ("", "eq", "ne", "gt", "ge", "lt", "le"):
        found = parsed_date("date", f"{prefix}{text}")
        assert found.prefix == (prefix or "eq")
        stated = (found.start.isoformat(), found.end.isoformat())
        assert stated == (f"{start}+00:00", f"{end}+00:00")
