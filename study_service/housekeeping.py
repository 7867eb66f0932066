"""What workers do now and then: delete studies after their retention, objects without a study, and old job records."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from hepar.core.errors import HeparError
from hepar.storage.database import Database
from hepar.storage.jobs import DurableJobs
from hepar.storage.objects import ObjectStore
from study_service.accesses import record_access
from study_service.tables import StoredStudy, StoredUpload

_log = logging.getLogger(__name__)
_INTERVAL_S = 3600.0
_ORPHANS_EVERY = 24
_ORPHAN_AGE = timedelta(days=1)
"""Longer than any upload takes: its objects have no row until it is complete."""
_BATCH = 100


class Housekeeping:
    """Several workers may do it at the same time: each deletion can be repeated. retention_days: 0 keeps studies."""

    def __init__(
        self,
        database: Database,
        objects: ObjectStore,
        jobs: DurableJobs | None,
        retention_days: int,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._objects = objects
        self._jobs = jobs
        self._retention_days = retention_days
        self._now = now

    async def run(self, stopping: asyncio.Event) -> None:
        """Every hour until `stopping` is set."""
        rounds = 0
        while not stopping.is_set():
            try:
                await self.delete_expired()
                await self.forget_jobs()
                if rounds % _ORPHANS_EVERY == 0:
                    await self.delete_orphans()
            except HeparError as error:
                _log.warning("housekeeping was not completed", extra={"reason": error.detail})
            rounds += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), _INTERVAL_S)

    async def delete_expired(self) -> int:
        """Studies whose last change is older than the retention; the access log stays. Returns their number."""
        if self._retention_days == 0:
            return 0
        deleted, before = 0, self._now() - timedelta(days=self._retention_days)
        while prefixes := await self._expire_some(before):
            for prefix in prefixes:
                await self._objects.delete_prefix(prefix)
            deleted += sum(prefix.startswith("studies/") for prefix in prefixes)
        return deleted

    async def delete_orphans(self) -> int:
        """Objects without a row: of uploads that broke off, and of studies whose deletion did. Returns their number."""
        deleted, before = 0, self._now() - _ORPHAN_AGE
        for prefix, column in (("uploads", StoredUpload.id), ("studies", StoredStudy.id)):
            changed = await self._objects.last_changes(prefix)
            old = sorted(name for name, moment in changed.items() if moment < before)
            for start in range(0, len(old), _BATCH):
                names = old[start : start + _BATCH]
                async with self._database.reading() as session:
                    known = set((await session.scalars(select(column).where(column.in_(names)))).all())
                for name in names:
                    if name not in known:
                        deleted += await self._objects.delete_prefix(f"{prefix}/{name}")
        return deleted

    async def forget_jobs(self) -> None:
        """Records of steps of studies that are no longer analysed; they hold ids and numbers only."""
        if self._jobs is None:
            return
        ids = await self._jobs.ids_before(self._now() - _ORPHAN_AGE)
        studies = {job_id: job_id.partition(".")[0] for job_id in ids}
        async with self._database.reading() as session:
            active = select(StoredStudy.id).where(
                StoredStudy.id.in_(set(studies.values())), StoredStudy.status.in_(("queued", "running"))
            )
            in_progress = set((await session.scalars(active)).all())
        await self._jobs.forget([job_id for job_id in ids if studies[job_id] not in in_progress])

    async def _expire_some(self, before: datetime) -> list[str]:
        """Deletes the rows of some studies; returns the prefixes of their objects."""
        prefixes: list[str] = []
        ended = StoredStudy.status.in_(("finished", "failed", "cancelled"))
        wanted = select(StoredStudy).where(StoredStudy.updated_at < before, ended).limit(_BATCH)
        async with self._database.writing() as session:
            for study in (await session.scalars(wanted.with_for_update(skip_locked=True))).all():
                of_study = select(StoredUpload.id).where(StoredUpload.study_id == study.id)
                uploads = await session.scalars(of_study)
                prefixes += [f"studies/{study.id}", *(f"uploads/{upload}" for upload in uploads)]
                await record_access(session, "expired", None, study.id, self._now())
                await session.delete(study)
        return prefixes
