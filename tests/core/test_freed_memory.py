"""Freed memory that a process keeps: counted by the pages that the kernel has to map again."""

from __future__ import annotations

import os
import subprocess
import sys

_SCRIPT = """
import resource
import numpy as np
from hepar.core.freed_memory import keep_freed_memory

def pages_mapped(array_bytes):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        np.ones(array_bytes, dtype=np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

returned = pages_mapped(3 * 2**20)
keep_freed_memory()
pages_mapped(3 * 2**20)
print(returned, pages_mapped(3 * 2**20), pages_mapped(5 * 2**20))
"""
_RETURNED_AT_ONCE = {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}
"""As glibc starts, but it stays so."""
_SMALL_PAGES = {"NUMPY_MADVISE_HUGEPAGE": "0"}
"""How many pages of 2 MiB an array gets depends on its address."""


def test_arrays_of_a_slice_use_memory_again_and_larger_ones_return_it() -> None:
    environment = os.environ | _RETURNED_AT_ONCE | _SMALL_PAGES
    done = subprocess.run([sys.executable, "-c", _SCRIPT], env=environment, capture_output=True, text=True, check=True)
    returned, kept, large = map(int, done.stdout.split())
    pages = 3 * 2**20 // os.sysconf("SC_PAGESIZE")
    assert returned >= 15 * pages
    assert kept <= pages
    assert large >= 15 * pages
