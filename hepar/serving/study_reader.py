"""Reading of studies in a process with resource limits: a hostile study ends that process, and nothing else."""

from __future__ import annotations

import logging
import multiprocessing
import signal
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import TimeoutError as WaitTimeoutError
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
from pebble import ProcessExpired, ProcessPool

from hepar.core.errors import ClientError, DeadlineExceeded, HeparError, InsufficientStorage, TooLarge, Unavailable
from hepar.imaging.deidentification.refusal import NotDeidentifiable
from hepar.imaging.errors import (
    ImageError,
    ImageTooLarge,
    StudyTooLarge,
    UnsafeArchive,
)
from hepar.imaging.study import StudyHeaders
from hepar.imaging.volume import CtVolume
from hepar.serving import study_worker
from hepar.serving.decode_worker import FROZEN_IMPORTS, confine
from hepar.serving.study_worker import Answer, NoSpace, StudyAnswer, StudyRequest, with_limits

_log = logging.getLogger(__name__)

PROCESSOR_S = 300.0
_EXHAUSTED = "it needs more processor time or memory than a study within the limits does"
_KILLED_FROM_OUTSIDE = (-signal.SIGKILL, -signal.SIGTERM)


class UnreadableStudyUpload(ClientError):
    """Nothing in it can be analysed."""

    status, title, slug = 422, "The upload is not a readable study", "unreadable-study"


class UnsafeArchiveUpload(ClientError):
    """Damaged, encrypted or nested, or with names or sizes that no export has."""

    status, title, slug = 422, "The archive is not accepted", "unsafe-archive"


class CannotBeDeidentified(ClientError):
    """Its pixels may show text or a face, or it has no DICOM images."""

    status, title, slug = 409, "The study cannot be de-identified", "not-deidentifiable"


def study_problem(error: ImageError) -> HeparError:
    """The error for the sender of a study."""
    if isinstance(error, StudyTooLarge | ImageTooLarge):
        return TooLarge(str(error))
    if isinstance(error, NotDeidentifiable):
        return CannotBeDeidentified(str(error))
    return UnsafeArchiveUpload(str(error)) if isinstance(error, UnsafeArchive) else UnreadableStudyUpload(str(error))


class StudyReader:
    """One process, replaced when it dies. For one study at a time; its methods block.

    folder: for the voxels on their way from the process; the system's folder for temporary files by default.
    processor_s: that a study may use.
    """

    def __init__(self, folder: Path | None = None, processor_s: float = PROCESSOR_S) -> None:
        self._folder = folder
        self._processor_s = processor_s
        self._pool: ProcessPool | None = None

    def headers(self, paths: Sequence[Path], wanted: str | None, timeout_s: float) -> StudyHeaders:
        """Also of images that are too few to be analysed alone: `problem` says why.

        Raises UnreadableStudyUpload, UnsafeArchiveUpload, TooLarge, DeadlineExceeded, Unavailable.
        """
        return self._answer(StudyRequest(tuple(paths), wanted, None, self._processor_s), timeout_s).headers

    def volume(self, paths: Sequence[Path], wanted: str | None, timeout_s: float) -> tuple[StudyHeaders, CtVolume]:
        """The voxels are mapped from a file that has no name any more: the system may take their memory back.

        Raises as `headers`, and InsufficientStorage.
        """
        with tempfile.TemporaryDirectory(dir=self._folder, prefix="study-") as name:
            voxels = Path(name) / "voxels.npy"
            answer = self._answer(StudyRequest(tuple(paths), wanted, voxels, self._processor_s), timeout_s)
            if answer.volume is None:
                raise Unavailable("the study could not be read at the moment")
            return answer.headers, replace(answer.volume, hu=np.load(voxels, mmap_mode="r", allow_pickle=False))

    def call(self, work: Callable[[], Answer], timeout_s: float) -> Answer:
        """The answer of a function with its arguments, which is pickled. Raises as `headers`."""
        return cast("Answer", self._result(with_limits, (self._processor_s, work), timeout_s))

    def close(self) -> None:
        """Ends the process, without waiting for its study."""
        if self._pool is not None:
            self._pool.stop()  # type: ignore[no-untyped-call]
            self._pool.join()
            self._pool = None

    def _answer(self, request: StudyRequest, timeout_s: float) -> StudyAnswer:
        return self._result(study_worker.read_study, (request,), timeout_s)

    def _result(
        self,
        work: Callable[..., Answer | ImageError | NoSpace | None],
        arguments: tuple[object, ...],
        timeout_s: float,
    ) -> Answer:
        try:
            future = self._working_pool().schedule(work, arguments, timeout=timeout_s)
            result = future.result()
        except WaitTimeoutError as error:
            raise DeadlineExceeded("the study was not read in time") from error
        except ProcessExpired as error:
            _log.warning("a process that reads studies ended", extra={"exit_code": error.exitcode})
            if error.exitcode in _KILLED_FROM_OUTSIDE:
                raise Unavailable("the study could not be read at the moment") from error
            raise UnreadableStudyUpload(_EXHAUSTED) from error
        except BrokenProcessPool as error:
            raise Unavailable("the study could not be read at the moment") from error
        if isinstance(result, NoSpace):
            raise InsufficientStorage("there is no room for the files of the study")
        if result is None:
            raise UnreadableStudyUpload(_EXHAUSTED)
        if isinstance(result, ImageError):
            raise study_problem(result)
        return result

    def _working_pool(self) -> ProcessPool:
        if self._pool is not None and not self._pool.active:
            self.close()
        if self._pool is None:
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload([study_worker.__name__, FROZEN_IMPORTS])
            self._pool = ProcessPool(
                1, initializer=confine, initargs=(study_worker.ADDRESS_SPACE_BYTES,), context=context
            )
        return self._pool
