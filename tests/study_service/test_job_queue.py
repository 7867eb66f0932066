"""The queue of studies on real databases: fair, urgent first, and one worker per study."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from hepar.contracts.base import example_of
from hepar.contracts.problems import Problem
from hepar.contracts.studies import Series
from hepar.contracts.study_results import StudyResult
from hepar.storage.database import Database
from hepar.storage.encryption import KeyRing
from study_service.documents import Caller, PatientIdentifiers
from study_service.job_queue import Job, JobLost, JobQueue, QueueRules
from study_service.repository import StudyRepository
from study_service.tables import StoredStudy
from tests.support.study_rows import ANN, BEN, new_study, open_studies, sqlite_url, uploads_of

Work = Callable[[Database, KeyRing], Awaitable[None]]
PROBLEM = Problem(type="/problems/unavailable", title="t", status=503, detail="d", request_id="r")


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 26, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.moment += timedelta(milliseconds=1)
        return self.moment

    def pass_s(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


def with_studies(url: str, folder: Path, work: Work) -> None:
    async def scenario() -> None:
        async with open_studies(url, folder) as (database, keys):
            await work(database, keys)

    asyncio.run(scenario())


async def send(database: Database, keys: KeyRing, caller: Caller, number: int, *, urgent: bool = False) -> str:
    uploads = uploads_of(database, keys)
    known = PatientIdentifiers(study_uid=f"{caller.subject}.{number}")
    return (await uploads.receive(caller, new_study(uploads, {f"{number}"}, known, urgent=urgent))).study.id


def queue(database: Database, keys: KeyRing, clock: Clock, worker: str = "w1") -> JobQueue:
    return JobQueue(database, keys, worker, QueueRules(lease_s=15, retry_s=5, tries_max=3, outages_max=2), clock)


async def claimed(jobs: JobQueue) -> Job:
    job = await jobs.claim()
    assert job is not None
    return job


async def row(database: Database, study_id: str) -> StoredStudy:
    async with database.reading() as session:
        return (await session.scalars(select(StoredStudy).where(StoredStudy.id == study_id))).one()


def test_urgent_studies_come_first_and_accounts_take_turns(database_url: str, tmp_path: Path) -> None:
    async def work(database: Database, keys: KeyRing) -> None:
        ids = {}
        for number in range(3):
            ids[f"ann {number}"] = await send(database, keys, ANN, number)
        ids["ben 0"] = await send(database, keys, BEN, 0)
        ids["ben 1"] = await send(database, keys, BEN, 1)
        ids["urgent"] = await send(database, keys, BEN, 2, urgent=True)
        names = {study_id: name for name, study_id in ids.items()}
        clock = Clock()
        clock.moment = datetime.now(UTC) + timedelta(seconds=1)
        jobs = queue(database, keys, clock)
        assert await jobs.depths() == {"normal": 5, "urgent": 1}
        assert await jobs.is_due()
        order = [names[(await claimed(jobs)).study_id] for _ in ids]
        assert order == ["urgent", "ann 0", "ben 0", "ann 1", "ben 1", "ann 2"]
        assert await jobs.claim() is None
        assert not await jobs.is_due()

    with_studies(database_url, tmp_path, work)


def test_two_workers_never_claim_the_same_study(database_url: str, tmp_path: Path) -> None:
    async def work(database: Database, keys: KeyRing) -> None:
        for number in range(12):
            await send(database, keys, ANN, number)
        clock = Clock()
        clock.moment = datetime.now(UTC) + timedelta(seconds=1)
        workers = [queue(database, keys, clock, f"w{number}") for number in range(4)]
        jobs = await asyncio.gather(*(worker.claim() for worker in workers * 4))
        ids = [job.study_id for job in jobs if job is not None]
        assert len(ids) == len(set(ids))
        while (job := await workers[0].claim()) is not None:
            ids.append(job.study_id)
        assert len(ids) == len(set(ids)) == 12

    with_studies(database_url, tmp_path, work)


def test_a_worker_that_shows_no_sign_of_life_loses_its_study_and_cannot_change_it(
    database_url: str, tmp_path: Path
) -> None:
    async def work(database: Database, keys: KeyRing) -> None:
        study_id = await send(database, keys, ANN, 0)
        clock = Clock()
        clock.moment = datetime.now(UTC) + timedelta(seconds=1)
        slow, other = queue(database, keys, clock, "slow"), queue(database, keys, clock, "other")
        first = await claimed(slow)
        clock.pass_s(14)
        assert await slow.renew([first]) == []
        clock.pass_s(14)
        assert await other.claim() is None
        clock.pass_s(2)
        second = await claimed(other)
        assert (second.study_id, second.tries, second.run) == (study_id, 2, first.run)
        assert await slow.renew([first]) == [first]
        changes: list[Callable[[], Awaitable[object]]] = [
            lambda: slow.progress(first, "liver"),
            lambda: slow.fail(first, PROBLEM),
            lambda: slow.release(first),
            lambda: slow.retry(first, PROBLEM),
            lambda: slow.wait_for_component(first, PROBLEM),
            lambda: slow.store_series(first, []),
            lambda: slow.files(first),
            lambda: slow.finish(first, StudyResult.model_validate(example_of(StudyResult)), {}, None),
        ]
        for change in changes:
            with pytest.raises(JobLost):
                await change()
        assert (await row(database, study_id)).worker == "other"

    with_studies(database_url, tmp_path, work)


def test_a_study_whose_workers_die_three_times_is_exhausted(tmp_path: Path) -> None:
    async def work(database: Database, keys: KeyRing) -> None:
        await send(database, keys, ANN, 0)
        clock = Clock()
        clock.moment = datetime.now(UTC) + timedelta(seconds=1)
        for tries in (1, 2, 3):
            job = await claimed(queue(database, keys, clock, f"w{tries}"))
            assert (job.tries, job.exhausted) == (tries, False)
            clock.pass_s(16)
        job = await claimed(queue(database, keys, clock, "w4"))
        assert (job.tries, job.exhausted) == (3, True)

    with_studies(sqlite_url(tmp_path), tmp_path, work)


def test_failed_tries_wait_longer_each_time_and_outages_do_not_count(tmp_path: Path) -> None:
    async def work(database: Database, keys: KeyRing) -> None:
        study_id = await send(database, keys, ANN, 0)
        clock = Clock()
        clock.moment = datetime.now(UTC) + timedelta(seconds=1)
        jobs = queue(database, keys, clock)
        assert await jobs.wait_for_component(await claimed(jobs), PROBLEM)
        assert await jobs.claim() is None
        clock.pass_s(6)
        first = await claimed(jobs)
        assert (first.tries, first.run) == (1, 1)
        assert await jobs.retry(first, PROBLEM)
        clock.pass_s(6)
        assert await jobs.retry(await claimed(jobs), PROBLEM)
        clock.pass_s(6)
        assert await jobs.claim() is None
        clock.pass_s(15)
        third = await claimed(jobs)
        assert (third.tries, third.run) == (3, 3)
        assert not await jobs.retry(third, PROBLEM)
        failed = await row(database, study_id)
        assert (failed.status, failed.problem and failed.problem["detail"]) == ("failed", "d")

    with_studies(sqlite_url(tmp_path), tmp_path, work)


def test_a_component_that_never_answers_ends_a_study_after_all(tmp_path: Path) -> None:
    async def work(database: Database, keys: KeyRing) -> None:
        study_id = await send(database, keys, ANN, 0)
        clock = Clock()
        clock.moment = datetime.now(UTC) + timedelta(seconds=1)
        jobs = queue(database, keys, clock)
        outcomes = []
        for _ in range(3):
            outcomes.append(await jobs.wait_for_component(await claimed(jobs), PROBLEM))
            clock.pass_s(60)
        assert outcomes == [True, True, False]
        assert (await row(database, study_id)).status == "failed"

    with_studies(sqlite_url(tmp_path), tmp_path, work)


def test_a_result_and_its_series_are_stored_once_and_encrypted(database_url: str, tmp_path: Path) -> None:
    async def work(database: Database, keys: KeyRing) -> None:
        study_id = await send(database, keys, ANN, 0)
        clock = Clock()
        clock.moment = datetime.now(UTC) + timedelta(seconds=1)
        jobs = queue(database, keys, clock)
        job = await claimed(jobs)
        series = Series.model_validate(example_of(Series))
        await jobs.store_series(job, [series])
        await jobs.store_series(job, [series, series])
        result = StudyResult.model_validate(example_of(StudyResult))
        summary = {"outcome": "decided", "label": "metastasis", "probability": 0.8, "lesions": 1, "largest_mm": 24.7}
        await jobs.finish(job, result, summary, "metastasis")
        repository = StudyRepository(database, keys)
        assert await repository.result(ANN, study_id) == result
        assert await repository.series(ANN, study_id) == [series]
        study = await repository.read(ANN, study_id)
        assert (study.status, study.progress.stage, study.summary and study.summary.lesions) == ("finished", "done", 1)
        again = await repository.reanalyse(ANN, study_id)
        assert (again.status, again.version) == ("queued", 2)
        assert await repository.versions(ANN, study_id) == [1]

    with_studies(database_url, tmp_path, work)
