"""Faults of auth_service: a missing database, a killed process, arbitrary input."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from starlette.testclient import TestClient

from auth_service.app import create_app
from auth_service.migrations import MIGRATIONS
from auth_service.settings import AuthSettings
from auth_service.tables import StoredAccount
from hepar.core.settings import load_settings
from hepar.storage.database import open_database
from hepar.web.request_body import MAX_SMALL_BODY_BYTES
from local_stack.settings import on_free_ports
from tests.support.auth_client import EMAIL, PASSWORD, AuthTestClient
from tests.support.postgresql import postgresql_server
from tests.support.processes import unmeasured

GONE_S = 10


def answers_503(auth: AuthTestClient) -> None:
    refused = auth.sign_in()
    assert refused.status_code == 503, refused.text
    assert refused.headers["retry-after"]
    assert refused.json()["type"].endswith("/unavailable")
    assert auth.client.get("/healthz").status_code == 200
    assert auth.client.get("/.well-known/jwks.json").status_code == 200


def test_a_locked_sqlite_database_gives_503_and_recovers(tmp_path: Path) -> None:
    file = tmp_path / "accounts.sqlite3"
    configured = AuthSettings(
        database_url=f"sqlite+aiosqlite:///{file}", keys_folder=tmp_path / "keys", secret_key_file=tmp_path / "s.key"
    )
    with TestClient(create_app(configured), base_url="http://127.0.0.1") as client:
        auth = AuthTestClient(client)
        auth.sign_up()
        bearer = auth.bearer()
        began = time.monotonic()
        blocker = sqlite3.connect(file, isolation_level=None)
        blocker.execute("BEGIN EXCLUSIVE")
        while time.monotonic() - began < GONE_S:
            answers_503(auth)
        blocker.execute("ROLLBACK")
        blocker.close()
        assert auth.tokens()
        assert auth.me(bearer).status_code == 200


def test_a_crashed_postgresql_gives_503_and_recovers(tmp_path: Path) -> None:
    with postgresql_server() as server:
        configured = AuthSettings(
            database_url=server.new_database(), keys_folder=tmp_path / "keys", secret_key_file=tmp_path / "s.key"
        )
        with TestClient(create_app(configured), base_url="http://127.0.0.1") as client:
            auth = AuthTestClient(client)
            auth.sign_up()
            bearer = auth.bearer()
            server.crash()
            began = time.monotonic()
            while time.monotonic() - began < GONE_S:
                answers_503(auth)
                assert auth.me(bearer).status_code == 503
                assert client.get("/readyz").status_code == 503
                time.sleep(0.2)
            server.start()
            assert auth.tokens()
            assert auth.me(bearer).status_code == 200
            assert client.get("/readyz").status_code == 200


@contextmanager
def served(configured: AuthSettings) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """auth_service as a separate process."""
    port = on_free_ports().auth_port
    variables = unmeasured(os.environ) | {
        "HEPAR_AUTH_DATABASE_URL": configured.database_url,
        "HEPAR_AUTH_KEYS_FOLDER": str(configured.keys_folder),
        "HEPAR_AUTH_SECRET_KEY_FILE": str(configured.secret_key_file),
        "HEPAR_AUTH_PORT": str(port),
        "HEPAR_AUTH_SIGNUP_BURST": "1000",
    }  # fmt: skip
    process = subprocess.Popen([sys.executable, "-m", "auth_service"], env=variables, stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                if httpx.get(f"{url}/readyz", timeout=60).status_code == 200:
                    break
            except httpx.HTTPError:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.1)
        yield process, url
    finally:
        process.kill()
        process.wait(10)


def test_a_kill_during_200_sign_ups_loses_no_acknowledged_account(auth_settings: AuthSettings) -> None:
    answered: list[str] = []
    enough = threading.Event()

    def sign_up(url: str, number: int) -> None:
        email = f"p{number}@example.org"
        try:
            answer = httpx.post(f"{url}/v1/users", json={"email": email, "password": PASSWORD}, timeout=30)
        except httpx.HTTPError:
            return
        if answer.status_code == 201:
            answered.append(email)
            if len(answered) >= 40:
                enough.set()

    with served(auth_settings) as (process, url), ThreadPoolExecutor(12) as pool:  # fewer than wait for the check
        for number in range(200):
            pool.submit(sign_up, url, number)
        assert enough.wait(60)
        process.send_signal(signal.SIGKILL)
        process.wait(10)

    async def stored() -> set[str]:
        async with (
            open_database(auth_settings.database_url, MIGRATIONS, "accounts") as database,
            database.reading() as session,
        ):
            return set((await session.scalars(select(StoredAccount.email))).all())

    kept = asyncio.run(stored())
    assert 40 <= len(answered) < 200
    assert set(answered) <= kept
    with TestClient(create_app(auth_settings), base_url="http://127.0.0.1") as client:
        auth = AuthTestClient(client)
        assert auth.tokens(answered[-1])
        assert client.portal is not None
        entries, _ = client.portal.call(auth.dependencies.audit.verify, auth.dependencies.database)
        assert entries == len(kept) + 1, "one entry an account, and the signing in"


ANY_TEXT = st.text(max_size=200)
QUICK = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def test_disconnecting_clients_do_not_block_others(auth_settings: AuthSettings) -> None:
    """A change completes although its client is gone: its open transaction would block all others."""
    with served(auth_settings) as (_, url):
        httpx.post(f"{url}/v1/users", json={"email": EMAIL, "password": PASSWORD}, timeout=60).raise_for_status()
        form = {"username": EMAIL, "password": PASSWORD}
        refresh = httpx.post(f"{url}/v1/token", data=form, timeout=60).raise_for_status().json()["refresh_token"]
        address = urlsplit(url)
        for step in range(60):
            path, body = ("/v1/token", urlencode(form)) if step % 2 else ("/v1/token/revoke", f"token={refresh}")
            request = (
                f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}"
            )
            with socket.create_connection((address.hostname or "", address.port or 0)) as impatient:
                impatient.sendall(request.encode())
                time.sleep(step % 30 / 1000)
            began = time.monotonic()
            answer = httpx.post(f"{url}/v1/token", data=form, timeout=30)
            assert answer.status_code == 200, f"{answer.text} after {step} ms and {time.monotonic() - began:.1f} s"


def is_refusal_or_success(answer: Any) -> None:  # noqa: ANN401  the test client's
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"


@QUICK
@given(name=ANY_TEXT, password=ANY_TEXT, email=st.one_of(ANY_TEXT, st.emails()))
def test_any_sign_up_input_is_accepted_or_refused(auth: AuthTestClient, name: str, password: str, email: str) -> None:
    is_refusal_or_success(auth.client.post("/v1/users", json={"name": name, "password": password, "email": email}))


@QUICK
@given(
    form=st.dictionaries(
        st.sampled_from(
            ["grant_type", "username", "password", "otp", "refresh_token", "client_id", "client_secret", "scope", "x"]
        ),
        ANY_TEXT,
    ),
    grant=st.sampled_from(["password", "refresh_token", "client_credentials", "other"]),
)
def test_any_sign_in_input_is_accepted_or_refused(auth: AuthTestClient, form: dict[str, str], grant: str) -> None:
    sent = {name: value.encode("utf-8", "replace").decode() for name, value in form.items()} | {"grant_type": grant}
    is_refusal_or_success(auth.client.post("/v1/token", data=sent))
    is_refusal_or_success(auth.client.post("/v1/token/revoke", data={"token": sent.get("username", "x")}))


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@QUICK
@given(document=JSON)
def test_json_is_refused_where_a_form_is_expected(auth: AuthTestClient, document: object) -> None:
    bearer = {"authorization": f"Bearer {_token(auth)}"}
    for method, path in (
        ("POST", "/v1/users"),
        ("PATCH", "/v1/users/me"),
        ("PUT", "/v1/users/me/password"),
        ("PUT", "/v1/users/me/second-factor"),
        ("DELETE", "/v1/users/me"),
        ("POST", "/v1/clients"),
        ("PUT", f"/v1/users/{'0' * 32}/role"),
    ):
        answer = auth.client.request(method, path, json=document, headers=bearer)
        assert answer.status_code == 422, (path, answer.text)


def _token(auth: AuthTestClient) -> str:
    """The cached token of one administrator: hypothesis uses one `auth` for all examples."""
    kept = getattr(auth, "kept", None)
    if kept is None:
        kept = auth.administrator()["authorization"].split()[1]
        auth.kept = kept  # type: ignore[attr-defined]
    return str(kept)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"x" * 10_000_000, 413),
        (b"x" * (MAX_SMALL_BODY_BYTES + 1), 413),
        (b"[" * 10_000, 422),
        (b'{"email":' * 7_000, 422),
        (b"\xff\xfe{", 422),
        (b"", 422),
        (b'{"email": "a@b.example", "email": "c@d.example", "password": "x"}', 422),
        (b'{"email": "\\ud800@b.example", "password": "\\ud800 a lone surrogate in it"}', 422),
        (b'{"email": "ada@example.org", "password": "\\ud800 a lone surrogate in it"}', 422),
    ],
    ids=[
        "10 MB",
        "one byte too many",
        "deep lists",
        "deep objects",
        "no UTF-8",
        "empty",
        "twice",
        "surrogate",
        "password",
    ],
)
def test_a_hostile_body_is_refused_clearly(auth: AuthTestClient, content: bytes, status: int) -> None:
    answer = auth.client.post("/v1/users", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert "lone surrogate" not in answer.text


def test_names_in_any_script_are_preserved(auth: AuthTestClient) -> None:
    auth.sign_up()
    bearer = auth.bearer()
    for name in ("Žofie Müller-Šťastná", "李小龍", "د. فاطمة", "Ἀριστοτέλης", "👩‍⚕️ Dr. O'Neill"):
        answer = auth.client.patch("/v1/users/me", json={"name": name}, headers=bearer)
        assert answer.json()["name"] == name
        assert auth.me(bearer).json()["name"] == name


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"HEPAR_AUTH_PROXIES": '["the gateway"]'}, "does not appear to be an IPv4 or IPv6 network"),
        ({"HEPAR_AUTH_PRODUCTION": "true", "HEPAR_AUTH_DOCS": "false"}, "production generates no secret"),
        (
            {"HEPAR_AUTH_PRODUCTION": "true", "HEPAR_AUTH_DOCS": "false", "HEPAR_AUTH_SECRET_KEY_FILE": __file__},
            "production keeps accounts in PostgreSQL",
        ),
    ],
)
def test_an_invalid_setting_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variables: dict[str, str], said: str
) -> None:
    monkeypatch.setenv("HEPAR_AUTH_SECRET_KEY_FILE", "/nowhere/secret.key")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        load_settings(AuthSettings)
    assert said in capsys.readouterr().err
