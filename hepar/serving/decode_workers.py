"""Decoding as a service does it: in a few worker processes with limits of their own, errors as problems."""

from __future__ import annotations

import asyncio
import ctypes
import math
import multiprocessing
import os
import resource
from concurrent.futures import TimeoutError as FutureTimeoutError

from pebble import ProcessExpired, ProcessPool

from hepar.contracts.analyses import ImageFacts
from hepar.core.errors import ClientError, HeparError, TooLarge, UnsupportedMedia
from hepar.core.metrics import DECODING, INPUT_GREY
from hepar.core.request_context import stage
from hepar.imaging import CtImage, decode
from hepar.imaging.errors import ImageError, ImageTooLarge, UnreadableImage, UnsupportedImage

ADDRESS_SPACE_BYTES = 3 * 1024**3
TIME_S = 4.0
CPU_S = 4.0
TASKS_PER_WORKER = 1_000
_M_MMAP_THRESHOLD, _RETURNED_BYTES_MIN = -3, 1024 * 1024


class UnreadableUpload(ClientError):
    """The bytes are no image we can read."""

    status, title, slug = 422, "The file is not a readable image", "unreadable-image"


_PROBLEMS: dict[type[ImageError], type[HeparError]] = {
    UnreadableImage: UnreadableUpload,
    UnsupportedImage: UnsupportedMedia,
    ImageTooLarge: TooLarge,
}


class ImageDecoder:
    """Two processes, replaced when they die: a hostile file takes its worker with it and nothing else.

    Decoding is the service's own heavy work, and two cores are what it may take. The workers have no more memory than
    ADDRESS_SPACE_BYTES, and no more time than `time_s` and CPU_S a file; nothing of a file reaches the disk or a log.
    """

    def __init__(self, workers: int = 2, time_s: float = TIME_S) -> None:
        self._time_s = time_s
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])  # read once, and shared by the workers
        self._pool = ProcessPool(
            workers,
            max_tasks=TASKS_PER_WORKER,
            initializer=_confine,
            initargs=(ADDRESS_SPACE_BYTES,),
            context=context,
        )
        self._pool.schedule(_ready)  # the first image need not wait for the workers to start

    async def decode(self, content: bytes, frame: int | None = None) -> CtImage:
        """Raises UnreadableUpload, UnsupportedMedia and TooLarge."""
        future = self._pool.schedule(_decoded, (content, frame), timeout=self._time_s)
        try:
            with stage("decoding"), DECODING.track_inprogress():
                answer = await asyncio.wrap_future(future)
        except (FutureTimeoutError, TimeoutError) as error:
            raise UnreadableUpload(f"it cannot be read within {self._time_s:g} s") from error
        except (ProcessExpired, MemoryError) as error:
            raise UnreadableUpload("it cannot be read within the time and memory that a CT slice needs") from error
        if isinstance(answer, ImageError):
            raise _PROBLEMS[type(answer)](str(answer))
        INPUT_GREY.observe(float(answer.pixels.mean()))
        return answer

    def close(self) -> None:
        """Ends the workers, whatever they are at."""
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()


def _ready() -> None:
    """In a worker."""


def _decoded(content: bytes, frame: int | None) -> CtImage | ImageError:
    """In a worker. The kernel ends it where it uses more CPU than a file may: the pool's clock is a second wall.

    A refusal is returned, not raised: a worker keeps its last exception, and with its frames all that a bomb became.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    allowed = math.ceil(used.ru_utime + used.ru_stime + CPU_S)
    resource.setrlimit(resource.RLIMIT_CPU, (allowed, resource.RLIM_INFINITY))
    try:
        return decode(content, frame=frame)
    except ImageError as error:
        return type(error)(str(error))


def _confine(address_space_bytes: int) -> None:
    """Of a worker, once: its memory, no core dump of somebody's picture, and no part in the service's signals.

    glibc would raise the size from which memory goes back to the kernel with every large block freed (mallopt(3)).
    """
    if hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_M_MMAP_THRESHOLD, _RETURNED_BYTES_MIN)
    resource.setrlimit(resource.RLIMIT_AS, (address_space_bytes, address_space_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.setpgid(0, 0)


def image_facts(image: CtImage) -> ImageFacts:
    """What the answer tells of the image."""
    return ImageFacts(
        width=image.width,
        height=image.height,
        format=image.format,
        pixel_spacing_mm=image.spacing_mm,
        warnings=list(image.warnings),
    )
