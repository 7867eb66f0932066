"""The queue of studies to analyse: claims, leases, progress and ends. Every worker works through the same table.

A claim is a lease: a worker that shows no sign of life for `lease_s` loses its studies to another. All changes by a
worker name it, so that one that was only slow cannot change a study that is no longer its own.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, case, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from hepar.contracts.problems import Problem
from hepar.contracts.studies import Series
from hepar.contracts.study_results import StudyResult
from hepar.storage.changes import announce
from hepar.storage.database import Database
from hepar.storage.encryption import KeyRing
from study_service.destinations.sends import queue_automatic_sends
from study_service.documents import StudyFiles
from study_service.stored_studies import study_files
from study_service.tables import QUEUE_CHANNEL, StoredResult, StoredSeries, StoredStudy, StoredTurn
from study_service.webhooks.deliveries import queue_deliveries

_OUTAGE_S = 60.0


@dataclass(frozen=True)
class QueueRules:
    """As in StudySettings. destinations_of: names of those that finished studies of an owner are sent to."""

    lease_s: float
    retry_s: float
    tries_max: int
    outages_max: int = 20
    destinations_of: Callable[[str], Sequence[str]] = field(default=lambda _: ())


@dataclass(frozen=True)
class Job:
    """A claimed study. tries: this one included.  run: the same as long as the steps of a try are continued.

    exhausted: its tries were used up by workers that died.
    """

    study_id: str
    version: int
    owner: str
    priority: str
    tries: int
    run: int
    exhausted: bool


class JobLost(Exception):
    """The study was cancelled, deleted, extended, or taken over: the worker stops without a trace."""


_NOW = bindparam("now", type_=StoredStudy.due_at.type)


@functools.cache
def _is_due() -> Select[str]:
    """A study that can be claimed at the time `now`. Built once, as idle workers ask all the time."""
    return select(StoredStudy.id).where(_claimable()).limit(1)


@functools.cache
def _next_study() -> Select[StoredStudy]:
    """The study that is claimed at the time `now`."""
    other = aliased(StoredStudy)
    in_progress = (
        select(func.count())
        .where(other.owner == StoredStudy.owner, other.status == "running", other.lease_until >= _NOW)
        .correlate(StoredStudy)
        .scalar_subquery()
    )
    last_turn = select(StoredTurn.last_started_at).where(StoredTurn.owner == StoredStudy.owner).scalar_subquery()
    urgent_first = case((StoredStudy.priority == "urgent", 0), else_=1)
    return (
        select(StoredStudy)
        .where(_claimable())
        .order_by(urgent_first, in_progress, last_turn.asc().nulls_first(), StoredStudy.created_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )


def _claimable() -> ColumnElement[bool]:
    queued = (StoredStudy.status == "queued") & (StoredStudy.due_at <= _NOW)
    abandoned = (StoredStudy.status == "running") & (StoredStudy.lease_until < _NOW)
    return or_(queued, abandoned)


class JobQueue:
    """All methods raise Unavailable where the database does not answer; those with a job raise JobLost."""

    def __init__(
        self,
        database: Database,
        keys: KeyRing,
        worker: str,
        rules: QueueRules,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._keys = keys
        self._worker = worker
        self._rules = rules
        self._now = now

    async def is_due(self) -> bool:
        """Whether there is a study to claim, at the cost of a read."""
        async with self._database.reading() as session:
            return (await session.scalars(_is_due(), {"now": self._now()})).one_or_none() is not None

    async def claim(self) -> Job | None:
        """The next study: urgent ones first, then of the account with the fewest in progress that waited longest."""
        now = self._now()
        async with self._database.writing() as session:
            study = (await session.scalars(_next_study(), {"now": now})).one_or_none()
            if study is None:
                return None
            exhausted = study.status == "running" and study.tries >= self._rules.tries_max
            study.status, study.worker, study.lease_until = "running", self._worker, self._lease_until()
            study.tries += 0 if exhausted else 1
            study.started_at = study.started_at or now
            study.updated_at = now
            await _record_turn(session, study.owner, now)
            return Job(study.id, study.version, study.owner, study.priority, study.tries, study.run, exhausted)

    async def renew(self, jobs: list[Job]) -> list[Job]:
        """Extends the leases; returns the jobs that are lost."""
        values = {"lease_until": self._lease_until()}
        async with self._database.writing() as session:
            return [job for job in jobs if not await self._changed(session, job, values)]

    async def files(self, job: Job) -> StudyFiles:
        async with self._database.reading() as session:
            found = (await session.scalars(select(StoredStudy).where(self._own(job)))).one_or_none()
            if found is None:
                raise JobLost(job.study_id)
            return await study_files(session, self._keys, found)

    async def progress(self, job: Job, stage: str, **values: float | None) -> None:
        """values: slices_done, slices_total, time_left_s."""
        async with self._database.writing() as session:
            await self._change(session, job, {"stage": stage, "updated_at": self._now(), **values})

    async def store_series(self, job: Job, series: list[Series]) -> None:
        """What the study consists of; a second time changes nothing."""
        async with self._database.writing() as session:
            found = await self._locked(session, job)
            key = self._keys.data_key(found.data_key)
            of_version = (StoredSeries.study_id == job.study_id) & (StoredSeries.version == job.version)
            if (await session.scalars(select(StoredSeries.position).where(of_version).limit(1))).first() is not None:
                return
            for position, item in enumerate(series):
                sealed = key.encrypt(item.model_dump_json().encode(), f"series {job.study_id}")
                session.add(
                    StoredSeries(study_id=job.study_id, version=job.version, position=position, document=sealed)
                )

    async def finish(self, job: Job, result: StudyResult, summary: Mapping[str, Any], label: str | None) -> None:
        """Stores the result and the status together; a result that is there already stays."""
        async with self._database.writing() as session:
            found = await self._locked(session, job)
            if await session.get(StoredResult, (job.study_id, job.version)) is None:
                content = zlib.compress(result.model_dump_json().encode())
                sealed = self._keys.data_key(found.data_key).encrypt(content, f"result {job.study_id} {job.version}")
                session.add(
                    StoredResult(
                        study_id=job.study_id, version=job.version, created_at=result.created_at, document=sealed
                    )
                )
            ended = {"status": "finished", "stage": "done", "summary": dict(summary), "label": label, "problem": None}
            await self._change(session, job, ended | self._free())
            await queue_deliveries(session, found, "finished", self._now())
            await queue_automatic_sends(session, found, self._rules.destinations_of(found.owner), self._now())

    async def fail(self, job: Job, problem: Problem) -> None:
        """For good."""
        async with self._database.writing() as session:
            found = await self._locked(session, job)
            await self._change(session, job, {"status": "failed", "problem": problem.model_dump()} | self._free())
            await queue_deliveries(session, found, "failed", self._now())

    async def retry(self, job: Job, problem: Problem) -> bool:
        """Queues the study again, later each time; False where its tries are used up, and it has failed."""
        if job.tries >= self._rules.tries_max:
            await self.fail(job, problem)
            return False
        due_at = self._now() + timedelta(seconds=self._rules.retry_s * 4 ** (job.tries - 1))
        async with self._database.writing() as session:
            await self._change(
                session,
                job,
                {"status": "queued", "stage": "queued", "due_at": due_at, "run": job.run + 1} | self._free(),
            )
        return True

    async def wait_for_component(self, job: Job, problem: Problem) -> bool:
        """As retry, after the outage of a component: the study is not to blame, and the try does not count."""
        async with self._database.writing() as session:
            outages = (await self._locked(session, job)).outages + 1
            if outages <= self._rules.outages_max:
                wait_s = min(self._rules.retry_s * 2 ** (outages - 1), _OUTAGE_S)
                values = {"status": "queued", "stage": "queued", "tries": job.tries - 1, "outages": outages}
                values |= {"due_at": self._now() + timedelta(seconds=wait_s), "run": job.run + 1}
                await self._change(session, job, values | self._free())
                return True
        await self.fail(job, problem)
        return False

    async def release(self, job: Job) -> None:
        """At the orderly stop of the worker: another continues at once, and the try does not count."""
        async with self._database.writing() as session:
            await self._change(session, job, {"status": "queued", "tries": job.tries - 1} | self._free())
            await (await session.connection()).run_sync(announce, QUEUE_CHANNEL)

    async def depths(self) -> dict[str, int]:
        """Studies that wait, by priority."""
        async with self._database.reading() as session:
            waiting = select(StoredStudy.priority, func.count()).where(StoredStudy.status == "queued")
            rows = await session.execute(waiting.group_by(StoredStudy.priority))
            counted: dict[str, int] = {row[0]: row[1] for row in rows}
        return {priority: counted.get(priority, 0) for priority in ("normal", "urgent")}

    def _own(self, job: Job) -> ColumnElement[bool]:
        return and_(
            StoredStudy.id == job.study_id,
            StoredStudy.version == job.version,
            StoredStudy.status == "running",
            StoredStudy.worker == self._worker,
        )

    async def _locked(self, session: AsyncSession, job: Job) -> StoredStudy:
        found = (await session.scalars(select(StoredStudy).where(self._own(job)).with_for_update())).one_or_none()
        if found is None:
            raise JobLost(job.study_id)
        return found

    async def _changed(self, session: AsyncSession, job: Job, values: Mapping[str, Any]) -> bool:
        changed = await session.execute(
            update(StoredStudy).where(self._own(job)).values(dict(values)).execution_options(synchronize_session=False)
        )
        return int(getattr(changed, "rowcount", 0)) == 1

    async def _change(self, session: AsyncSession, job: Job, values: Mapping[str, Any]) -> None:
        if not await self._changed(session, job, values):
            raise JobLost(job.study_id)

    def _free(self) -> dict[str, Any]:
        return {"worker": None, "lease_until": None, "time_left_s": None, "updated_at": self._now()}

    def _lease_until(self) -> datetime:
        return self._now() + timedelta(seconds=self._rules.lease_s)


async def _record_turn(session: AsyncSession, owner: str, now: datetime) -> None:
    """Two workers may begin studies of one account at the same time."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    turn = insert(StoredTurn).values(owner=owner, last_started_at=now)
    await session.execute(turn.on_conflict_do_update(index_elements=["owner"], set_={"last_started_at": now}))
