"""Studies arrive by C-STORE from a real archive, and nothing that was acknowledged is lost."""

from __future__ import annotations

import asyncio
import io
import json
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.uid import MRImageStorage, RLELossless, generate_uid
from pynetdicom import AE

from hepar.core.errors import ClientError
from hepar.imaging.dicom_file import COMPRESSED, UNCOMPRESSED
from hepar.imaging.hounsfield import CT_CLASSES
from hepar.storage.encryption import load_key_ring
from study_service.command_line import run_command
from study_service.dicom_network.incoming import IncomingStudies
from study_service.dicom_network.listener import listening
from study_service.dicom_network.service import run_listener
from study_service.settings import StudySettings
from tests.support.dicom_listener import (
    AE_TITLE,
    OWNER,
    PEER,
    PEERS,
    RunningListener,
    answers,
    associated,
    dicom_listener,
)
from tests.support.finished_studies import finish_study
from tests.support.orthanc import AE_TITLE as ORTHANC
from tests.support.orthanc import Orthanc, free_ports, orthanc_server
from tests.support.study_api import StudyApi, ct_files, study_api
from tests.support.tokens import TokenAuthority

ELSEWHERE = {"ae_title": "ELSEWHERE", "networks": ["192.0.2.0/24"], "owner": OWNER}
FROM_ORTHANC = {"ae_title": ORTHANC, "networks": ["127.0.0.1"], "owner": "orthanc", "group": "radiology"}


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with orthanc_server(tmp_path_factory.mktemp("orthanc")) as running:
        yield running


@pytest.fixture(scope="module")
def api(authority: TokenAuthority, tmp_path_factory: pytest.TempPathFactory, orthanc: Orthanc) -> Iterator[StudyApi]:
    archive = {"kind": "dicom", "name": "pacs", "host": "127.0.0.1", "port": orthanc.dicom_port, "ae_title": ORTHANC}
    destinations = [archive | {"automatic_for": ["orthanc"]}]
    with study_api(tmp_path_factory.mktemp("listener"), authority, destinations=destinations) as running:
        yield running


@pytest.fixture(scope="module")
def listener(api: StudyApi, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningListener]:
    log, peers = tmp_path_factory.mktemp("log") / "log", json.dumps([*PEERS, ELSEWHERE, FROM_ORTHANC])
    with dicom_listener(api.settings, log, listen_peers=peers) as running:
        yield running


def wait_for(found: Callable[[], Any]) -> Any:  # noqa: ANN401
    ends_at = time.monotonic() + 90
    while not (value := found()):
        assert time.monotonic() < ends_at
        time.sleep(0.1)
    return value


def studies(api: StudyApi, accession: str, subject: str = OWNER) -> list[dict[str, Any]]:
    answer = api.call("GET", "/v1/studies", subject, params={"accession": accession})
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def test_a_series_goes_from_the_archive_to_hepar_and_its_results_back(
    api: StudyApi, orthanc: Orthanc, listener: RunningListener
) -> None:
    """The worked example of docs/integration.md."""
    uid = str(generate_uid())
    files = ct_files(8, study_uid=uid, patient="4720", accession="PACS-1")
    orthanc.store(files)
    orthanc.put("/modalities/hepar", {"AET": AE_TITLE, "Host": "127.0.0.1", "Port": listener.port})
    orthanc.post("/modalities/hepar/echo", {})
    orthanc.post("/modalities/hepar/store", orthanc.study(uid))
    (arrived,) = wait_for(lambda: studies(api, "PACS-1", "orthanc"))
    assert (arrived["images"], arrived["status"], arrived["version"]) == (8, "queued", 1)
    colleague = api.headers("eve", group="radiology")
    assert api.call("GET", f"/v1/studies/{arrived['id']}", headers=colleague).status_code == 200
    sops = [str(pydicom.dcmread(io.BytesIO(content)).SOPInstanceUID) for content in files]
    finish_study(api.settings, arrived["id"], sops[:6])
    kinds = wait_for(lambda: kinds_of(orthanc, uid) if len(kinds_of(orthanc, uid)) == 5 else None)
    assert kinds == {"CT", "SEG", "SR", "DOC", "OT"}  # images, segmentation, report, PDF, key image


def kinds_of(orthanc: Orthanc, study_uid: str) -> set[str]:
    return {tags["Modality"] for tags in orthanc.tags() if tags["StudyInstanceUID"] == study_uid}


def test_a_study_is_fetched_by_its_accession_number_and_with_its_priors(
    api: StudyApi, orthanc: Orthanc, listener: RunningListener
) -> None:
    """Wildcards would fetch the studies of others."""
    orthanc.put("/modalities/hepar", {"AET": AE_TITLE, "Host": "127.0.0.1", "Port": listener.port})
    orthanc.store(ct_files(6, patient="4730", accession="NOW-1"))
    for number in (1, 2, 3):
        orthanc.store(dated(ct_files(6, patient="4730", accession=f"PRIOR-{number}"), f"2025110{number}"))
    orthanc.store(dated(ct_files(6, patient="4731", accession="OTHER-1"), "20251101"))

    def fetch(*arguments: str) -> int:
        return run_command(lambda: api.settings, ["fetch", "pacs", *arguments])

    assert fetch("--accession", "NOW-1") == 0
    (now,) = wait_for(lambda: studies(api, "NOW-1", "orthanc"))
    assert fetch("--priors-of", now["id"]) == 0
    for number in (2, 3):
        wait_for(lambda: studies(api, f"PRIOR-{number}", "orthanc"))  # noqa: B023
    assert studies(api, "PRIOR-1", "orthanc") == studies(api, "OTHER-1", "orthanc") == []
    assert fetch("--accession", "*") == 1
    assert fetch("--accession", "NONE-1") == 0
    assert run_command(lambda: api.settings, ["fetch", "nowhere", "--accession", "NOW-1"]) == 1
    assert fetch("--priors-of", "00000000-0000-0000-0000-000000000000") == 1


def dated(files: list[bytes], study_date: str) -> list[bytes]:
    changed = []
    for content in files:
        dataset = pydicom.dcmread(io.BytesIO(content))
        dataset.StudyDate = study_date
        buffer = io.BytesIO()
        dataset.save_as(buffer)
        changed.append(buffer.getvalue())
    return changed


def test_every_transfer_syntax_that_we_read_is_accepted(listener: RunningListener) -> None:
    entity = AE(ae_title=PEER)
    for sop_class in CT_CLASSES:
        for syntax in (*UNCOMPRESSED, *COMPRESSED):
            entity.add_requested_context(sop_class, syntax)
    entity.add_requested_context(MRImageStorage)
    association = entity.associate("127.0.0.1", listener.port, ae_title=AE_TITLE)
    accepted = {(context.abstract_syntax, context.transfer_syntax[0]) for context in association.accepted_contexts}
    refused = [context.abstract_syntax for context in association.rejected_contexts]
    association.release()
    assert accepted == {(kind, syntax) for kind in CT_CLASSES for syntax in (*UNCOMPRESSED, *COMPRESSED)}
    assert refused == [MRImageStorage]


def test_compressed_images_arrive_as_they_were_sent(api: StudyApi, listener: RunningListener) -> None:
    compressed = []
    for content in ct_files(6, accession="RLE-1"):
        dataset = pydicom.dcmread(io.BytesIO(content))
        dataset.compress(RLELossless, generate_instance_uid=False)
        buffer = io.BytesIO()
        dataset.save_as(buffer)
        compressed.append(buffer.getvalue())
    assert listener.store(compressed) == [0] * 6
    (study,) = wait_for(lambda: studies(api, "RLE-1"))
    assert study["images"] == 6


@pytest.mark.parametrize(
    ("calling", "called"), [("NOBODY", AE_TITLE), ("ELSEWHERE", AE_TITLE), ("pacs", AE_TITLE), (PEER, "OTHER")]
)
def test_only_known_peers_from_their_networks_are_let_in(listener: RunningListener, calling: str, called: str) -> None:
    with associated(listener.port, calling=calling, called=called) as association:
        assert association.is_rejected
    assert listener.answers()


def test_late_images_make_a_new_version(api: StudyApi, listener: RunningListener) -> None:
    uid = str(generate_uid())
    assert listener.store(ct_files(6, study_uid=uid, accession="LATE-1")) == [0] * 6
    (first,) = wait_for(lambda: studies(api, "LATE-1"))
    finish_study(api.settings, first["id"])
    assert listener.store(ct_files(2, first=6, study_uid=uid, accession="LATE-1")) == [0] * 2
    (second,) = wait_for(lambda: [one for one in studies(api, "LATE-1") if one["images"] == 8])
    assert (second["id"], second["version"]) == (first["id"], 2)


def test_what_is_not_a_study_becomes_one_that_says_so(api: StudyApi, listener: RunningListener) -> None:
    """It was acknowledged, so it must be seen. One image is no volume."""
    assert listener.store(ct_files(1, accession="ONE-1")) == [0]
    (study,) = wait_for(lambda: studies(api, "ONE-1"))
    assert study["images"] == 1


def test_objects_without_a_study_are_refused(listener: RunningListener) -> None:
    dataset = pydicom.dcmread(io.BytesIO(ct_files(1)[0]))
    del dataset.StudyInstanceUID
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    assert listener.store([buffer.getvalue()]) == [0xC000]


def test_nothing_that_was_acknowledged_is_lost_when_the_listener_is_killed(api: StudyApi, tmp_path: Path) -> None:
    files = ct_files(20, accession="KILL-1", patient="Canary-4729")
    log = tmp_path / "log"
    with dicom_listener(api.settings, log, quiet_s=60) as one:
        statuses: list[int | None] = []
        sending = threading.Thread(target=lambda: statuses.extend(one.store(files)))
        sending.start()
        incoming = api.settings.spool_folder / "incoming"
        wait_for(lambda: len(list(incoming.rglob("0000*"))) >= 6)
        one.process.send_signal(signal.SIGKILL)
        sending.join(60)
    acknowledged = statuses.count(0)
    assert 5 <= acknowledged < 20, statuses
    uids = {str(pydicom.dcmread(io.BytesIO(content)).StudyInstanceUID) for content in files}
    for file in incoming.rglob("*"):
        assert not any(uid in str(file) for uid in uids)
        assert file.is_dir() or b"Canary" not in file.read_bytes()
    with dicom_listener(api.settings, log) as two:
        assert two.store(files[acknowledged:]) == [0] * (20 - acknowledged)
        (study,) = wait_for(lambda: [item for item in studies(api, "KILL-1") if item["images"] == 20])
    assert study["version"] == 1
    assert list(incoming.iterdir()) == []
    assert "Canary" not in log.read_text()


def certificates(folder: Path) -> None:
    """An authority, and a certificate of it for each side."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=60)

    new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl(*new, "-x509", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=authority", "-days", "2")
    for name in ("server", "client"):
        (folder / f"{name}.ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        openssl(*new, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", f"{name}.ext")
        openssl("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", *signed)


def test_over_tls_only_peers_with_a_certificate_are_let_in(tmp_path: Path) -> None:
    certificates(tmp_path)
    settings = StudySettings.model_validate(
        {
            "listen_port": free_ports(1)[0],
            "listen_peers": PEERS,
            "listen_certificate_file": tmp_path / "server.pem",
            "listen_key_file": tmp_path / "server.key",
            "listen_ca_file": tmp_path / "ca.pem",
        }
    )
    known = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    known.load_cert_chain(tmp_path / "client.pem", tmp_path / "client.key")
    anonymous = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    incoming = IncomingStudies(tmp_path / "incoming", load_key_ring(tmp_path / "keys"), 10**6, 100, 10**6)
    with (
        listening(settings, incoming) as port,
        socket.create_connection(("127.0.0.1", port)),  # without a handshake: it must hold up nobody
    ):
        assert answers(port, tls_args=(known, "127.0.0.1"))
        assert not answers(port, tls_args=(anonymous, "127.0.0.1"))
        assert not answers(port)
        assert answers(port, tls_args=(known, "127.0.0.1"))


def test_without_peers_the_listener_does_not_start() -> None:
    with pytest.raises(ClientError, match="HEPAR_STUDY_LISTEN_PEERS"):
        asyncio.run(run_listener(StudySettings(), asyncio.Event()))
