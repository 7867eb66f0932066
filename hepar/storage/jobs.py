"""Durable jobs on DBOS: a job's finished steps are recorded, so that another process continues where one died.

Who runs which job is decided elsewhere, by leases: a process runs here only what it holds. DBOS records steps and hands
a job over; its own queues only carry a job back into the process that took it over.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import CancelledError as FutureCancelled
from concurrent.futures import Future
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url

_log = logging.getLogger(__name__)

APPLICATION_VERSION = "hepar-jobs-1"
"""Pinned: DBOS would otherwise compute it from the code and resume nothing after an upgrade (docs/decisions/0047)."""
_POLL_S = 2.0
"""Of the queue that only brings back the jobs which this process took over."""
_START_S = 60.0
_BUSY_MS = 30_000
_WORKFLOW = "durable_job"

Json = Any
"""What a step returns: it is stored as JSON, and must be small and without patient data."""
Step = Callable[[], Coroutine[Any, Any, Json]]
RunStep = Callable[[str, Step], Json]
Work = Callable[[str, RunStep], None]
"""Called with the job's id in a thread; everything that waits or computes happens in the steps it runs."""


class Interrupted(BaseException):
    """The job ends here without a record, as if the process had died: no Exception, which DBOS would record."""


class JobFailedBefore(Exception):
    """A step of the job failed, and that was recorded; it needs a new id to be tried again."""


class JobStuck(Exception):
    """DBOS did not begin the job: its database does not answer."""


class _Run:
    """A job that this process holds."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._interrupted = False
        self._step: Future[Json] | None = None
        self.begun: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()

    def call(self, step: Step) -> Json:
        """Runs a step on the event loop; waits in the workflow's thread. Raises Interrupted."""
        with self._lock:
            if self._interrupted:
                raise Interrupted
            self._step = asyncio.run_coroutine_threadsafe(step(), self._loop)
        try:
            return self._step.result()
        except FutureCancelled as error:
            raise Interrupted from error

    def interrupt(self) -> None:
        with self._lock:
            self._interrupted = True
            if self._step is not None:
                self._step.cancel()

    def set_begun(self) -> None:
        self._set(self.begun, None)

    def set_ended(self, error: BaseException | None) -> None:
        self._set(self.ended, error)

    def _set(self, future: asyncio.Future[None], error: BaseException | None) -> None:
        def change() -> None:
            if future.done():
                return
            if error is None:
                future.set_result(None)
            elif isinstance(error, Interrupted):
                future.cancel()
            else:
                future.set_exception(error)

        self._loop.call_soon_threadsafe(change)


class DurableJobs:
    """The jobs of one process. Created by `open_jobs`; there is one at a time, because DBOS is a singleton."""

    def __init__(self, queue: str, work: Work) -> None:
        self._queue = queue
        self._work = work

        def durable_job(job_id: str) -> None:
            self.execute(job_id)

        self._workflow = DBOS.workflow(name=_WORKFLOW)(durable_job)
        self._runs: dict[str, _Run] = {}

    async def run(self, job_id: str) -> None:
        """Begins a job, or continues it after its last finished step; returns at its end.

        The caller holds the job: no other process runs it meanwhile. Cancelled, it ends the job here without a record,
        and another process can continue it. Raises what the work raised, JobFailedBefore and JobStuck.
        """
        run = self._runs[job_id] = _Run(asyncio.get_running_loop())
        try:
            if await asyncio.to_thread(self._start, job_id):
                return
            done, _ = await asyncio.wait([run.begun, run.ended], timeout=_START_S, return_when="FIRST_COMPLETED")
            if not done:
                raise JobStuck(job_id)
            await asyncio.shield(run.ended)
        except asyncio.CancelledError:
            run.interrupt()
            if run.begun.done():
                await asyncio.wait([run.ended], timeout=_START_S)
            raise
        finally:
            run.interrupt()
            self._runs.pop(job_id, None)

    def _start(self, job_id: str) -> bool:
        """True where the job has ended before. Runs in a thread: DBOS's calls block."""
        known = DBOS.get_workflow_status(job_id)
        if known is None:
            with SetWorkflowID(job_id):
                DBOS.start_workflow(self._workflow, job_id)
        elif known.status == "SUCCESS":
            return True
        elif known.status == "ERROR":
            raise JobFailedBefore(job_id)
        else:
            DBOS.resume_workflow(job_id, queue_name=self._queue)
        return False

    def execute(self, job_id: str) -> None:
        """In a thread of DBOS's, as its workflow."""
        run = self._runs.get(job_id)
        if run is None:
            raise Interrupted
        run.set_begun()

        def step(name: str, function: Step) -> Json:
            return DBOS.run_step({"name": name}, lambda: run.call(function))

        try:
            self._work(job_id, step)
        except BaseException as error:
            run.set_ended(error)
            raise
        run.set_ended(None)

    async def ids_before(self, moment: datetime) -> list[str]:
        """Ids of recorded jobs that were begun before, at most 1,000."""
        return await asyncio.to_thread(_ids_before, moment)

    async def forget(self, job_ids: list[str]) -> None:
        """Deletes their records."""
        if job_ids:
            await asyncio.to_thread(DBOS.delete_workflows, job_ids)


def _ids_before(moment: datetime) -> list[str]:
    known = DBOS.list_workflows(end_time=moment.isoformat(), limit=1000, load_input=False, load_output=False)
    return [status.workflow_id for status in known]


@asynccontextmanager
async def open_jobs(database_url: str, worker: str, work: Work) -> AsyncIterator[DurableJobs]:
    """database_url: SQLAlchemy URL of the service's own database.  worker: a name that no other process ever has."""
    engine = job_engine(database_url)
    queue = f"worker-{worker}"
    jobs = DurableJobs(queue, work)
    try:
        await asyncio.to_thread(_launch, engine, worker, queue)
        yield jobs
    finally:
        await asyncio.to_thread(_stop, queue)
        engine.dispose()


def _launch(engine: sa.Engine, worker: str, queue: str) -> None:
    config: DBOSConfig = {
        "name": "hepar-study-service",
        "system_database_url": engine.url.render_as_string(hide_password=False),
        "system_database_engine": engine,
        "application_version": APPLICATION_VERSION,
        "executor_id": worker,
        "serializer": DBOSPortableJSONSerializer(),
        "enable_otlp": False,
        "log_level": "WARNING",
        "use_listen_notify": False,
    }
    library_log = logging.getLogger("dbos")
    if not library_log.handlers:  # it would otherwise write its own lines to stderr
        library_log.addHandler(logging.NullHandler())
        library_log.addFilter(_without_traceback)
    DBOS(config=config)
    DBOS.listen_queues([queue])
    DBOS.launch()
    DBOS.register_queue(queue, polling_interval_sec=_POLL_S)


def _without_traceback(record: logging.LogRecord) -> bool:
    """The worker logs how its jobs end."""
    record.exc_info = None
    return True


def _stop(queue: str) -> None:
    try:
        DBOS.delete_queue(queue)
    except Exception as error:  # noqa: BLE001  the database may be gone, and the process ends anyway
        _log.warning("the queue of this worker stays registered", extra={"reason": type(error).__name__})
    DBOS.destroy(destroy_registry=True)


def job_engine(database_url: str) -> sa.Engine:
    """DBOS's tables: in PostgreSQL in a schema of the same database, for SQLite in a file of their own next to it."""
    url = make_url(database_url)
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url.set(drivername="postgresql+psycopg"), pool_pre_ping=True, pool_size=5)
    file = Path(url.database or "").with_suffix(".jobs.sqlite3")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    engine = sa.create_engine(URL.create("sqlite", database=str(file)))
    event.listen(engine, "connect", _durable)
    return engine


def _durable(connection: Any, _record: object) -> None:  # noqa: ANN401  the driver's own class
    """As hepar.storage.database for the service's own tables; DBOS itself would leave the journal mode at `delete`."""
    connection.isolation_level = "IMMEDIATE"
    connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
