"""The environment of processes that tests start."""

from __future__ import annotations

from collections.abc import Mapping


def unmeasured(environment: Mapping[str, str]) -> dict[str, str]:
    """Without coverage, which a Python process would start with, and which takes half of its time.

    For processes that are killed, of which coverage learns nothing, and for those that run none of our services.
    """
    return {name: value for name, value in environment.items() if name != "COVERAGE_PROCESS_CONFIG"}
