"""auth_service: sign-up and sign-in, on SQLite and PostgreSQL."""

from __future__ import annotations

import sqlite3
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from auth_service.app import create_app
from auth_service.settings import AuthSettings
from hepar.contracts.tokens import PublicKeys
from hepar.web.access_tokens import TokenRules, read_token, verification_keys
from tests.support.auth_client import EMAIL, PASSWORD, AuthTestClient


def changed(settings: AuthSettings, **changes: object) -> AuthSettings:
    return settings.model_copy(update=changes)


def test_sign_up_sign_in_and_me(auth: AuthTestClient) -> None:
    assert auth.sign_up(name="Ada").status_code == 201
    answer = auth.me(auth.bearer())
    assert answer.status_code == 200
    account = answer.json()
    assert (account["email"], account["name"], account["role"]) == (EMAIL, "Ada", "researcher")
    assert (account["status"], account["second_factor"]) == ("active", False)
    assert account["created_at"].endswith("Z")
    assert "password" not in str(account)


def test_the_published_key_verifies_the_token(auth: AuthTestClient) -> None:
    auth.sign_up()
    published = PublicKeys.model_validate(auth.client.get("/.well-known/jwks.json").json())
    tokens = auth.tokens()
    assert tokens["token_type"] == "bearer"
    assert tokens["expires_in"] == 600
    rules = TokenRules("hepar-auth", "hepar")
    principal = read_token(tokens["access_token"], verification_keys(published), rules)
    assert principal.scopes == {"analyses", "models", "account", "studies"} == set(tokens["scope"].split())
    assert principal.session


def test_a_token_can_be_limited_to_fewer_scopes_but_not_extended(auth: AuthTestClient) -> None:
    auth.sign_up()
    assert auth.tokens(scope="analyses users")["scope"] == "analyses"
    assert auth.tokens(scope="users")["scope"] == ""
    assert auth.me(auth.bearer(scope="analyses")).status_code == 403


def test_an_address_is_unique_regardless_of_case(auth: AuthTestClient) -> None:
    created = auth.sign_up()
    assert (created.status_code, created.headers["location"]) == (201, f"/v1/users/{created.json()['id']}")
    assert auth.sign_up("ADA@example.org").status_code == 409
    assert auth.tokens("Ada@Example.org")


@pytest.mark.parametrize(
    "email",
    [
        "\u0430da@example.org",  # the first letter is Cyrillic
        "ad\u03b1@example.org",  # the last one is Greek
        "ada@ex\u0430mple.org",
        "\uff41da@example.org",  # full width
        "ada\u200d@example.org",  # invisible
    ],
)
def test_an_address_that_looks_like_another_one_is_refused(auth: AuthTestClient, email: str) -> None:
    assert auth.sign_up().status_code == 201
    refused = auth.sign_up(email)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/email"


@pytest.mark.parametrize(
    "email", ["\u0438\u0432\u0430\u043d@example.org", "m\u00fcller@b\u00fccher.example.org", "\u5c71\u306e@example.org"]
)
def test_an_address_in_one_script_is_accepted(auth: AuthTestClient, email: str) -> None:
    assert auth.sign_up(email).status_code == 201
    assert auth.tokens(email)


def test_unknown_address_and_wrong_password_get_the_same_response(auth: AuthTestClient) -> None:
    auth.sign_up()
    answers = [auth.sign_in(email, "another long password") for email in (EMAIL, "nobody@example.org")]
    assert [answer.status_code for answer in answers] == [400, 400]
    documents = [answer.json() | {"request_id": ""} for answer in answers]
    assert documents[0] == documents[1]


def test_unknown_address_and_wrong_password_take_the_same_time(auth: AuthTestClient) -> None:
    for number in range(9):
        auth.person(email=f"p{number}@example.org")

    def seconds(email: str) -> float:
        started = time.perf_counter()
        assert auth.sign_in(email, "another long password").status_code == 400
        return time.perf_counter() - started

    rounds = [(seconds(f"p{number}@example.org"), seconds(f"nobody{number}@example.org")) for number in range(9)]
    assert 0.5 < statistics.median(known / unknown for known, unknown in rounds) < 2


def test_passwords_are_compared_in_normalised_unicode(auth: AuthTestClient) -> None:
    assert auth.sign_up(password="un mot de passe tr\u00e8s long").status_code == 201
    assert auth.tokens(password="un mot de passe tre\u0300s long")


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("fourteen chars", "at least 15 characters"),
        ("passwordpassword", "Repeats"),
        ("qwertyuiopasdfghjkl", "commonly used"),
        ("aaaaaaaaaaaaaaaaaaaa", "Repeats"),
        ("my name is ada@example.org", "the account's name or address"),
        ("i am Lovelace the first", "the account's name or address"),
    ],
)
def test_weak_passwords_are_refused_with_the_reason(auth: AuthTestClient, password: str, words: str) -> None:
    answer = auth.sign_up(password=password, name="Ada Lovelace")
    assert answer.status_code == 422
    assert answer.json()["type"].endswith("/weak-password")
    (error,) = answer.json()["errors"]
    assert (error["location"], error["pointer"]) == ("body", "/password")
    assert error["code"] in ("too_short", "contains_own_words", "too_common")
    assert words in answer.json()["detail"]
    assert password not in answer.text


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"email": EMAIL},
        {"email": "no address", "password": PASSWORD},
        {"email": EMAIL, "password": "too short"},
        {"email": EMAIL, "password": "x" * 129},
        {"email": EMAIL, "password": PASSWORD, "role": "administrator"},
        {"email": EMAIL, "password": PASSWORD, "name": "a\x00b"},
        {"email": EMAIL, "password": PASSWORD, "name": "n" * 121},
        {"email": "a" * 250 + "@example.org", "password": PASSWORD},
    ],
)
def test_an_invalid_form_is_refused_without_echoing_the_password(auth: AuthTestClient, form: dict[str, str]) -> None:
    answer = auth.client.post("/v1/users", json=form)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"]
    assert form.get("password", "-" * 20) not in answer.text


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"grant_type": "implicit"}, 400, "unsupported_grant_type"),
        ({"grant_type": "password", "username": EMAIL}, 400, "invalid_request"),
        ({"grant_type": "refresh_token"}, 400, "invalid_request"),
        ({"grant_type": "client_credentials"}, 400, "invalid_request"),
        ({"username": EMAIL, "password": "x" * 1025}, 400, "invalid_request"),
        ({"username": EMAIL, "password": "x" * 1024}, 400, "invalid_grant"),
        ({"username": "a\x00b", "password": "a wrong but long password"}, 400, "invalid_grant"),
        ({"grant_type": "client_credentials", "client_id": "a\x00b", "client_secret": "x"}, 401, "invalid_client"),
        ({"grant_type": "refresh_token", "refresh_token": "\x00"}, 400, "invalid_grant"),
    ],
)
def test_an_impossible_token_request_is_refused_as_rfc_6749_says(
    auth: AuthTestClient, form: dict[str, str], status: int, error: str
) -> None:
    auth.sign_up()
    answer = auth.client.post("/v1/token", data=form)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_body_that_is_no_form_is_an_invalid_token_request(auth: AuthTestClient) -> None:
    broken = {"content-type": "multipart/form-data; boundary=x"}
    for path in ("/v1/token", "/v1/token/revoke"):
        for content, headers in ((b"--x\r\nbroken", broken), (b"{}", {"content-type": "application/json"})):
            answer = auth.client.post(path, content=content, headers=headers)
            assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request"), answer.text


def test_accounts_and_keys_survive_a_restart(auth_settings: AuthSettings) -> None:
    with TestClient(create_app(auth_settings), base_url="http://127.0.0.1") as client:
        auth = AuthTestClient(client)
        auth.sign_up()
        bearer = auth.bearer()
    with TestClient(create_app(auth_settings), base_url="http://127.0.0.1") as client:
        auth = AuthTestClient(client)
        assert auth.me(bearer).status_code == 200
        assert auth.tokens()


def test_the_password_is_stored_as_an_argon2id_hash_only(tmp_path: Path) -> None:
    settings = AuthSettings(
        database_url=f"sqlite+aiosqlite:///{tmp_path / 'deep' / 'accounts.sqlite3'}",
        keys_folder=tmp_path / "keys",
        secret_key_file=tmp_path / "secret.key",
    )
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        AuthTestClient(client).sign_up()
        refresh_token = AuthTestClient(client).tokens()["refresh_token"]
        with sqlite3.connect(tmp_path / "deep" / "accounts.sqlite3") as database:
            ((stored,),) = database.execute("SELECT password_hash FROM accounts").fetchall()
            (mode,) = database.execute("PRAGMA journal_mode").fetchone()
        database.close()
        written = b"".join(file.read_bytes() for file in (tmp_path / "deep").iterdir())
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert mode == "wal"
    assert PASSWORD.encode() not in written
    assert refresh_token.encode() not in written


def test_a_hash_with_outdated_parameters_is_replaced_at_the_next_sign_in(auth: AuthTestClient) -> None:
    from passlib.hash import argon2
    from sqlalchemy import select, update

    from auth_service.tables import StoredAccount

    auth.sign_up()
    weak = argon2.using(type="ID", memory_cost=8 * 1024, time_cost=1, parallelism=1).hash(PASSWORD)  # type: ignore[no-untyped-call]

    async def weaken() -> None:
        async with auth.dependencies.database.writing() as session:
            await session.execute(update(StoredAccount).values(password_hash=weak))

    async def stored() -> str:
        async with auth.dependencies.database.reading() as session:
            return str((await session.scalars(select(StoredAccount.password_hash))).one())

    assert auth.client.portal is not None
    auth.client.portal.call(weaken)
    auth.tokens()
    assert auth.client.portal.call(stored).startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert auth.tokens()


def test_one_of_fifty_parallel_sign_ups_with_one_address_succeeds(auth: AuthTestClient) -> None:
    with ThreadPoolExecutor(50) as pool:
        statuses = list(pool.map(lambda _: auth.sign_up().status_code, range(50)))
    assert statuses.count(201) == 1
    assert set(statuses) <= {201, 409, 503}, "503: more new passwords at once than are checked"
    assert auth.events() == ["signed_up"]


def test_an_account_waits_for_approval_where_the_setting_requires_it(auth_settings: AuthSettings) -> None:
    with TestClient(create_app(changed(auth_settings, signup="approval")), base_url="http://127.0.0.1") as client:
        auth = AuthTestClient(client)
        administrator = auth.administrator()
        account = auth.sign_up().json()
        assert account["status"] == "pending"
        refused = auth.sign_in()
        assert refused.status_code == 400
        assert "pending" in refused.json()["detail"]
        assert auth.sign_in(password="a wrong but long password").status_code == 400, "no hint without the password"
        waiting = client.get("/v1/users", params={"status": "pending"}, headers=administrator).json()
        assert [item["id"] for item in waiting["items"]] == [account["id"]]
        approve = f"/v1/users/{account['id']}/approve"
        assert client.post(approve, headers=administrator).json()["status"] == "active"
        assert client.post(approve, headers=administrator).status_code == 409
        assert auth.tokens()


def test_sign_up_can_be_closed(auth_settings: AuthSettings) -> None:
    with TestClient(create_app(changed(auth_settings, signup="closed")), base_url="http://127.0.0.1") as client:
        answer = AuthTestClient(client).sign_up()
        assert answer.status_code == 403
        assert answer.json()["type"].endswith("/sign-up-closed")


def test_readiness_checks_the_database(auth: AuthTestClient) -> None:
    assert auth.client.get("/readyz").json() == {"ready": True, "parts": {"database": True}}
