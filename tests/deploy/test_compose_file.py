"""docker-compose.yml as it is written; tests/containers starts it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from auth_service.email_settings import EmailSettings
from hepar.core.settings import ServiceSettings
from hepar.serving.decode_worker import ADDRESS_SPACE_BYTES
from hepar.serving.decode_workers import WORKERS
from hepar.serving.upload_memory import UPLOADS_BYTES_MAX
from hepar.storage.encryption import load_key_ring
from study_service.settings import StudySettings

ROOT = Path(__file__).parents[2]
FILE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
SERVICE_BYTES = 512 * 1024**2
"""What a model service takes besides its decode workers and uploads: it used 203 MB after `make bench`."""
MODEL_SERVICE_BYTES = WORKERS * ADDRESS_SPACE_BYTES + UPLOADS_BYTES_MAX + SERVICE_BYTES
ONCE = {"migrate", "databases", "cache-owner"}
NVIDIA = ("triton-nvidia", "triton-gpu")
"""NVIDIA's server; `triton` is the small one from PyPI."""
HARDENING = {
    "--allow-http=false", "--allow-client-shm=false", "--allow-sagemaker=false", "--allow-vertex-ai=false",
    "--trace-config=level=off", "--exit-on-error=false", "--disable-auto-complete-config",
}  # fmt: skip
RESTRICTED = "shared-memory,model-repository,model-config,statistics,trace,logging"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_a_version_limits_and_minimal_privileges(name: str) -> None:
    service = SERVICES[name]
    assert ":" in service["image"].replace("${", "").split("/")[-1]
    assert "mem_limit" in service
    assert service["pids_limit"] > 0
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service.get("cap_add", []) == (["CHOWN"] if name == "cache-owner" else [])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == ("no" if name in ONCE else "unless-stopped")
    assert service["user"].startswith("0:") == (name == "cache-owner")


def test_only_the_edge_and_monitoring_are_on_the_public_network() -> None:
    leads_out = {name for name, network in FILE["networks"].items() if not (network or {}).get("internal")}
    assert leads_out == {"public"}
    on_it = {name for name, service in SERVICES.items() if "public" in service.get("networks", [])}
    assert on_it == {"edge", "prometheus", "grafana"}
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert ports.keys() == on_it
    for name, published in ports.items():
        assert all(port.startswith(("127.0.0.1:", "${HEPAR_ADDRESS:-127.0.0.1}:")) for port in published), name


def test_triton_and_postgresql_are_only_on_internal_networks() -> None:
    for name in ("triton", *NVIDIA):
        assert SERVICES[name]["networks"].keys() == {"models", "triton-metrics"}
        assert "ports" not in SERVICES[name]
    members = {
        network: {name for name, service in SERVICES.items() if network in service.get("networks", [])}
        for network in ("models", "triton-metrics")
    }
    assert members["models"] == {"classify", "detect", "triton", *NVIDIA}
    assert members["triton-metrics"] == {"prometheus", "triton", *NVIDIA}
    on_data = {name for name, service in SERVICES.items() if "data" in service.get("networks", [])}
    assert on_data == {"migrate", "databases", "auth", "postgres"}
    on_state = {name for name, service in SERVICES.items() if "state" in service.get("networks", [])}
    assert on_state == {"gateway", "postgres", "study", "study-worker"}


def test_triton_listens_for_inference_only_where_the_model_services_are() -> None:
    """And for metrics only where Prometheus is: each on its own address, and no two services on one."""
    own = {"triton": "HEPAR_TRITON_", "triton-nvidia": "TRITON_", "triton-gpu": "TRITON_"}
    addresses = set[str]()
    for name, prefix in own.items():
        service = SERVICES[name]
        inference, metrics = (service["networks"][one]["ipv4_address"] for one in ("models", "triton-metrics"))
        assert service["environment"][f"{prefix}ADDRESS"] == inference
        assert service["environment"][f"{prefix}METRICS_ADDRESS"] == metrics
        addresses |= {inference, metrics}
    assert len(addresses) == 2 * len(own)


def arguments_of(name: str) -> list[str]:
    """What the shell of the container gives to tritonserver."""
    shell, option, script = SERVICES[name]["command"]
    shown = script.replace("$$", "$").replace("exec tritonserver ", "printf '%s\\n' ")
    environment = os.environ | SERVICES[name]["environment"]
    done = subprocess.run([shell, option, shown], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.parametrize("name", NVIDIA)
def test_nvidias_server_is_new_enough_and_answers_inference_only(name: str) -> None:
    version = re.search(r"tritonserver:(\d+)\.(\d+)-py3", SERVICES[name]["image"])
    assert version
    assert (int(version[1]), int(version[2])) >= (26, 7)
    given = arguments_of(name)
    assert set(given) >= HARDENING
    assert f"--grpc-address={SERVICES[name]['environment']['TRITON_ADDRESS']}" in given
    assert ("--model-config-name=gpu" in given) == (name == "triton-gpu")
    assert SERVICES[name]["profiles"] == [name.removeprefix("triton-")]
    assert "secrets" not in SERVICES[name]


@pytest.mark.parametrize("name", NVIDIA)
def test_the_key_of_nvidias_server_is_another_one_at_each_start(name: str) -> None:
    def key() -> str:
        (value,) = [one for one in arguments_of(name) if one.startswith("--grpc-restricted-protocol=")]
        match = re.fullmatch(rf"--grpc-restricted-protocol={RESTRICTED}:hepar-key=([0-9a-f]{{64}})", value)
        assert match, value
        return match[1]

    assert key() != key()


def test_the_gpu_profile_reserves_a_gpu() -> None:
    (device,) = SERVICES["triton-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["count"], device["capabilities"]) == ("nvidia", 1, ["gpu"])


def test_secrets_are_generated_files_that_are_never_committed() -> None:
    made = (ROOT / "deploy" / "make-secrets").read_text()
    for name, secret in FILE["secrets"].items():
        assert secret == {"file": f"./deploy/secrets/{name}"}
        assert name in made
    assert "deploy/secrets/" in (ROOT / ".gitignore").read_text().splitlines()
    assert not re.search(r"PASSWORD: |SECRET_KEY: |DATABASE_URL: ", (ROOT / "docker-compose.yml").read_text())


def test_the_generated_keys_of_studies_can_be_read(tmp_path: Path) -> None:
    """Those of the script, and those that the guide for Kubernetes makes."""
    (tmp_path / "deploy").mkdir()
    script = shutil.copy(ROOT / "deploy" / "make-secrets", tmp_path / "deploy")
    subprocess.run([script], check=True, capture_output=True, timeout=60)
    load_key_ring(tmp_path / "deploy" / "secrets" / "hepar_study_keys")

    guide = (ROOT / "docs" / "operations" / "kubernetes.md").read_text()
    (command,) = re.findall("^    (.*> study_keys)$", guide, re.MULTILINE)
    subprocess.run(["bash", "-euc", f"umask 077; {command}"], cwd=tmp_path, check=True, timeout=60)
    load_key_ring(tmp_path / "study_keys")


def test_services_wait_for_their_dependencies() -> None:
    for name, service in SERVICES.items():
        for needed, how in service.get("depends_on", {}).items():
            assert how["condition"] == ("service_completed_successfully" if needed in ONCE else "service_healthy"), name


def test_the_memory_of_a_model_service_holds_its_decode_workers() -> None:
    """At the same time, each at its own limit, with all uploads and the service itself."""
    for name in ("classify", "detect"):
        limit = SERVICES[name]["mem_limit"]
        assert int(limit.removesuffix("m")) * 1024**2 >= MODEL_SERVICE_BYTES


def test_the_file_for_e_mail_gives_a_way_out_to_auth_only_and_the_password_as_a_file() -> None:
    added = yaml.safe_load((ROOT / "deploy" / "compose.email.yml").read_text())
    assert added["services"].keys() == {"auth"}
    auth = added["services"]["auth"]
    assert auth["networks"] == [*added["networks"]] == ["mail"]
    assert "mail" not in FILE["networks"]
    assert auth["secrets"] == ["hepar_auth_smtp_password"]
    settings = {name.removeprefix("HEPAR_AUTH_").lower() for name in auth["environment"]}
    assert settings == EmailSettings.model_fields.keys() - ServiceSettings.model_fields.keys() - {"smtp_password"}


def test_the_file_for_dicom_gives_a_way_out_to_study_service_and_its_listener_only() -> None:
    added = yaml.safe_load((ROOT / "deploy" / "compose.dicom.yml").read_text())
    assert added["services"].keys() == {"study", "study-worker", "study-listener"}
    assert [*added["networks"]] == ["hospital"]
    on_it = {name for name, service in added["services"].items() if "hospital" in service.get("networks", [])}
    assert on_it == {"study", "study-listener"}
    for name in ("study", "study-worker"):
        assert added["services"][name]["secrets"] == ["hepar_study_destinations"]
    listener, study = added["services"]["study-listener"], SERVICES["study"]
    for same in ("image", "user", "read_only", "cap_drop", "security_opt", "restart", "tmpfs", "volumes"):
        assert listener[same] == study[same], same
    assert listener["ports"] == ["${HEPAR_ADDRESS:-127.0.0.1}:11112:11112"]
    assert set(listener["secrets"]) <= FILE["secrets"].keys() | added["secrets"].keys()
    settings = {name.removeprefix("HEPAR_STUDY_").lower() for name in listener["environment"] if "HEPAR" in name}
    assert settings <= StudySettings.model_fields.keys()
