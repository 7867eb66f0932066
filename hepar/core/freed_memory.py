"""How much freed memory a process keeps for its next arrays, instead of returning it to the kernel."""

from __future__ import annotations

import ctypes

_M_MMAP_THRESHOLD, _MAPPED_BYTES_MIN = -3, 4 * 1024 * 1024
_M_TRIM_THRESHOLD, _KEPT_BYTES_MAX = -1, 16 * 1024 * 1024


def keep_freed_memory() -> None:
    """Up to 16 MiB of it, and blocks below 4 MiB: larger than the arrays of a slice. With glibc; no effect elsewhere.

    By itself, glibc raises both thresholds with every large block that is freed, or leaves them as low as 128 KiB
    (mallopt(3)). Memory that is returned after each array has to be mapped and cleared again for the next, which takes
    longer than most work on a slice.
    """
    if hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_M_MMAP_THRESHOLD, _MAPPED_BYTES_MIN)
        libc.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES_MAX)
