"""The worker: claims studies, analyses them step by step, and keeps its claims alive."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import time
import uuid
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from functools import partial
from typing import Any

from pydantic import SecretStr

from hepar.core.errors import (
    BadUpstream,
    ClientError,
    DeadlineExceeded,
    HeparError,
    InsufficientStorage,
    NotFound,
    Unavailable,
)
from hepar.core.freed_memory import keep_freed_memory
from hepar.core.metrics import STUDIES_ENDED, STUDIES_QUEUED, STUDIES_RUNNING, STUDY_SECONDS
from hepar.core.request_context import begin_request
from hepar.storage.changes import Changes, open_changes
from hepar.storage.database import open_database
from hepar.storage.encryption import load_key_ring
from hepar.storage.jobs import DurableJobs, JobFailedBefore, JobStuck, RunStep, open_jobs
from hepar.storage.objects import open_objects
from hepar.web.problems import problem_of
from hepar.web.upstream import UpstreamProblem
from study_service.errors import AnalysisFailed
from study_service.housekeeping import Housekeeping
from study_service.job_queue import Job, JobLost, JobQueue, QueueRules
from study_service.migrations import MIGRATIONS
from study_service.readiness import ModelReadiness, model_readiness
from study_service.settings import StudySettings
from study_service.slice_models import SliceLimits, SliceModels, slice_models
from study_service.study_analysis import PIPELINE_VERSION, AnalysisTools, StudyAnalysis
from study_service.tables import QUEUE_CHANNEL
from study_service.volume_inference import STEP_SLICES
from study_service.volume_reader import VolumeReader

_log = logging.getLogger(__name__)
_OUTAGES = (Unavailable, DeadlineExceeded, BadUpstream, UpstreamProblem, InsufficientStorage, JobStuck, JobFailedBefore)
_PASSING = (502, 503, 504)
"""Statuses of a model service that say nothing about the slices."""
_FULL_S = 5.0


class StudyWorker:
    """Created by `run_worker`."""

    def __init__(self, tools: AnalysisTools, ready: ModelReadiness, changes: Changes, settings: StudySettings) -> None:
        self._tools = tools
        self._queue = tools.queue
        self._ready = ready
        self._changes = changes
        self._settings = settings
        self._analyses: dict[str, StudyAnalysis] = {}
        self._running: dict[asyncio.Task[None], Job] = {}

    def work(self, job_id: str, step: RunStep) -> None:
        """The steps of one study, in DBOS's thread. Which steps there are depends on the results of steps alone."""
        analysis = self._analyses[job_id]
        step("load", analysis.load)
        extent = step("liver", analysis.liver)
        if extent is not None:
            first, last = extent
            for start in range(first, last + 1, STEP_SLICES):
                stop = min(start + STEP_SLICES, last + 1)
                step(f"slices {start}", partial(analysis.slices, start, stop))
        step("finish", analysis.finish)

    async def run(self, jobs: DurableJobs, stopping: asyncio.Event) -> None:
        """Until `stopping` is set; studies in progress are then given back, and another worker continues them."""
        renewing = asyncio.create_task(self._renew())
        try:
            while not stopping.is_set():
                mark = self._changes.mark()
                await self._claim(jobs)
                full = len(self._running) >= self._settings.jobs_max
                events: list[asyncio.Task[Any]] = [asyncio.create_task(stopping.wait())]
                if not full:
                    events.append(asyncio.create_task(self._changes.after(mark)))
                timeout_s = _FULL_S if full else self._settings.poll_s
                await asyncio.wait([*self._running, *events], timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
                for event in events:
                    event.cancel()
                for task in [task for task in self._running if task.done()]:
                    del self._running[task]
                    task.result()
        finally:
            renewing.cancel()
            for task in self._running:
                task.cancel()
            await asyncio.gather(renewing, *self._running, return_exceptions=True)

    async def _claim(self, jobs: DurableJobs) -> None:
        """Nothing while a model service is not ready: a study that waits loses nothing. Idle, it only reads."""
        try:
            for priority, depth in (await self._queue.depths()).items():
                STUDIES_QUEUED.labels(priority).set(depth)
            while len(self._running) < self._settings.jobs_max and await self._queue.is_due() and await self._ready():
                job = await self._queue.claim()
                if job is None:
                    return
                self._running[asyncio.create_task(self._handle(jobs, job))] = job
        except HeparError as error:
            _log.warning("no study can be claimed", extra={"reason": error.detail})

    async def _handle(self, jobs: DurableJobs, job: Job) -> None:
        begin_request(None)
        began = time.monotonic()
        with STUDIES_RUNNING.track_inprogress():
            try:
                end = await self._analysed(jobs, job)
            except JobLost:
                end = "lost"
            except asyncio.CancelledError:
                with contextlib.suppress(JobLost, HeparError):
                    await self._queue.release(job)
                end = "released"
            except HeparError as error:  # the database does not answer: the lease ends, and a worker takes over
                reason = {"study": job.study_id, "reason": error.detail}
                _log.warning("the end of a study was not recorded", extra=reason)
                end = "lost"
        STUDIES_ENDED.labels(end).inc()
        if end == "finished":
            STUDY_SECONDS.observe(time.monotonic() - began)
        _log.info("study", extra={"study": job.study_id, "version": job.version, "end": end, "tries": job.tries})

    async def _analysed(self, jobs: DurableJobs, job: Job) -> str:
        """How the try ended."""
        if job.exhausted:
            await self._queue.fail(job, problem_of(AnalysisFailed("the analysis broke off in each of its tries")))
            return "failed"
        job_id = f"{job.study_id}.{job.version}.{job.run}.{PIPELINE_VERSION}"
        try:
            analysis = self._analyses[job_id] = StudyAnalysis(self._tools, job, await self._queue.files(job))
            async with aclosing(analysis):
                await jobs.run(job_id)
        except JobLost:
            raise
        except Exception as error:  # noqa: BLE001  whatever a study does to the worker, the others go on
            return await self._failed(job, error)
        finally:
            self._analyses.pop(job_id, None)
        return "finished"

    async def _failed(self, job: Job, error: Exception) -> str:
        _log.warning(
            "a try failed",
            extra={"study": job.study_id, "tries": job.tries, "error": type(error).__name__, "reason": _reason(error)},
        )
        if isinstance(error, ClientError) and not isinstance(error, NotFound):
            await self._queue.fail(job, problem_of(error))  # it would fail again
            return "failed"
        is_answer = isinstance(error, UpstreamProblem) and error.problem.status not in _PASSING
        if isinstance(error, _OUTAGES) and not is_answer:
            cause = error if isinstance(error, HeparError) else Unavailable("the analysis did not begin")
            return "waiting" if await self._queue.wait_for_component(job, problem_of(cause)) else "failed"
        problem = problem_of(AnalysisFailed(f"the analysis failed: {_reason(error)}"))
        return "retried" if await self._queue.retry(job, problem) else "failed"

    async def _renew(self) -> None:
        """Every third of a lease. A study that is cancelled, deleted or taken over stops at once."""
        while True:
            await asyncio.sleep(self._settings.lease_s / 3)
            held = {task: job for task, job in self._running.items() if not task.done()}
            try:
                lost = await self._queue.renew(list(held.values()))
            except HeparError as error:
                _log.warning("leases were not renewed", extra={"reason": error.detail})
                continue
            for task, job in held.items():
                if job in lost:
                    task.cancel()


def _reason(error: Exception) -> str:
    """Errors of ours are written without patient data; of others, only the class is known to be."""
    return error.detail if isinstance(error, HeparError) else type(error).__name__


async def run_worker(settings: StudySettings, stopping: asyncio.Event) -> None:
    """Until `stopping` is set. Raises BadKeyFile."""
    keys = load_key_ring(settings.key_file)
    name = f"{socket.gethostname()[:40]}-{os.getpid()}-{uuid.uuid4().hex[:8]}"  # pods and processes reuse names and ids
    settings.spool_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    rules = QueueRules(
        settings.lease_s, settings.retry_s, settings.tries_max, destinations_of=settings.automatic_destinations
    )
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings.database_url, MIGRATIONS, "studies"))
        if settings.migrate_at_start:
            await database.migrate()
        objects = await stack.enter_async_context(open_objects(settings.objects_url))
        reader = VolumeReader(settings.spool_folder, settings.load_timeout_s)
        stack.callback(reader.close)
        tools = AnalysisTools(
            queue=JobQueue(database, keys, name, rules),
            objects=objects,
            reader=reader,
            models=await stack.enter_async_context(_models_of(settings)),
            folder=settings.spool_folder,
            call_s=settings.batch_timeout_s,
        )
        ready = await stack.enter_async_context(model_readiness(settings.classify_url, settings.detect_url))
        changes = await stack.enter_async_context(open_changes(settings.database_url, QUEUE_CHANNEL))
        worker = StudyWorker(tools, ready, changes, settings)
        jobs = await stack.enter_async_context(open_jobs(settings.database_url, name, worker.work))
        cleaning = asyncio.create_task(Housekeeping(database, objects, jobs, settings.retention_days).run(stopping))
        keep_freed_memory()
        try:
            await worker.run(jobs, stopping)
        finally:
            stopping.set()  # not cancelled: that in the middle of a transaction leaves its connection open
            await cleaning


def _models_of(settings: StudySettings) -> AbstractAsyncContextManager[SliceModels]:
    limits = SliceLimits(batch_slices=settings.batch_slices)
    secret = settings.worker_secret or SecretStr("")
    return slice_models(settings.auth_url, settings.classify_url, settings.detect_url, secret, limits)
