"""The production stack, from outside through TLS and from inside each container; tests run in this order."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.containers.load import PASSWORD, RAW, SAMPLE, Load, killed_in_turn
from tests.containers.stack import (
    CORE,
    ROOT,
    SECRETS,
    URL,
    Containers,
    container,
    inspected,
    podman,
    trusting_our_certificate,
)

ADMINISTRATOR = "root@example.org"
DOORS = {
    "gateway": ("gateway", 8080), "auth": ("auth", 8101), "classify": ("classify", 8102), "detect": ("detect", 8103),
    "study": ("study", 8104), "triton": ("triton", 8001), "postgres": ("postgres", 5432), "outside": ("1.1.1.1", 443),
}  # fmt: skip
MAY_REACH = {
    "edge": {"gateway", "outside"},  # a port is published by a network that leads out
    "gateway": {"gateway", "auth", "classify", "detect", "study", "postgres"},
    "auth": {"auth", "postgres", "gateway", "classify", "detect", "study"},
    "classify": {"classify", "triton", "gateway", "auth", "detect", "study"},
    "detect": {"detect", "triton", "gateway", "auth", "classify", "study"},
    "study": {"study", "gateway", "auth", "classify", "detect", "postgres"},
    "study-worker": {"study", "gateway", "auth", "classify", "detect", "postgres"},
    "triton": {"triton", "classify", "detect"},
    "postgres": {"postgres", "auth", "gateway", "study"},
}
TRITON = ("172.30.252.250", "172.30.253.250")
"""Where it listens for inference, and for metrics."""
_KNOCK = """
import json, socket, sys
open_ = []
for name, (host, port) in json.loads({doors!r}).items():
    try:
        socket.create_connection((host, port), 1.5).close()
        open_.append(name)
    except OSError:
        pass
print(json.dumps(open_))
"""


@pytest.fixture(scope="module")
def client(containers: Containers) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=URL, verify=trusting_our_certificate(), timeout=40, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def administrator(containers: Containers, client: httpx.Client) -> dict[str, str]:
    """Its Authorization header. Made as docs/operations says."""
    command = ["python", "-m", "auth_service", "create-admin", ADMINISTRATOR]
    podman("exec", "-e", f"HEPAR_ADMIN_PASSWORD={PASSWORD}", container("auth"), *command)
    return bearer(client, ADMINISTRATOR)


def bearer(client: httpx.Client, email: str) -> dict[str, str]:
    form = {"grant_type": "password", "username": email, "password": PASSWORD}
    answer = client.post("/v1/token", data=form)
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def test_only_the_edge_publishes_a_port_and_only_on_loopback(containers: Containers) -> None:
    bound = {
        (name, port, one["HostIp"])
        for name in CORE
        for port, hosts in (inspected(name)["HostConfig"]["PortBindings"] or {}).items()
        for one in hosts or []
    }
    assert bound == {("edge", "8443/tcp", "127.0.0.1")}


def test_a_new_user_is_approved_and_gets_a_result_through_tls(
    containers: Containers, client: httpx.Client, administrator: dict[str, str]
) -> None:
    email = f"{secrets.token_hex(4)}@example.org"
    account = client.post("/v1/users", json={"email": email, "password": PASSWORD}).json()
    assert account["status"] == "pending"
    assert client.post(f"/v1/users/{account['id']}/approve", headers=administrator).status_code == 200
    answer = client.post("/v1/analyses", content=SAMPLE, headers=bearer(client, email) | RAW)
    assert answer.status_code == 200, answer.text
    document = answer.json()
    assert document["classification"]["label"] == "metastasis"
    assert document["classification"]["missing_models"] == []
    assert document["detection"]["boxes"]
    assert answer.headers["strict-transport-security"].startswith("max-age=")
    page = client.get("/", headers={"accept": "text/html"})
    assert "<div id=" in page.text
    assert client.get("/docs").status_code == 404
    assert client.get("/metrics").status_code == 404


def test_the_client_address_is_the_one_seen_by_the_edge(
    containers: Containers, client: httpx.Client, administrator: dict[str, str]
) -> None:
    """A header that the caller makes up changes nothing."""
    bearer(client, ADMINISTRATOR)
    form = {"grant_type": "password", "username": ADMINISTRATOR, "password": PASSWORD}
    client.post("/v1/token", data=form, headers={"x-forwarded-for": "6.6.6.6"})
    signed_in = client.get("/v1/users/me/sign-ins", headers=administrator).json()
    origins = {entry["origin"] for entry in signed_in.get("entries", signed_in.get("items", []))}
    assert origins, signed_in
    assert "6.6.6.6" not in origins
    assert not any(origin.startswith("172.30.25") for origin in origins if origin), origins


def test_errors_of_the_edge_are_problem_documents(containers: Containers, client: httpx.Client) -> None:
    answer = client.post("/v1/analyses", content=b"x" * (67 * 1024 * 1024), headers=RAW)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "/problems/too-large"


def test_old_tls_is_refused(containers: Containers) -> None:
    offered = {
        version: subprocess.run(
            ["openssl", "s_client", "-connect", "localhost:8443", "-cipher", "ALL:@SECLEVEL=0", version],
            input=b"",
            capture_output=True,
            timeout=20,
            check=False,
        ).returncode
        for version in ("-tls1_1", "-tls1_2")
    }
    assert offered["-tls1_2"] == 0
    assert offered["-tls1_1"] != 0


@pytest.mark.parametrize("service", MAY_REACH)
def test_a_container_reaches_only_what_it_needs(containers: Containers, service: str) -> None:
    """Triton only from the two services, PostgreSQL only from auth and the gateway; only the edge has a way out."""
    code = _KNOCK.format(doors=json.dumps(DOORS))
    reached = set(json.loads(containers.inside(service, code)))
    assert reached - {service} == MAY_REACH[service] - {service}, "its own name may stand for its other address"


@pytest.mark.parametrize("service", CORE)
def test_a_container_has_minimal_privileges(containers: Containers, service: str) -> None:
    facts = inspected(service)
    assert facts["HostConfig"]["ReadonlyRootfs"]
    assert "no-new-privileges" in str(facts["HostConfig"]["SecurityOpt"])
    assert facts["EffectiveCaps"] in (None, [])
    assert facts["HostConfig"]["Memory"] > 0
    assert facts["HostConfig"]["PidsLimit"] > 0
    words = [
        SECRETS.joinpath(name).read_text()
        for name in ("postgres_password", "gateway_database_password", "study_database_password")
    ]
    assert not any(word.strip() in str(facts["Config"]["Env"]) for word in words)
    if service not in ("migrate", "databases"):
        wrote = containers.inside(
            service,
            "import os\nprint(os.getuid())\n"
            "try: open('/app.txt', 'w'); print('wrote')\nexcept OSError as error: print(type(error).__name__)",
        ).split()
        assert wrote[0] != "0"
        assert wrote[1] in ("OSError", "PermissionError")


def test_prometheus_scrapes_every_service_and_triton(containers: Containers, administrator: dict[str, str]) -> None:
    containers.compose("--profile", "observability", "up", "-d", "--no-build", "--no-deps", "prometheus")
    up: dict[str, str] = {}
    with httpx.Client(base_url="http://127.0.0.1:9090", timeout=10, trust_env=False) as prometheus:
        for _ in range(60):
            try:
                targets = prometheus.get("/api/v1/targets").json()["data"]["activeTargets"]
                up = {target["labels"]["service"]: target["health"] for target in targets}
            except (httpx.TransportError, ValueError):  # it is starting
                up = {}
            if up and set(up.values()) == {"up"}:
                break
            time.sleep(1)
        assert up == dict.fromkeys(["gateway", "auth", "classify", "detect", "triton"], "up"), containers.logs(
            "prometheus"
        )
        for query in (
            "hepar_votes_total",
            "nv_inference_request_success",
            'hepar_account_events_total{event="signed_in"}',
        ):
            found = prometheus.get("/api/v1/query", params={"query": query}).json()["data"]["result"]
            assert any(float(one["value"][1]) > 0 for one in found), query
        rules = prometheus.get("/api/v1/rules").json()["data"]["groups"][0]["rules"]
        assert {rule["health"] for rule in rules} <= {"ok", "unknown"}


@pytest.mark.parametrize(("service", "reached"), [("classify", {8001}), ("triton", {8001, 8002}), ("gateway", set())])
def test_triton_can_be_reached_for_inference_from_the_model_services_only(
    containers: Containers, service: str, reached: set[int]
) -> None:
    """By its addresses, whatever names a container can resolve; HTTP is off."""
    doors = {f"{address} {port}": (address, port) for address in TRITON for port in (8000, 8001, 8002)}
    answered = set(json.loads(containers.inside(service, _KNOCK.format(doors=json.dumps(doors)))))
    assert {int(door.split()[1]) for door in answered} == reached
    assert answered <= {f"{TRITON[0]} 8001", f"{TRITON[1]} 8002"}


def test_killing_any_container_under_load_loses_no_accepted_request(
    containers: Containers, client: httpx.Client, administrator: dict[str, str]
) -> None:
    load = Load(bearer(client, ADMINISTRATOR))
    services = [name for name in CORE if name not in ("migrate", "databases")]
    asyncio.run(killed_in_turn(containers, load, services))
    sys.stdout.write(f"answered {load.answered}, statuses {dict(load.statuses)}, signed up {len(load.signed_up)}\n")
    assert load.lost == []
    assert load.signed_up
    known = set()
    page = client.get("/v1/users", params={"limit": 100}, headers=bearer(client, ADMINISTRATOR)).json()
    while True:
        known |= {account["email"] for account in page["items"]}
        if not page.get("next"):
            break
        page = client.get("/v1/users", params={"limit": 100, "after": page["next"]}, headers=administrator).json()
    assert set(load.signed_up) <= known


def test_a_backup_restores_accounts_and_keys_after_total_loss(
    containers: Containers, client: httpx.Client, administrator: dict[str, str], tmp_path: Path
) -> None:
    bearer(client, ADMINISTRATOR)
    keys = client.get("/.well-known/jwks.json").json()
    environment = containers.environment | {"COMPOSE": "podman-compose"}
    shell(["deploy/backup", str(tmp_path / "backup")], environment)
    containers.down()
    containers.up()
    form = {"grant_type": "password", "username": ADMINISTRATOR, "password": PASSWORD}
    assert client.post("/v1/token", data=form).status_code != 200
    shell(["deploy/restore", str(tmp_path / "backup")], environment)
    wait_until_ready(client)
    assert client.get("/.well-known/jwks.json").json() == keys
    answer = client.post("/v1/analyses", content=SAMPLE, headers=bearer(client, ADMINISTRATOR) | RAW)
    assert answer.status_code == 200, answer.text
    assert client.get("/v1/users/me", headers=administrator).status_code == 200, "a token of before still counts"


def test_an_upgrade_migrates_and_keeps_the_accounts(containers: Containers, client: httpx.Client) -> None:
    """Back to the first version of the database, and up again as `docker compose up` does it: migrate, then auth."""
    containers.compose("stop", "auth")
    containers.compose("run", "--rm", "--no-deps", "-T", "migrate", "python", "-m", "auth_service", "migrate", "0001")
    containers.compose("up", "-d", "--no-build", "--no-deps", "--force-recreate", "migrate")
    containers.wait_until_done("migrate")
    containers.compose("start", "auth")
    wait_until_ready(client)
    me = client.get("/v1/users/me", headers=bearer(client, ADMINISTRATOR)).json()
    assert me["email"] == ADMINISTRATOR


def wait_until_ready(client: httpx.Client) -> None:
    for _ in range(60):
        if client.get("/readyz").status_code == 200:
            return
        time.sleep(1)
    raise AssertionError(client.get("/readyz").text)


def shell(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
