"""What the pictures show: a running stack with accounts, studies in every state, and sends."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
from pydicom.uid import (
    Comprehensive3DSRStorage,
    EncapsulatedPDFStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)
from pyotp.totp import TOTP

from local_stack.demo import running_stack
from local_stack.settings import on_free_ports
from tests.browser.screenshots.studies import SAMPLE, damaged_study, sample_part
from tests.support.auth_client import PASSWORD
from tests.support.dicom_archive import DicomArchive, dicom_archive
from tests.support.mail_server import mail_variables
from tests.support.stack import Stack

ADMINISTRATOR, READER, NEWCOMER = "noether@example.org", "ada@example.org", "grace@example.org"
WITH_SECOND_FACTOR, COLLEAGUE = "lise@example.org", "rosalind@example.org"
_COLLEAGUES = {
    "chien-shiung@example.org": ("Chien-Shiung Wu", "researcher", None),
    COLLEAGUE: ("Rosalind Franklin", "researcher", "liver-board"),
    "ris@example.org": ("Interface of the radiology information system", "integrator", None),
}
_ANALYSED_S = 900.0
_REFUSED = 0x0122
_STORED = (Comprehensive3DSRStorage, EncapsulatedPDFStorage, SecondaryCaptureImageStorage, SegmentationStorage)


@dataclass(frozen=True)
class Scene:
    """studies: ids by what they show: lesions, prior, none, failed, running, queued."""

    url: str
    studies: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def client(self, email: str) -> Iterator[httpx.Client]:
        """Signed in."""
        with httpx.Client(base_url=self.url, timeout=120, trust_env=False) as client:
            form = {"username": email, "password": PASSWORD}
            token = checked(client.post("/v1/token", data=form)).json()["access_token"]
            client.headers["authorization"] = f"Bearer {token}"
            yield client

    def add_account(self, email: str, name: str, role: str = "clinician", group: str | None = None) -> None:
        with self.client(ADMINISTRATOR) as client:
            form = {"email": email, "password": PASSWORD, "name": name}
            path = f"/v1/users/{checked(client.post('/v1/users', json=form)).json()['id']}"
            checked(client.post(f"{path}/approve"))
            checked(client.put(f"{path}/role", json={"role": role, "password": PASSWORD}))
            checked(client.put(f"{path}/group", json={"group": group, "password": PASSWORD}))


def checked(answer: httpx.Response) -> httpx.Response:
    assert answer.is_success, answer.text
    return answer


@contextmanager
def running_scene(folder: Path) -> Iterator[Scene]:
    """The whole stack with the trained models. The worker stands still from the middle of a study on."""
    settings = on_free_ports()
    with dicom_archive(*_STORED) as archive, dicom_archive(*_STORED, ae_title="RESEARCH") as refusing:
        refusing.status = _REFUSED
        variables = _variables(archive, refusing)
        with running_stack(settings, folder, variables) as process:
            stack = Stack(settings, folder, process.pid)
            stack.create_administrator(email=ADMINISTRATOR)
            scene = Scene(settings.gateway_url)
            _add_accounts(scene)
            with scene.client(READER) as client:
                _add_finished_studies(scene, client)
                _send(scene, client)
                worker = stack.process("study_service worker")
                _add_unfinished_studies(scene, client, worker)
            try:
                yield scene
            finally:
                worker.resume()


def _variables(archive: DicomArchive, refusing: DicomArchive) -> dict[str, str]:
    shared = {"kind": "dicom", "host": "127.0.0.1"}
    destinations = [
        shared | {"name": "pacs", "title": "Hospital archive", "port": archive.port, "ae_title": "ARCHIVE"},
        shared | {"name": "research", "title": "Research archive", "port": refusing.port, "ae_title": "RESEARCH"},
        shared | {"name": "backup", "title": "Second site", "port": 9, "ae_title": "BACKUP"},
    ]
    auth = {"signup": "approval", "signup_burst": "1000", "access_token_s": "3600"}
    return {
        **{f"HEPAR_AUTH_{name.upper()}": value for name, value in auth.items()},
        **mail_variables(9),
        "HEPAR_STUDY_DESTINATIONS": json.dumps(destinations),
    }


def _add_accounts(scene: Scene) -> None:
    scene.add_account(READER, "Ada Lovelace", "clinician", "liver-board")
    scene.add_account(NEWCOMER, "Grace Hopper")
    scene.add_account(WITH_SECOND_FACTOR, "Lise Meitner", "researcher", "liver-board")
    for email, (name, role, group) in _COLLEAGUES.items():
        scene.add_account(email, name, role, group)
    with httpx.Client(base_url=scene.url, trust_env=False, timeout=60) as visitor:
        checked(visitor.post("/v1/users", json={"email": "emmy@example.org", "password": PASSWORD, "name": "Emmy"}))
    with scene.client(WITH_SECOND_FACTOR) as client:
        secret = checked(client.post("/v1/users/me/second-factor", json={"password": PASSWORD})).json()["secret"]
        confirmed = {"password": PASSWORD, "code": TOTP(secret).now()}
        checked(client.put("/v1/users/me/second-factor", json=confirmed))


def _add_finished_studies(scene: Scene, client: httpx.Client) -> None:
    """Two of one patient, a year apart; one without a lesion; one that cannot be analysed."""
    of_patient_2 = {"PatientID": "HEPAR-PHANTOM-2", "AccessionNumber": "HEPAR-7", "StudyDate": "20260212"}
    studies = {
        "failed": ("Damaged files", damaged_study()),
        "none": ("Phantom 2", sample_part(26, header=of_patient_2)),
        "prior": ("Phantom 1, prior", sample_part(6, 27, {"StudyDate": "20250110", "AccessionNumber": "HEPAR-0"})),
        "lesions": ("Phantom 1", SAMPLE.read_bytes()),
    }
    for key, (name, content) in studies.items():
        scene.studies[key] = _sent(client, name, content)
        _wait_for(client, scene.studies[key], lambda study: study["status"] in ("finished", "failed"))


def _add_unfinished_studies(scene: Scene, client: httpx.Client, worker: psutil.Process) -> None:
    header = {"PatientID": "HEPAR-PHANTOM-3", "AccessionNumber": "HEPAR-12", "StudyDate": "20260302"}
    study_id = scene.studies["running"] = _sent(client, "Phantom 3", sample_part(header=header))
    _wait_for(client, study_id, lambda study: study["progress"]["slices_done"] > 0, every_s=0.01)
    worker.suspend()
    status = checked(client.get(f"/v1/studies/{study_id}")).json()["status"]
    assert status == "running", "the worker was stopped too late: run it again"
    header |= {"PatientID": "HEPAR-PHANTOM-4", "AccessionNumber": "HEPAR-13"}
    scene.studies["queued"] = _sent(client, "Phantom 4", sample_part(header=header))


def _sent(client: httpx.Client, name: str, content: bytes) -> str:
    headers = {"content-type": "application/zip"}
    answer = checked(client.post("/v1/studies", params={"name": name}, content=content, headers=headers))
    return str(answer.json()["id"])


def _wait_for(client: httpx.Client, study_id: str, reached: Any, every_s: float = 0.5) -> None:  # noqa: ANN401
    _wait(lambda: reached(checked(client.get(f"/v1/studies/{study_id}")).json()), every_s)


def _send(scene: Scene, client: httpx.Client) -> None:
    """One send arrives, one is refused for good, one waits: nothing listens at the second site."""
    path = f"/v1/studies/{scene.studies['lesions']}/sends"
    for destination in ("pacs", "research", "backup"):
        checked(client.post(path, json={"destination": destination}))
    _wait(lambda: _states(client, path) == {"pacs": "sent", "research": "failed", "backup": "waiting"})


def _states(client: httpx.Client, path: str) -> Mapping[str, str]:
    sends = checked(client.get(path)).json()["items"]
    return {send["destination"]: send["status"] for send in sends if send["attempts"] > 0}


def _wait(reached: Any, every_s: float = 0.5) -> None:  # noqa: ANN401
    ends_at = time.monotonic() + _ANALYSED_S
    while not reached():
        assert time.monotonic() < ends_at, "the stack does not get there"
        time.sleep(every_s)
