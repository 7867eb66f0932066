"""Orthanc, a real archive, from the Debian packages orthanc and orthanc-dicomweb."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

AE_TITLE = "ORTHANC"
_DICOMWEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
_START_S = 60.0


def free_ports(count: int) -> list[int]:
    """Of 127.0.0.1, all different; nothing keeps them."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@dataclass(frozen=True)
class Orthanc:
    """url: of its REST API.  dicomweb_url: of its DICOMweb service.  dicom_port: where AE_TITLE listens."""

    url: str
    dicom_port: int
    log: Path

    @property
    def dicomweb_url(self) -> str:
        return f"{self.url}/dicom-web"

    def get(self, path: str) -> Any:  # noqa: ANN401  JSON
        return self._call("GET", path)

    def post(self, path: str, content: object) -> Any:  # noqa: ANN401  JSON
        return self._call("POST", path, content)

    def put(self, path: str, content: object) -> None:
        httpx.put(f"{self.url}{path}", json=content, timeout=60, trust_env=False).raise_for_status()

    def store(self, files: list[bytes]) -> None:
        for content in files:
            httpx.post(f"{self.url}/instances", content=content, timeout=60, trust_env=False).raise_for_status()

    def study(self, study_uid: str) -> str:
        """Orthanc's own id of a study."""
        known = {self.get(f"/studies/{one}")["MainDicomTags"]["StudyInstanceUID"]: one for one in self.get("/studies")}
        found: str = known[study_uid]
        return found

    def tags(self) -> list[dict[str, str]]:
        """The main tags of everything that it stores."""
        return [self.get(f"/instances/{one}/simplified-tags") for one in self.get("/instances")]

    def file(self, instance: str) -> bytes:
        return httpx.get(f"{self.url}/instances/{instance}/file", timeout=60, trust_env=False).content

    def _call(self, method: str, path: str, content: object = None) -> Any:  # noqa: ANN401  JSON
        answer = httpx.request(method, f"{self.url}{path}", json=content, timeout=60, trust_env=False)
        answer.raise_for_status()
        return answer.json()


@contextmanager
def orthanc_server(folder: Path, **options: object) -> Iterator[Orthanc]:
    """Listens on 127.0.0.1 only. options: of its configuration. Skips the test where it is not installed."""
    if shutil.which("Orthanc") is None or not _DICOMWEB.exists():
        pytest.skip("orthanc and orthanc-dicomweb are not installed: .ci/install-debian")
    http_port, dicom_port = free_ports(2)
    configuration: Mapping[str, object] = {
        "Name": "test",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "Plugins": [str(_DICOMWEB)],
        "HttpPort": http_port,
        "HttpBindAddresses": ["127.0.0.1"],
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomAet": AE_TITLE,
        "DicomPort": dicom_port,
        "DicomAlwaysAllowStore": True,
        "DicomCheckModalityHost": False,
        "UnknownSopClassAccepted": False,
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    file, log = folder / "orthanc.json", folder / "orthanc.log"
    file.write_text(json.dumps({**configuration, **options}))
    with log.open("wb") as output:
        process = subprocess.Popen(["Orthanc", str(file)], stdout=output, stderr=output, cwd=folder)
    try:
        running = Orthanc(f"http://127.0.0.1:{http_port}", dicom_port, log)
        _wait(running, process)
        yield running
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(running: Orthanc, process: subprocess.Popen[bytes]) -> None:
    ends_at = time.monotonic() + _START_S
    while True:
        assert process.poll() is None, running.log.read_text(errors="replace")[-2000:]
        assert time.monotonic() < ends_at, running.log.read_text(errors="replace")[-2000:]
        try:
            running.get("/system")
        except httpx.HTTPError:
            time.sleep(0.1)
        else:
            return
