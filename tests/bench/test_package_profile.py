"""Processor time of an event loop by package."""

from __future__ import annotations

import json
import sysconfig
from pathlib import Path

import pytest

from bench.package_profile import profile_lines
from bench.profiled_service import OUTSIDE, OWN, STANDARD_LIBRARY, Function, ProfileToggle, by_package

_SITE = "/somewhere/lib/python3.11/site-packages"
_ROUTE: Function = (f"{_SITE}/fastapi/routing.py", 1, "app")
_SERVICE: Function = ("/somewhere/hepar/serving/routes.py", 1, "answer")
_BASE64: Function = (f"{sysconfig.get_path('stdlib')}/base64.py", 1, "b64encode")
_BUILT_IN: Function = ("~", 0, "<built-in method len>")


def test_a_built_in_function_counts_for_those_that_call_it() -> None:
    called = {_ROUTE: (3, 3, 0.3, 0.3), _SERVICE: (1, 1, 0.1, 0.1)}
    spent = by_package(
        {
            _ROUTE: (1, 1, 1.0, 1.7, {}),
            (f"{_SITE}/typing_extensions.py", 5, "cast"): (1, 1, 0.5, 0.5, {}),
            _SERVICE: (1, 1, 2.0, 2.1, {}),
            _BASE64: (1, 1, 0.25, 0.25, {}),
            _BUILT_IN: (5, 5, 0.45, 0.45, called),
        }
    )
    wanted = {"fastapi": 1.3, "typing_extensions": 0.5, OWN: 2.1, STANDARD_LIBRARY: 0.25, OUTSIDE: 0.05}
    assert spent == pytest.approx(wanted)


def test_a_profile_is_written_at_the_second_signal(tmp_path: Path) -> None:
    file = tmp_path / "profile.json"
    toggle = ProfileToggle(file)
    toggle(0, None)
    json.loads(json.dumps(list(range(300_000)), indent=1))
    assert not file.exists()
    toggle(0, None)
    spent = json.loads(file.read_bytes())
    assert spent[STANDARD_LIBRARY] > 0.5 * sum(spent.values()) > 0


def test_packages_are_listed_by_their_share_and_small_ones_together() -> None:
    lines = profile_lines("gateway", {"anyio": 0.01, "fastapi": 2.0, OWN: 1.98, "zlib": 0.01})
    assert lines[0].startswith("Event loop of gateway: 4.0 ms an image under the profiler")
    assert lines[4:] == ["| fastapi | 50% |", "| Hepar | 50% |", "| others | 0% |"]
