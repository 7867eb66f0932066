"""The chart's Deployments as `podman kube play` runs them: the same pods, without a cluster.

Not to be had there: Services (each Deployment gets a network alias of that name), policies, probes, autoscalers, the
Job (its pod is played as a Pod). tests/deploy/test_chart.py validates those.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.containers.stack import ROOT

NETWORK = "hepar-kube"
HELM = ROOT / "var" / "tools" / "helm"
SAMPLE = (ROOT / "samples" / "metastasis.png").read_bytes()
PASSWORD = "a long enough password"
VALUES = (
    "image.registry=localhost/hepar",
    "host=localhost",
    "signup=open",
    "image.pullPolicy=Never",
    "triton.server=pypi",
    "study.claim=",
    "study.objectsUrl=/spool/objects",
)
Document = dict[str, Any]


@pytest.fixture(scope="module")
def kube(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The gateway's address."""
    folder = tmp_path_factory.mktemp("kube")
    # podman 4.3 exchanges soft and hard limits of a pod's first container: here they are the same.
    (folder / "containers.conf").write_text(
        Path("/etc/containers/containers.conf").read_text().replace("=4096:8192", "=8192:8192")
    )
    given = folder / "secrets"
    given.mkdir()
    environment = os.environ | {"CONTAINERS_CONF": str(folder / "containers.conf")}

    def podman(*arguments: str, check: bool = True) -> str:
        done = subprocess.run(
            ["podman", *arguments], capture_output=True, text=True, timeout=120, env=environment, check=False
        )
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done.stdout + done.stderr if arguments[0] == "logs" else done.stdout

    def play(document: Document, alias: str) -> None:
        as_podman_plays_it(document, given)
        file = folder / f"{alias}.yaml"
        file.write_text(yaml.safe_dump(document))
        podman("kube", "play", "--network", f"{NETWORK}:alias={alias}", str(file))

    def clean() -> None:
        podman("pod", "rm", "-af", check=False)
        podman("rm", "-f", "-v", "hepar-kube-postgres", check=False)
        podman("network", "rm", "-f", NETWORK, check=False)

    clean()
    try:
        podman("network", "create", NETWORK)
        word = secrets.token_hex(8)
        (folder / "postgres_password").write_text(word)
        (folder / "postgres_password").chmod(0o444)
        variables = {"POSTGRES_USER": "hepar", "POSTGRES_DB": "hepar", "POSTGRES_PASSWORD_FILE": "/word"}
        options = [word for name, value in variables.items() for word in ("-e", f"{name}={value}")]
        options += ["-v", f"{folder}/postgres_password:/word:ro", "--network", f"{NETWORK}:alias=postgres"]
        podman("run", "-d", "--name", "hepar-kube-postgres", *options, "localhost/stand-in/postgres")
        for name, content in secret_files(word).items():
            (given / name).write_bytes(content)
            (given / name).chmod(0o440)
            os.chown(given / name, 0, 10001)
        documents = rendered()
        deployments = {one["metadata"]["name"]: one for one in documents if one["kind"] == "Deployment"}
        (job,) = (one for one in documents if one["kind"] == "Job")
        for _ in range(60):
            if "accepting" in podman("exec", "hepar-kube-postgres", "pg_isready", "-h", "127.0.0.1", check=False):
                break
            time.sleep(0.5)
        for database in ("hepar_gateway", "hepar_study"):
            podman("exec", "hepar-kube-postgres", "createdb", "-h", "/tmp", "-U", "hepar", database)  # noqa: S108
        play(pod_of(job), "hepar-migrate")
        assert podman("wait", "hepar-migrate-migrate").strip() == "0", podman("logs", "hepar-migrate-migrate")
        for name in ("hepar-triton", "hepar-auth", "hepar-classify", "hepar-detect", "hepar-study", "hepar-gateway"):
            play(deployments[name], name)
        first = json.loads(podman("pod", "inspect", "hepar-gateway-pod-0"))["InfraContainerID"]
        facts = json.loads(podman("inspect", first))
        address = facts[0]["NetworkSettings"]["Networks"][NETWORK]["IPAddress"]
        yield f"http://{address}:8080"
    finally:
        clean()


def rendered() -> list[Document]:
    sets = [word for value in VALUES for word in ("--set", value)]
    done = subprocess.run(
        [str(HELM), "template", "hepar", str(ROOT / "deploy" / "helm" / "hepar"), *sets],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def pod_of(job: Document) -> Document:
    template = job["spec"]["template"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": job["metadata"]["name"], "labels": template["metadata"]["labels"]},
        "spec": template["spec"],
    }


def as_podman_plays_it(document: Document, folder: Path) -> None:
    """Podman 4.3 mounts the values of a Secret in base64: files take its place, owned as the kubelet makes them.

    It publishes every containerPort on the host, runs probes with curl, and knows no fsGroup, so that a volume in
    memory at /dev/shm would be root's: these are left out.
    """
    template = document["spec"].get("template", document)
    for volume in template["spec"]["volumes"]:
        if "secret" in volume:
            del volume["secret"]
            volume["hostPath"] = {"path": str(folder), "type": "Directory"}
    for container in template["spec"]["containers"]:
        for left_out in ("ports", "startupProbe", "livenessProbe", "readinessProbe"):
            container.pop(left_out, None)
        container["volumeMounts"] = [one for one in container["volumeMounts"] if one["mountPath"] != "/dev/shm"]  # noqa: S108


def secret_files(password: str) -> dict[str, bytes]:
    worker_secret = secrets.token_hex(32).encode()
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "hepar_auth_database_url": f"postgresql+asyncpg://hepar:{password}@postgres:5432/hepar".encode(),
        "hepar_gateway_database_url": f"postgresql+asyncpg://hepar:{password}@postgres:5432/hepar_gateway".encode(),
        "hepar_study_database_url": f"postgresql+asyncpg://hepar:{password}@postgres:5432/hepar_study".encode(),
        "hepar_study_keys": f"index {secrets.token_hex(32)}\nk1 {secrets.token_hex(32)}\n".encode(),
        "hepar_study_worker_secret": worker_secret,
        "hepar_auth_study_worker_secret": worker_secret,
        "hepar_auth_secret_key": os.urandom(32),
        "hepar_auth_signing_key": key,
    }


def test_the_deployments_of_the_chart_answer_together(kube: str) -> None:
    with httpx.Client(base_url=kube, headers={"host": "localhost"}, timeout=40, trust_env=False) as client:
        for _ in range(60):
            try:
                if client.get("/readyz").status_code == 200:
                    break
            except httpx.TransportError:
                pass
            time.sleep(1)
        ready = client.get("/readyz")
        assert ready.status_code == 200, ready.text
        email = f"{secrets.token_hex(4)}@example.org"
        assert client.post("/v1/users", json={"email": email, "password": PASSWORD}).status_code == 201
        form = {"grant_type": "password", "username": email, "password": PASSWORD}
        token = client.post("/v1/token", data=form).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}", "content-type": "application/octet-stream"}
        answer = client.post("/v1/analyses", content=SAMPLE, headers=headers)
        assert answer.status_code == 200, answer.text
        assert answer.json()["classification"]["label"] == "metastasis"
        assert answer.json()["classification"]["missing_models"] == []
