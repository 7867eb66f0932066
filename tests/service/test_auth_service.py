from __future__ import annotations

import asyncio
import sqlite3
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from auth_service.app import create_app
from auth_service.settings import AuthSettings
from auth_service.store import AccountStore
from auth_service.tokens import TokenIssuer, load_signing_key, public_key_of
from hepar.contracts.accounts import PublicKeys
from hepar.service.tokens import TokenRules, read_token, verification_keys

EMAIL, PASSWORD = "ada@example.org", "a long enough password"


def settings_in(folder: Path) -> AuthSettings:
    return AuthSettings(
        database_url=f"sqlite+aiosqlite:///{folder / 'deep' / 'accounts.sqlite3'}",
        signing_key_file=folder / "key.pem",
    )


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(create_app(settings_in(tmp_path)), base_url="http://127.0.0.1") as client:
        yield client


def sign_up(client: TestClient, email: str = EMAIL, password: str = PASSWORD) -> int:
    return client.post("/v1/users", json={"email": email, "password": password}).status_code


def token_for(client: TestClient, email: str = EMAIL, password: str = PASSWORD) -> str:
    answer = client.post("/v1/token", data={"username": email, "password": password})
    assert answer.status_code == 200, answer.text
    document = answer.json()
    assert document["token_type"] == "bearer"
    assert document["expires_in"] == 600
    return str(document["access_token"])


def me(client: TestClient, token: str) -> tuple[int, dict[str, str]]:
    answer = client.get("/v1/users/me", headers={"authorization": f"Bearer {token}"})
    return answer.status_code, answer.json()


def test_sign_up_sign_in_and_me(client: TestClient) -> None:
    assert sign_up(client) == 201
    status, account = me(client, token_for(client))
    assert status == 200
    assert account["email"] == EMAIL
    assert account["created_at"].endswith("Z")
    assert "password" not in account


def test_the_published_key_verifies_the_token(client: TestClient) -> None:
    sign_up(client)
    published = PublicKeys.model_validate(client.get("/.well-known/jwks.json").json())
    principal = read_token(token_for(client), verification_keys(published), TokenRules("hepar-auth", "hepar"))
    assert principal.scopes == {"analyses", "account"}


def test_an_address_is_taken_once_whatever_its_case(client: TestClient) -> None:
    assert sign_up(client) == 201
    assert sign_up(client, "ADA@example.org") == 409
    assert token_for(client, "Ada@Example.org")


def test_unknown_address_and_wrong_password_get_the_same_answer(client: TestClient) -> None:
    sign_up(client)
    answers = [
        client.post("/v1/token", data={"username": email, "password": "another long password"})
        for email in (EMAIL, "nobody@example.org")
    ]
    assert [answer.status_code for answer in answers] == [401, 401]
    documents = [answer.json() | {"request_id": ""} for answer in answers]
    assert documents[0] == documents[1]


def test_unknown_address_and_wrong_password_take_the_same_time(client: TestClient) -> None:
    sign_up(client)

    def seconds(email: str) -> float:
        started = time.perf_counter()
        client.post("/v1/token", data={"username": email, "password": "another long password"})
        return time.perf_counter() - started

    rounds = [(seconds(EMAIL), seconds("nobody@example.org")) for _ in range(9)]
    assert 0.5 < statistics.median(known / unknown for known, unknown in rounds) < 2


def test_passwords_that_look_the_same_are_the_same(client: TestClient) -> None:
    assert sign_up(client, password="un mot de passe tr\u00e8s long") == 201
    assert token_for(client, password="un mot de passe tre\u0300s long")


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"email": EMAIL},
        {"email": "no address", "password": PASSWORD},
        {"email": EMAIL, "password": "too short"},
        {"email": EMAIL, "password": "x" * 129},
        {"email": EMAIL, "password": PASSWORD, "role": "administrator"},
        {"email": "a" * 250 + "@example.org", "password": PASSWORD},
    ],
)
def test_a_form_that_is_wrong_is_refused_and_the_password_is_not_repeated(
    client: TestClient, form: dict[str, str]
) -> None:
    answer = client.post("/v1/users", json=form)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert form.get("password", "-" * 20) not in answer.text


def test_other_grants_are_refused(client: TestClient) -> None:
    form = {"username": EMAIL, "password": PASSWORD, "grant_type": "client_credentials"}
    assert client.post("/v1/token", data=form).status_code == 422


@pytest.mark.parametrize("header", [None, "Bearer", "Basic abc", "Bearer a.b.c", "Bearer " + "a" * 5000])
def test_without_a_good_token_there_is_no_me(client: TestClient, header: str | None) -> None:
    answer = client.get("/v1/users/me", headers={"authorization": header} if header else {})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


def test_two_authorization_headers_are_refused(client: TestClient) -> None:
    sign_up(client)
    token = token_for(client)
    headers = [("authorization", f"Bearer {token}"), ("authorization", f"Bearer {token}")]
    assert client.get("/v1/users/me", headers=headers).status_code == 401


def test_an_account_that_is_gone_has_no_me(client: TestClient, tmp_path: Path) -> None:
    pem = load_signing_key(tmp_path / "key.pem")
    stranger = TokenIssuer(pem, public_key_of(pem), "hepar-auth", "hepar", 600).issue("nobody")
    assert me(client, stranger)[0] == 401


def test_accounts_and_keys_survive_a_restart(tmp_path: Path) -> None:
    with TestClient(create_app(settings_in(tmp_path)), base_url="http://127.0.0.1") as client:
        sign_up(client)
        token = token_for(client)
    with TestClient(create_app(settings_in(tmp_path)), base_url="http://127.0.0.1") as client:
        assert me(client, token)[0] == 200
        assert token_for(client)


def test_the_password_is_stored_as_an_argon2id_hash_only(client: TestClient, tmp_path: Path) -> None:
    sign_up(client)
    with sqlite3.connect(tmp_path / "deep" / "accounts.sqlite3") as database:
        ((stored,),) = database.execute("SELECT password_hash FROM accounts").fetchall()
        (mode,) = database.execute("PRAGMA journal_mode").fetchone()
    database.close()
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert mode == "wal"
    written = b"".join(file.read_bytes() for file in (tmp_path / "deep").iterdir())
    assert PASSWORD.encode() not in written


def test_of_two_who_sign_up_at_once_with_one_address_one_wins(client: TestClient) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(lambda _: sign_up(client), range(4)))
    assert sorted(statuses) == [201, 409, 409, 409]


def test_readiness_asks_the_database(client: TestClient, tmp_path: Path) -> None:
    assert client.get("/readyz").json() == {"ready": True, "parts": {"database": True}}

    async def unreachable() -> bool:
        engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'no' / 'such' / 'folder.sqlite3'}")
        try:
            answers = await AccountStore(async_sessionmaker(engine)).answers()
            await asyncio.sleep(0.2)  # aiosqlite's thread reports its failed connection to this loop
            return answers
        finally:
            await engine.dispose()

    assert asyncio.run(unreachable()) is False
