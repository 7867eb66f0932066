"""The state of the queue and of the disks, as administrators see it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select

from hepar import __version__
from hepar.contracts.system_state import Disk, StudyQueue, SystemState
from hepar.storage.database import Database
from hepar.storage.objects import ObjectStore
from study_service.settings import StudySettings
from study_service.tables import StoredStudy

_DAY = timedelta(days=1)


class SystemReport:
    def __init__(
        self,
        database: Database,
        objects: ObjectStore,
        settings: StudySettings,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._objects = objects
        self._settings = settings
        self._now = now

    async def read(self) -> SystemState:
        """Raises Unavailable."""
        queue, space = await asyncio.gather(self._queue(), self._objects.space_bytes())
        spool = await asyncio.to_thread(shutil.disk_usage, self._settings.spool_folder)
        disks = [Disk(purpose="uploads", total_bytes=spool.total, free_bytes=spool.free)]
        if space is not None:
            disks.insert(0, Disk(purpose="objects", total_bytes=space[0], free_bytes=space[1]))
        return SystemState(
            software_version=__version__,
            database="sqlite" if self._settings.database_url.startswith("sqlite") else "postgresql",
            object_storage="cloud" if space is None else "folder",
            queue=queue,
            disks=disks,
        )

    async def _queue(self) -> StudyQueue:
        now = self._now()
        counted = select(StoredStudy.status, func.count(), func.min(StoredStudy.updated_at))
        async with self._database.reading() as session:
            current = {
                status: (count, oldest)
                for status, count, oldest in await session.execute(
                    counted.where(StoredStudy.status.in_(("queued", "running"))).group_by(StoredStudy.status)
                )
            }
            ended = {
                status: count
                for status, count, _ in await session.execute(
                    counted.where(
                        StoredStudy.status.in_(("finished", "failed")), StoredStudy.updated_at > now - _DAY
                    ).group_by(StoredStudy.status)
                )
            }
        waiting, oldest = current.get("queued", (0, None))
        return StudyQueue(
            waiting=waiting,
            running=current.get("running", (0, None))[0],
            oldest_wait_s=None if oldest is None else max(0.0, round((now - oldest).total_seconds(), 1)),
            finished_last_day=ended.get("finished", 0),
            failed_last_day=ended.get("failed", 0),
        )
