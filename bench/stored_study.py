"""One study from its upload at the gateway to its stored result."""

from __future__ import annotations

import time
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import httpx

from bench.measurement import MeasurementFailed, RunningStack
from hepar.contracts.studies import STUDIES_PATH, Study

_POLL_S = 0.5
"""Each look takes some 15 ms of processor time in gateway and study_service."""
_TIME_LIMIT_S = 600.0
_UNFINISHED = ("queued", "running")


def upload_of(source: Path, folder: Path) -> Path:
    """A file that can be sent: a folder is packed into one in `folder`."""
    if not source.is_dir():
        return source
    target = folder / "study.zip"
    with zipfile.ZipFile(target, "w") as archive:
        for file in sorted(file for file in source.iterdir() if file.is_file()):
            archive.write(file, file.name)
    return target


def analyse_study(stack: RunningStack, upload: Path, token: str) -> float:
    """Seconds from the first byte sent until the result was stored, as the service recorded it.

    The study is deleted, as the same one would not be analysed again. Raises MeasurementFailed.
    """
    headers = {"authorization": f"Bearer {token}"}
    with httpx.Client(base_url=stack.settings.gateway_url, headers=headers, timeout=60, trust_env=False) as client:
        began = datetime.now(UTC)
        with upload.open("rb") as file:
            sent = client.post(STUDIES_PATH, content=file, headers={"content-type": "application/octet-stream"})
        study = _study(sent)
        ends_at = time.monotonic() + _TIME_LIMIT_S
        while study.status in _UNFINISHED:
            if time.monotonic() > ends_at:
                raise MeasurementFailed(f"the study was not analysed within {_TIME_LIMIT_S:.0f} s")
            time.sleep(_POLL_S)
            study = _study(client.get(f"{STUDIES_PATH}/{study.id}"))
        if study.status != "finished":
            raise MeasurementFailed(f"the study is {study.status}: {study.problem}")
        client.delete(f"{STUDIES_PATH}/{study.id}").raise_for_status()
    return (study.updated_at - began).total_seconds()


def _study(answer: httpx.Response) -> Study:
    if answer.is_error:
        raise MeasurementFailed(f"the gateway answered {answer.status_code}: {answer.text}")
    return Study.model_validate_json(answer.content)
