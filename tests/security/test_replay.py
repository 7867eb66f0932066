"""Replays of idempotent requests: nobody gets a token, a secret or a result without present rights to it."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from typing import Any

import httpx

from tests.end_to_end.conftest import PASSWORD, Stack
from tests.support.gateway_client import DARK, PNG


def new_key() -> dict[str, str]:
    return {"idempotency-key": str(uuid.uuid4())}


def new_administrator(stack: Stack) -> str:
    email = f"{uuid.uuid4().hex}@example.org"
    accounts = {
        "HEPAR_AUTH_DATABASE_URL": f"sqlite+aiosqlite:///{stack.folder / 'accounts.sqlite3'}",
        "HEPAR_AUTH_KEYS_FOLDER": str(stack.folder / "keys"),
        "HEPAR_AUTH_SECRET_KEY_FILE": str(stack.folder / "secret.key"),
        "HEPAR_ADMIN_PASSWORD": PASSWORD,
    }
    create = [sys.executable, "-m", "auth_service", "create-admin", email]
    subprocess.run(create, env=os.environ | accounts, check=True, timeout=120)
    return email


def signed_in(client: httpx.Client, email: str) -> dict[str, str]:
    answer = client.post("/v1/token", data={"username": email, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return {"authorization": f"Bearer {answer.json()['access_token']}"}


def registered_client(client: httpx.Client, administrator: dict[str, str]) -> dict[str, Any]:
    answer = client.post("/v1/clients", json={"name": "PACS", "password": PASSWORD}, headers=administrator)
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


def test_a_token_is_not_returned_without_the_credentials_that_made_it(stack: Stack, client: httpx.Client) -> None:
    registered = registered_client(client, signed_in(client, new_administrator(stack)))
    credentials = (registered["id"], registered["secrets"][0]["secret"])
    key = new_key()
    form = {"grant_type": "client_credentials"}
    assert client.post("/v1/token", data=form, headers=key, auth=credentials).status_code == 200
    stolen = client.post("/v1/token", data=form, headers=key)
    assert stolen.status_code >= 400
    assert "access_token" not in stolen.text


def test_a_demoted_account_gets_no_secret_again(stack: Stack, client: httpx.Client) -> None:
    """The token is the same and still valid: only the role in the database has changed."""
    email = new_administrator(stack)
    demoted, administrator = signed_in(client, email), signed_in(client, new_administrator(stack))
    key = new_key()
    first = client.post("/v1/clients", json={"name": "PACS", "password": PASSWORD}, headers=demoted | key)
    assert first.json()["secrets"][0]["secret"]
    account = client.get("/v1/users/me", headers=demoted).json()["id"]
    change = client.put(
        f"/v1/users/{account}/role", json={"role": "clinician", "password": PASSWORD}, headers=administrator
    )
    assert change.status_code == 200, change.text
    again = client.post("/v1/clients", json={"name": "PACS", "password": PASSWORD}, headers=demoted | key)
    assert again.status_code == 403
    assert first.json()["secrets"][0]["secret"] not in again.text


def test_a_result_is_returned_to_its_owner_only(stack: Stack, client: httpx.Client) -> None:
    owner, other = (signed_in(client, new_administrator(stack)) for _ in range(2))
    key = PNG | new_key()
    first = client.post("/v1/classifications", content=DARK, headers=owner | key)
    assert first.status_code == 200, first.text
    assert client.post("/v1/classifications", content=DARK, headers=key).status_code == 401
    foreign = client.post("/v1/classifications", content=DARK, headers=other | key)
    assert (foreign.status_code, foreign.headers.get("idempotency-replayed")) == (200, None)
    assert foreign.json()["request_id"] != first.json()["request_id"]
    again = client.post("/v1/classifications", content=DARK, headers=owner | key)
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"


def test_many_anonymous_requests_with_keys_displace_nothing(stack: Stack, client: httpx.Client) -> None:
    owner = signed_in(client, new_administrator(stack))
    key = PNG | new_key()
    first = client.post("/v1/classifications", content=DARK, headers=owner | key)
    stored_before = (stack.folder / "gateway.sqlite3").stat().st_size
    for _ in range(200):
        form = {"username": "nobody@example.org", "password": "x" * 2000}
        assert client.post("/v1/token", data=form, headers=new_key()).status_code >= 400
    assert (stack.folder / "gateway.sqlite3").stat().st_size - stored_before < 200_000
    again = client.post("/v1/classifications", content=DARK, headers=owner | key)
    assert again.content == first.content
