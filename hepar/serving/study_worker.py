"""What runs in the process that reads a study: hostile bytes, with limits on memory and processor time."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from hepar.imaging.errors import ImageError
from hepar.imaging.study import StudyHeaders, load_study, read_headers
from hepar.imaging.volume import CtVolume
from hepar.serving.decode_worker import limit_processor_time

ADDRESS_SPACE_BYTES = 4 * 1024**3
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class StudyRequest:
    """paths, wanted: as for `read_headers`.  voxels: where the volume is written as npy, None for headers alone.

    Headers alone are also read of images that arrive late and are too few to be analysed without the earlier ones.
    """

    paths: tuple[Path, ...]
    wanted: str | None
    voxels: Path | None
    processor_s: float


@dataclass(frozen=True)
class StudyAnswer:
    """volume: without its voxels, which are in the requested file; None where only headers were requested."""

    headers: StudyHeaders
    volume: CtVolume | None


class NoSpace:
    """The voxels do not fit into the folder."""


def read_study(request: StudyRequest) -> StudyAnswer | ImageError | NoSpace | None:
    """What was read, why the study is refused or not written, or None where memory does not suffice."""

    def read() -> StudyAnswer:
        if request.voxels is None:
            return StudyAnswer(read_headers(request.paths, request.wanted, is_whole=False), None)
        headers, volume = load_study(request.paths, request.wanted)
        with request.voxels.open("wb") as file:
            np.save(file, volume.hu, allow_pickle=False)
        return StudyAnswer(headers, replace(volume, hu=volume.hu[:0].copy()))

    return with_limits(request.processor_s, read)


def with_limits(processor_s: float, read: Callable[[], Answer]) -> Answer | ImageError | NoSpace | None:
    """The answer, the error of a file, or None where memory does not suffice.

    Expected errors are returned, not raised: a process keeps its last exception, and with its frames the decoded data.
    Raises RuntimeError for any other, without its text, which may quote a file.
    """
    limit_processor_time(processor_s)
    try:
        return read()
    except ImageError as error:
        return type(error)(str(error))
    except MemoryError:
        return None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return NoSpace()
        raise RuntimeError(f"{type(error).__name__} in a process that reads studies") from None
    except Exception as error:  # noqa: BLE001  a fault of ours, without its text
        raise RuntimeError(f"{type(error).__name__} in a process that reads studies") from None
