"""Decoding of uploads in a few worker processes with resource limits."""

from __future__ import annotations

import asyncio
import ctypes
import math
import multiprocessing
import os
import resource
from collections.abc import Collection
from concurrent.futures import TimeoutError as FutureTimeoutError

from pebble import ProcessExpired, ProcessPool

from hepar.contracts.images import Display, ImageFacts, PatientSides
from hepar.core.errors import ClientError, HeparError, TooLarge, UnsupportedMedia
from hepar.core.metrics import DECODING, INPUT_GREY
from hepar.core.request_context import stage
from hepar.imaging import decode
from hepar.imaging.errors import ImageError, ImageTooLarge, UnreadableImage, UnsupportedImage
from hepar.imaging.prepared import InputSize, PreparedImage, prepare

ADDRESS_SPACE_BYTES = 3 * 1024**3
TIME_S = 4.0
CPU_S = 4.0
TASKS_PER_WORKER = 1_000
_M_MMAP_THRESHOLD, _RETURNED_BYTES_MIN = -3, 1024 * 1024


class UnreadableUpload(ClientError):
    """The bytes are not an image that can be read."""

    status, title, slug = 422, "The file is not a readable image", "unreadable-image"


_PROBLEMS: dict[type[ImageError], type[HeparError]] = {
    UnreadableImage: UnreadableUpload,
    UnsupportedImage: UnsupportedMedia,
    ImageTooLarge: TooLarge,
}


class ImageDecoder:
    """A pool of two processes, replaced when they die: a hostile file affects no other request.

    All work whose cost depends on the size of the image runs there: decoding, scaling and grey levels. The image at
    full size never enters the service's own process. A worker has ADDRESS_SPACE_BYTES of memory, and `time_s` and
    CPU_S of time per file; nothing of a file reaches the disk or a log.
    """

    def __init__(self, workers: int = 2, time_s: float = TIME_S) -> None:
        self._time_s = time_s
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])  # imported once, and shared by the workers
        self._pool = ProcessPool(
            workers,
            max_tasks=TASKS_PER_WORKER,
            initializer=_confine,
            initargs=(ADDRESS_SPACE_BYTES,),
            context=context,
        )
        self._pool.schedule(_do_nothing)  # starts the workers before the first image

    async def decode(
        self,
        content: bytes | bytearray,
        frame: int | None = None,
        *,
        sizes: Collection[InputSize] = (),
        with_preview: bool = False,
    ) -> PreparedImage:
        """frame: of a multi-frame DICOM object, from 0.  sizes: of the networks' inputs to scale the image to.

        Raises UnreadableUpload, UnsupportedMedia and TooLarge.
        """
        arguments = (content, frame, frozenset(sizes), with_preview)
        future = self._pool.schedule(_decode_and_prepare, arguments, timeout=self._time_s)
        try:
            with stage("decoding"), DECODING.track_inprogress():
                result = await asyncio.wrap_future(future)
        except (FutureTimeoutError, TimeoutError) as error:
            raise UnreadableUpload(f"it cannot be read within {self._time_s:g} s") from error
        except (ProcessExpired, MemoryError) as error:
            raise UnreadableUpload("it cannot be read within the time and memory that a CT slice needs") from error
        if isinstance(result, ImageError):
            raise _PROBLEMS[type(result)](str(result))
        INPUT_GREY.observe(result.grey_mean)
        return result

    def close(self) -> None:
        """Stops the workers, without waiting for their current files."""
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()


def _do_nothing() -> None:
    """Runs in a worker."""


def _decode_and_prepare(
    content: bytes | bytearray, frame: int | None, sizes: Collection[InputSize], with_preview: bool
) -> PreparedImage | ImageError:
    """Runs in a worker. The kernel ends it where a file uses too much CPU; the pool's timeout is a second limit.

    An ImageError is returned, not raised: a worker keeps its last exception, and with its frames the decoded data.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    allowed = math.ceil(used.ru_utime + used.ru_stime + CPU_S)
    resource.setrlimit(resource.RLIMIT_CPU, (allowed, resource.RLIM_INFINITY))
    try:
        return prepare(decode(bytes(content), frame=frame), sizes, with_preview=with_preview)
    except ImageError as error:
        return type(error)(str(error))


def _confine(address_space_bytes: int) -> None:
    """Runs once in each worker: limits its memory, prevents core dumps, and separates it from the service's signals.

    Without mallopt, glibc would raise its mmap threshold with every large block freed, and return less memory
    (mallopt(3)).
    """
    if hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_M_MMAP_THRESHOLD, _RETURNED_BYTES_MIN)
    resource.setrlimit(resource.RLIMIT_AS, (address_space_bytes, address_space_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.setpgid(0, 0)


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
        warnings=list(image.warnings),
    )
