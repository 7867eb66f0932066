"""What runs in a decode worker: a process with limits of its own and without output."""

from __future__ import annotations

import math
import os
import resource
from collections.abc import Collection
from dataclasses import replace

from hepar.contracts.views import View
from hepar.core.freed_memory import keep_freed_memory
from hepar.imaging import decode
from hepar.imaging.errors import ImageError
from hepar.imaging.file_values import bounded_message
from hepar.imaging.prepared import PreparedImage, prepare

FROZEN_IMPORTS = "hepar.serving.frozen_imports"
"""Imported by fork servers alone: it would freeze the objects of a service as well."""
ADDRESS_SPACE_BYTES = 5 * 1024**3 // 2
CPU_S = 15.0
_STANDARD_OUTPUT, _STANDARD_ERROR = 1, 2


def confine(address_space_bytes: int = ADDRESS_SPACE_BYTES) -> None:
    """Runs once in each worker: limits its memory, silences it, and separates it from the service's signals.

    Decoders in Python and C write warnings with values of the file, and a value may be a patient's name: there is no
    output that they could reach.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for output in (_STANDARD_OUTPUT, _STANDARD_ERROR):
        os.dup2(nowhere, output)
    keep_freed_memory()
    resource.setrlimit(resource.RLIMIT_AS, (address_space_bytes, address_space_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.setpgid(0, 0)


def limit_processor_time(processor_s: float) -> None:
    """The kernel ends the process where it uses more from now on: not the time that passes on a busy machine."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    allowed_s = math.ceil(used.ru_utime + used.ru_stime + processor_s)
    resource.setrlimit(resource.RLIMIT_CPU, (allowed_s, resource.RLIM_INFINITY))


def do_nothing() -> None:
    """The first task of a pool: it starts the workers."""


def decode_and_prepare(
    content: bytes | bytearray, frame: int | None, views: Collection[View], with_preview: bool
) -> PreparedImage | ImageError | None:
    """The image, why the file is refused, or None where memory does not suffice.

    The kernel ends the process where a file uses more than CPU_S. Expected errors are returned, not raised: a worker
    keeps its last exception, and with its frames the decoded data. Raises RuntimeError for any other, without its text,
    which may quote the file.
    """
    limit_processor_time(CPU_S)
    try:
        prepared = prepare(decode(bytes(content), frame=frame), views, with_preview=with_preview)
        return replace(prepared, warnings=tuple(map(bounded_message, prepared.warnings)))
    except ImageError as error:
        return type(error)(str(error))
    except MemoryError:
        return None
    except Exception as error:  # noqa: BLE001  a fault of ours, without its text
        raise RuntimeError(f"{type(error).__name__} in a decode worker") from None
