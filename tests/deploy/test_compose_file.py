"""docker-compose.yml as it is written; tests/containers starts it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from hepar.serving.decode_worker import ADDRESS_SPACE_BYTES
from hepar.serving.decode_workers import WORKERS

ROOT = Path(__file__).parents[2]
FILE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
SERVICE_BYTES = 512 * 1024**2
"""What a model service takes besides its decode workers: it used 203 MB after `make bench`."""
ONCE = {"migrate", "gateway-database", "cache-owner"}
HARDENING = (
    "--model-config-name=gpu", "--allow-client-shm=false", "--allow-sagemaker=false", "--allow-vertex-ai=false",
    "--trace-config=level=off", "--cache-config=local,size=", "--allow-metrics=true", "--allow-gpu-metrics=true",
    "--http-restricted-api=$$apis:hepar-key=$$key", "--grpc-restricted-protocol=$$apis:hepar-key=$$key",
    "apis=shared-memory,model-repository,model-config,statistics,trace,logging",
)  # fmt: skip


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
    assert SERVICES["triton"]["networks"] == SERVICES["triton-gpu"]["networks"] == ["models"]
    on_it = {name for name, service in SERVICES.items() if "models" in service.get("networks", [])}
    assert on_it == {"classify", "detect", "triton", "triton-gpu", "prometheus"}
    on_data = {name for name, service in SERVICES.items() if "data" in service.get("networks", [])}
    assert on_data == {"migrate", "gateway-database", "auth", "postgres"}
    on_state = {name for name, service in SERVICES.items() if "state" in service.get("networks", [])}
    assert on_state == {"gateway", "postgres"}


def test_the_gpu_profile_uses_nvidias_server_with_hardening_flags() -> None:
    triton = SERVICES["triton-gpu"]
    assert triton["profiles"] == ["gpu"]
    version = re.search(r"tritonserver:(\d+)\.(\d+)-py3", triton["image"])
    assert version
    assert (int(version[1]), int(version[2])) >= (26, 7)
    command = " ".join(triton["command"])
    for flag in HARDENING:
        assert flag in command, flag
    (device,) = triton["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["count"], device["capabilities"]) == ("nvidia", 1, ["gpu"])
    assert triton["secrets"] == ["hepar_triton_restricted_key"]


def test_secrets_are_generated_files_that_are_never_committed() -> None:
    made = (ROOT / "deploy" / "make-secrets").read_text()
    for name, secret in FILE["secrets"].items():
        assert secret == {"file": f"./deploy/secrets/{name}"}
        assert name in made
    assert "deploy/secrets/" in (ROOT / ".gitignore").read_text().splitlines()
    assert not re.search(r"PASSWORD: |SECRET_KEY: |DATABASE_URL: ", (ROOT / "docker-compose.yml").read_text())


def test_services_wait_for_their_dependencies() -> None:
    for name, service in SERVICES.items():
        for needed, how in service.get("depends_on", {}).items():
            assert how["condition"] == ("service_completed_successfully" if needed in ONCE else "service_healthy"), name


def test_the_memory_of_a_model_service_holds_its_decode_workers() -> None:
    """At the same time, each at its own limit, and the service itself."""
    for name in ("classify", "detect"):
        limit = SERVICES[name]["mem_limit"]
        assert int(limit.removesuffix("m")) * 1024**2 >= WORKERS * ADDRESS_SPACE_BYTES + SERVICE_BYTES
