"""Reading of an upload's headers in a few processes with resource limits."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import threading
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from pebble import ProcessExpired, ProcessPool

from hepar.core.errors import HeparError, TooLarge, Unavailable
from hepar.imaging.errors import ImageError, StudyTooLarge
from hepar.imaging.errors import UnsafeArchive as UnsafeArchiveError
from hepar.imaging.study import StudyHeaders
from hepar.serving.decode_worker import confine
from study_service import header_worker
from study_service.errors import UnreadableStudy, UnsafeArchive

_log = logging.getLogger(__name__)
WORKERS = 2
TASKS_PER_WORKER = 100
_POOL_CHECK_S = 1.0
_EXHAUSTED = "reading it needs more processor time or memory than a study within the limits does"


class HeaderReader:
    """A pool of WORKERS processes, replaced when they die: a hostile upload affects no other request.

    cpu_s: processor time for one upload.
    """

    def __init__(self, cpu_s: float) -> None:
        self._cpu_s = cpu_s
        self._pool = _new_pool()
        self._turns = asyncio.Semaphore(WORKERS)

    async def read(self, path: Path, series: str | None) -> StudyHeaders:
        """series: to be analysed; chosen by rules where it is None.

        Raises UnreadableStudy, UnsafeArchive, TooLarge and Unavailable.
        """
        async with self._turns:
            try:
                result = await _result_of(self._working_pool(), (path, series, self._cpu_s))
            except ProcessExpired as error:
                _log.warning("a process that reads headers ended", extra={"exit_code": error.exitcode})
                raise UnreadableStudy(_EXHAUSTED) from error
            except BrokenProcessPool as error:
                raise Unavailable("the upload could not be checked at the moment") from error
        if result is None:
            raise UnreadableStudy(_EXHAUSTED)
        if isinstance(result, ImageError):
            raise _problem(result)
        return result

    def close(self) -> None:
        """Stops the processes, without waiting for their current uploads."""
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()

    def _working_pool(self) -> ProcessPool:
        """A new pool where a process ended between two uploads: pebble then gives up the whole pool."""
        if not self._pool.active:
            _log.warning("the processes that read headers are replaced")
            threading.Thread(target=self._pool.join, name="join-broken-header-pool", daemon=True).start()
            self._pool = _new_pool()
        return self._pool


async def _result_of(pool: ProcessPool, arguments: tuple[object, ...]) -> StudyHeaders | ImageError | None:
    """Raises BrokenProcessPool, too, where the pool is given up without ending this upload."""
    future: asyncio.Future[StudyHeaders | ImageError | None]
    future = asyncio.wrap_future(pool.schedule(header_worker.read_upload, arguments))
    try:
        while not (await asyncio.wait([future], timeout=_POOL_CHECK_S))[0]:
            if not pool.active:
                raise BrokenProcessPool
        return future.result()
    finally:
        future.cancel()


def _new_pool() -> ProcessPool:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([header_worker.__name__])
    return ProcessPool(WORKERS, max_tasks=TASKS_PER_WORKER, initializer=confine, context=context)


def _problem(error: ImageError) -> HeparError:
    if isinstance(error, StudyTooLarge):
        return TooLarge(str(error))
    return UnsafeArchive(str(error)) if isinstance(error, UnsafeArchiveError) else UnreadableStudy(str(error))
