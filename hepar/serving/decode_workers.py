"""Decoding of uploads in a few worker processes with resource limits."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import signal
import threading
from collections.abc import Collection
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict

from pebble import ProcessExpired, ProcessPool

from hepar.contracts.images import Display, ImageFacts, NetworkScale, PatientSides
from hepar.contracts.views import View
from hepar.core.deadlines import Deadline
from hepar.core.errors import ClientError, DeadlineExceeded, HeparError, TooLarge, Unavailable, UnsupportedMedia
from hepar.core.metrics import DECODING, INPUT_GREY
from hepar.core.request_context import stage
from hepar.imaging.errors import ImageError, ImageTooLarge, UnreadableImage, UnsupportedImage
from hepar.imaging.prepared import PreparedImage
from hepar.serving import decode_worker
from hepar.serving.fair_slots import FairSlots

_log = logging.getLogger(__name__)

WORKERS = 2
WAITING_MAX = 64
TASKS_PER_WORKER = 1_000
_WAITING_SHARE = 0.5
_POOL_CHECK_S = 1.0
_EXHAUSTED = "it needs more processor time or memory than an image within the limits does"
_KILLED_FROM_OUTSIDE = (-signal.SIGKILL, -signal.SIGTERM)


class UnreadableUpload(ClientError):
    """The bytes are not an image that can be read."""

    status, title, slug = 422, "The file is not a readable image", "unreadable-image"


_PROBLEMS: dict[type[ImageError], type[HeparError]] = {
    UnreadableImage: UnreadableUpload,
    UnsupportedImage: UnsupportedMedia,
    ImageTooLarge: TooLarge,
}


class ImageDecoder:
    """A pool of WORKERS processes, replaced when they die: a hostile file affects no other request.

    All work whose cost depends on the size of the image runs there: decoding, scaling and grey levels. The image at
    full size never enters the service's own process. A file may use `decode_worker.CPU_S` of processor time and
    `decode_worker.ADDRESS_SPACE_BYTES` of memory, and the time until the caller's deadline; nothing of it reaches the
    disk or a log. Accounts take turns (FairSlots), and half of a caller's time is the longest that an image waits.
    """

    def __init__(self) -> None:
        self._slots = FairSlots(WORKERS, WAITING_MAX)
        self._pool = _new_pool()

    async def decode(
        self,
        content: bytes | bytearray,
        frame: int | None = None,
        *,
        account: str,
        deadline: Deadline,
        views: Collection[View] = (),
        with_preview: bool = False,
    ) -> PreparedImage:
        """frame: of a multi-frame DICOM object, from 0.  account: whose image it is.  views: of the networks.

        Raises UnreadableUpload, UnsupportedMedia and TooLarge for the file; Busy, DeadlineExceeded and Unavailable for
        the state of this service.
        """
        arguments = (content, frame, frozenset(views), with_preview)
        with stage("decoding"), DECODING.track_inprogress():
            async with self._slots.slot(account, deadline.remaining_s() * _WAITING_SHARE):
                result = await self._run(arguments, deadline)
        if isinstance(result, ImageError):
            raise _PROBLEMS[type(result)](str(result))
        INPUT_GREY.observe(result.grey_mean)
        return result

    async def _run(self, arguments: tuple[object, ...], deadline: Deadline) -> PreparedImage | ImageError:
        """Ends the worker where the caller goes away or the deadline passes."""
        try:
            async with asyncio.timeout(deadline.remaining_s()):
                result = await _result_of(self._working_pool(), arguments)
        except TimeoutError as error:
            raise DeadlineExceeded("the image was not decoded in time") from error
        except ProcessExpired as error:
            _log.warning("a decode worker ended", extra={"exit_code": error.exitcode})
            if error.exitcode in _KILLED_FROM_OUTSIDE:
                raise Unavailable("the image could not be decoded at the moment") from error
            raise UnreadableUpload(_EXHAUSTED) from error
        except BrokenProcessPool as error:
            raise Unavailable("the image could not be decoded at the moment") from error
        if result is None:
            raise UnreadableUpload(_EXHAUSTED)
        return result

    def _working_pool(self) -> ProcessPool:
        """A new pool where a worker ended between two files: pebble then gives up the whole pool."""
        if not self._pool.active:
            _log.warning("the decode workers are replaced")
            threading.Thread(target=self._pool.join, name="join-broken-decode-pool", daemon=True).start()
            self._pool = _new_pool()
        return self._pool

    def close(self) -> None:
        """Stops the workers, without waiting for their current files."""
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()


async def _result_of(pool: ProcessPool, arguments: tuple[object, ...]) -> PreparedImage | ImageError | None:
    """Raises BrokenProcessPool, too, where the pool is given up without ending this file: pebble may lose it then."""
    future: asyncio.Future[PreparedImage | ImageError | None]
    future = asyncio.wrap_future(pool.schedule(decode_worker.decode_and_prepare, arguments))
    try:
        while not (await asyncio.wait([future], timeout=_POOL_CHECK_S))[0]:
            if not pool.active:
                raise BrokenProcessPool
        return future.result()
    finally:
        future.cancel()


def _new_pool() -> ProcessPool:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([decode_worker.__name__, decode_worker.FROZEN_IMPORTS])
    pool = ProcessPool(WORKERS, max_tasks=TASKS_PER_WORKER, initializer=decode_worker.confine, context=context)
    pool.schedule(decode_worker.do_nothing)  # starts the workers before the first image
    return pool


def image_facts(image: PreparedImage) -> ImageFacts:
    """The image's properties, as a result shows them."""
    geometry = image.geometry
    width, height = geometry.display_size
    return ImageFacts(
        width=geometry.width,
        height=geometry.height,
        format=image.format,
        pixel_spacing_mm=image.spacing_mm,
        display=Display(
            matrix=geometry.matrix,
            width=width,
            height=height,
            patient_sides=PatientSides(left="R", top="A", right="L", bottom="P") if geometry.sides_known else None,
        ),
        scale=NetworkScale.model_validate(asdict(image.scale)),
        warnings=list(image.warnings),
    )
