"""What runs in the processes that read the headers of an upload: hostile bytes, with limits on time and memory."""

from __future__ import annotations

import math
import resource
from pathlib import Path

from hepar.imaging.errors import ImageError
from hepar.imaging.study import StudyHeaders, read_headers


def read_upload(path: Path, series: str | None, cpu_s: float) -> StudyHeaders | ImageError | None:
    """The headers, why the upload is refused, or None where memory does not suffice.

    The kernel ends the process after cpu_s of processor time. Raises RuntimeError for an unforeseen error, without its
    text, which may quote the file.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    allowed_s = math.ceil(used.ru_utime + used.ru_stime + cpu_s)
    resource.setrlimit(resource.RLIMIT_CPU, (allowed_s, resource.RLIM_INFINITY))
    try:
        return read_headers([path], series, is_whole=False)
    except ImageError as error:
        return type(error)(str(error))
    except MemoryError:
        return None
    except Exception as error:  # noqa: BLE001  a fault of ours, without its text
        raise RuntimeError(f"{type(error).__name__} while headers were read") from None
