"""`python -m study_service listen` as a process, and peers that send to it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pydicom
from pydicom.uid import UID
from pynetdicom import AE
from pynetdicom.association import Association

from study_service.settings import StudySettings
from tests.support.orthanc import free_ports

AE_TITLE, PEER, OWNER = "HEPAR", "PACS", "pacs-system"
VERIFICATION = UID("1.2.840.10008.1.1")
PEERS: list[dict[str, Any]] = [{"ae_title": PEER, "networks": ["127.0.0.0/8"], "owner": OWNER}]
_START_S = 60.0


@contextmanager
def associated(port: int, *sop_classes: str, calling: str = PEER, called: str = AE_TITLE, **more: Any) -> Iterator[Any]:  # noqa: ANN401
    """Whatever became of it. more: `syntaxes` of the classes, and what `AE.associate` takes."""
    entity = AE(ae_title=calling)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 10
    entity.add_requested_context(VERIFICATION)
    syntaxes = more.pop("syntaxes", None)
    for sop_class in sop_classes:
        entity.add_requested_context(sop_class, syntaxes)
    made: Association = entity.associate("127.0.0.1", port, ae_title=called, **more)
    try:
        yield made
    finally:
        if made.is_established:
            made.release()


def answers(port: int, **more: Any) -> bool:  # noqa: ANN401
    with associated(port, **more) as association:
        return bool(association.is_established and association.send_c_echo().get("Status") == 0)


@dataclass(frozen=True)
class RunningListener:
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def answers(self) -> bool:
        return answers(self.port)

    def store(self, files: Sequence[bytes], statuses: list[int | None] | None = None) -> list[int | None]:
        """The status of each answer, added to `statuses` as it arrives; None where there was none."""
        statuses = [] if statuses is None else statuses
        datasets = [pydicom.dcmread(io.BytesIO(content)) for content in files]
        syntaxes = sorted({str(dataset.file_meta.TransferSyntaxUID) for dataset in datasets})
        with associated(self.port, str(datasets[0].SOPClassUID), syntaxes=syntaxes) as association:
            for dataset in datasets:
                done = association.is_established
                statuses.append(association.send_c_store(dataset).get("Status") if done else None)
        return statuses

    def memory_bytes(self) -> int:
        """Of the process itself, without its readers of headers."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def threads(self) -> int:
        return int(psutil.Process(self.process.pid).num_threads())


@contextmanager
def dicom_listener(settings: StudySettings, log: Path, **changes: object) -> Iterator[RunningListener]:
    """Of the installation of an API. changes: of settings, by their names in lower case without prefix."""
    (port,) = free_ports(1)
    own = {
        "database_url": settings.database_url, "objects_url": settings.objects_url, "key_file": settings.key_file,
        "spool_folder": settings.spool_folder, "migrate_at_start": "false", "listen_port": port, "quiet_s": 1,
        "listen_peers": json.dumps(PEERS),
    }  # fmt: skip
    variables = {f"HEPAR_STUDY_{name.upper()}": str(value) for name, value in (own | changes).items()}
    with log.open("ab") as output:
        command = [sys.executable, "-m", "study_service", "listen"]
        process = subprocess.Popen(command, env=os.environ | variables, stdout=output, stderr=output)
    try:
        ends_at = time.monotonic() + _START_S
        while b"listening for DICOM" not in log.read_bytes().rpartition(f'"port": {port},'.encode())[0][-300:]:
            assert process.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < ends_at, log.read_text()[-2000:]
            time.sleep(0.05)
        yield RunningListener(port, process, log)
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
