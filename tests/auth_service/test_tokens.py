"""Refresh tokens, revocation, clients and keys, on SQLite and on PostgreSQL."""

from __future__ import annotations

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from auth_service.app import create_app
from auth_service.keys import BadSigningKey, KeyRing, SigningKey
from auth_service.settings import AuthSettings
from hepar.contracts.tokens import PublicKeys
from hepar.web.access_tokens import TokenRules, read_token, verification_keys
from tests.support.auth_client import PASSWORD, AuthTestClient

RULES = TokenRules("hepar-auth", "hepar")
CONFIRM = {"password": PASSWORD}


def test_a_refresh_token_gives_new_tokens_of_the_same_session(auth: AuthTestClient) -> None:
    auth.sign_up()
    first = auth.tokens(scope="account analyses")
    second = auth.refresh(first["refresh_token"], scope="account users models").json()
    assert second["scope"] == "account", "never more than the session was given"
    third = auth.refresh(second["refresh_token"]).json()
    assert third["scope"] == "account analyses"
    assert len({tokens["refresh_token"] for tokens in (first, second, third)}) == 3
    sessions = auth.client.get("/v1/users/me/sessions", headers={"authorization": f"Bearer {third['access_token']}"})
    assert len(sessions.json()["items"]) == 1


def test_reuse_of_a_refresh_token_ends_its_family(auth: AuthTestClient) -> None:
    auth.sign_up()
    first = auth.tokens()
    second = auth.refresh(first["refresh_token"]).json()
    third = auth.refresh(second["refresh_token"]).json()
    assert auth.refresh(first["refresh_token"]).json()["type"] == "/problems/invalid-grant"
    assert auth.refresh(third["refresh_token"]).json()["type"] == "/problems/invalid-grant"
    assert auth.me({"authorization": f"Bearer {third['access_token']}"}).status_code == 401
    assert auth.events().count("refresh_token_reused") == 1
    assert auth.tokens(), "signing in again works"


def test_two_parallel_refreshes_do_not_end_the_session(auth: AuthTestClient) -> None:
    auth.sign_up()
    tokens = auth.tokens()
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: auth.refresh(tokens["refresh_token"]), range(2)))
    assert [answer.status_code for answer in answers] == [200, 200]
    one, other = (answer.json() for answer in answers)
    assert one["refresh_token"] != other["refresh_token"]
    for each in (one, other):
        assert auth.me({"authorization": f"Bearer {each['access_token']}"}).status_code == 200
    following = auth.refresh(other["refresh_token"]).json()
    assert auth.refresh(following["refresh_token"]).status_code == 200, "the client goes on with the one that it kept"
    assert "refresh_token_reused" not in auth.events()


def test_only_one_successor_of_a_refresh_token_can_be_used(auth: AuthTestClient) -> None:
    """The owner and a thief who refreshed in the same seconds."""
    auth.sign_up()
    first = auth.tokens()
    owner, thief = (auth.refresh(first["refresh_token"]).json() for _ in range(2))
    following = auth.refresh(thief["refresh_token"]).json()
    assert auth.refresh(owner["refresh_token"]).status_code == 400
    assert auth.refresh(following["refresh_token"]).status_code == 400
    assert auth.events().count("refresh_token_reused") == 1


def test_a_replay_after_the_grace_period_ends_the_family(auth_settings: AuthSettings) -> None:
    settings = auth_settings.model_copy(update={"refresh_grace_s": 0})
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        auth = AuthTestClient(client)
        auth.sign_up()
        first = auth.tokens()
        second = auth.refresh(first["refresh_token"]).json()
        time.sleep(0.01)
        assert auth.refresh(first["refresh_token"]).status_code == 400
        assert auth.refresh(second["refresh_token"]).status_code == 400
        assert auth.events().count("refresh_token_reused") == 1


def test_fifty_parallel_refreshes_end_the_family_once(auth: AuthTestClient) -> None:
    auth.sign_up()
    tokens = auth.tokens()
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: auth.refresh(tokens["refresh_token"]), range(50)))
    winners = [answer.json() for answer in answers if answer.status_code == 200]
    assert 1 <= len(winners) <= 4
    assert auth.events().count("refresh_token_reused") == 1
    assert all(auth.refresh(winner["refresh_token"]).status_code == 400 for winner in winners)


@pytest.mark.parametrize("ends", ["session_s", "session_idle_s"])
def test_a_session_expires(auth_settings: AuthSettings, ends: str) -> None:
    settings = auth_settings.model_copy(update={ends: 0})
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        auth = AuthTestClient(client)
        auth.sign_up()
        tokens = auth.tokens()
        time.sleep(0.01)
        assert auth.refresh(tokens["refresh_token"]).status_code == 400


def revoke(auth: AuthTestClient, token: str) -> int:
    return auth.client.post("/v1/token/revoke", data={"token": token}).status_code


def test_revoked_tokens_are_refused(auth: AuthTestClient) -> None:
    auth.sign_up()
    first, second = auth.tokens(), auth.tokens()
    bearer = {"authorization": f"Bearer {first['access_token']}"}
    assert [revoke(auth, first["access_token"]) for _ in range(2)] == [200, 200]
    assert auth.me(bearer).status_code == 401
    renewed = auth.refresh(first["refresh_token"]).json()
    assert auth.me({"authorization": f"Bearer {renewed['access_token']}"}).status_code == 200, "the session goes on"
    assert [revoke(auth, second["refresh_token"]) for _ in range(2)] == [200, 200]
    assert auth.refresh(second["refresh_token"]).status_code == 400
    assert auth.me({"authorization": f"Bearer {second['access_token']}"}).status_code == 401
    assert revoke(auth, "nobody knows this") == 200
    assert [event for event in auth.events() if event in ("token_revoked", "signed_out")] == [
        "token_revoked",
        "signed_out",
    ]


def registered(auth: AuthTestClient, bearer: dict[str, str], **form: object) -> dict[str, Any]:
    answer = auth.client.post("/v1/clients", json={"name": "PACS", "password": PASSWORD} | form, headers=bearer)
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/v1/clients/{document['id']}"
    return document


def client_token(auth: AuthTestClient, client_id: str, secret: str, **more: str) -> Response:
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret} | more
    return auth.client.post("/v1/token", data=form)


def test_a_hospital_system_signs_in_with_client_credentials(auth: AuthTestClient) -> None:
    auth.person("integrator")
    client = registered(auth, auth.bearer(), scopes=["analyses", "models"])
    (stored,) = client["secrets"]
    tokens = client_token(auth, client["id"], stored["secret"], scope="analyses account").json()
    assert tokens["scope"] == "analyses"
    assert tokens["refresh_token"] is None
    keys = verification_keys(PublicKeys.model_validate(auth.client.get("/.well-known/jwks.json").json()))
    principal = read_token(tokens["access_token"], keys, RULES)
    assert (principal.subject, principal.session) == (client["id"], None)
    pair = base64.b64encode(f"{client['id']}:{stored['secret']}".encode()).decode()
    form = {"grant_type": "client_credentials"}
    basic = auth.client.post("/v1/token", data=form, headers={"authorization": f"Basic {pair}"})
    assert basic.status_code == 200
    for wrong in ("Basic !!!", "Basic " + base64.b64encode(b"no colon").decode()):
        answer = auth.client.post("/v1/token", data=form, headers={"authorization": wrong})
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    refused = client_token(auth, client["id"], "x" * 43)
    assert (refused.json()["error"], refused.headers["www-authenticate"]) == ("invalid_client", "Basic")
    assert client_token(auth, client["id"], "x" * 43).status_code == 401
    assert client_token(auth, "0" * 32, stored["secret"]).status_code == 401
    assert auth.me({"authorization": f"Bearer {tokens['access_token']}"}).status_code == 403, "it has no account"


def test_a_client_secret_is_shown_once_and_rotated_without_downtime(auth: AuthTestClient) -> None:
    administrator = auth.administrator()
    client = registered(auth, administrator)
    first = client["secrets"][0]
    (listed,) = auth.client.get("/v1/clients", headers=administrator).json()["items"]
    assert listed["secrets"][0]["secret"] is None
    path = f"/v1/clients/{client['id']}/secrets"
    added = auth.client.post(path, json=CONFIRM, headers=administrator)
    both = added.json()["secrets"]
    assert added.headers["location"] == f"{path}/{both[1]['id']}"
    assert [row["secret"] is None for row in both] == [True, False]
    assert both[0]["expires_at"] is not None
    assert both[1]["expires_at"] is None
    secrets = first["secret"], both[1]["secret"]
    assert [client_token(auth, client["id"], secret).status_code for secret in secrets] == [200, 200]
    gone = f"{path}/{first['id']}"
    assert auth.client.request("DELETE", gone, json=CONFIRM, headers=administrator).status_code == 204
    assert auth.client.request("DELETE", gone, json=CONFIRM, headers=administrator).status_code == 404
    assert [client_token(auth, client["id"], secret).status_code for secret in secrets] == [401, 200]
    for _ in range(4):
        assert auth.client.post(path, json=CONFIRM, headers=administrator).status_code == 201
    assert auth.client.post(path, json=CONFIRM, headers=administrator).status_code == 409


def test_an_older_secret_expires_after_the_overlap(auth_settings: AuthSettings) -> None:
    settings = auth_settings.model_copy(update={"secret_overlap_s": 0})
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as http:
        auth = AuthTestClient(http)
        administrator = auth.administrator()
        client = registered(auth, administrator)
        added = http.post(f"/v1/clients/{client['id']}/secrets", json=CONFIRM, headers=administrator)
        fresh = added.json()["secrets"][1]["secret"]
        assert client_token(auth, client["id"], client["secrets"][0]["secret"]).status_code == 401
        assert client_token(auth, client["id"], fresh).status_code == 200


def test_a_deactivated_client_is_refused(auth: AuthTestClient) -> None:
    administrator = auth.administrator()
    client = registered(auth, administrator)
    secret = client["secrets"][0]["secret"]
    path = f"/v1/clients/{client['id']}"
    assert auth.client.request("DELETE", path, json=CONFIRM, headers=administrator).status_code == 204
    assert auth.client.request("DELETE", path, json=CONFIRM, headers=administrator).status_code == 404
    assert auth.client.post(f"{path}/secrets", json=CONFIRM, headers=administrator).status_code == 404
    assert client_token(auth, client["id"], secret).status_code == 401
    assert auth.client.get("/v1/clients", headers=administrator).json()["items"][0]["active"] is False


def test_a_new_key_signs_at_once_and_its_predecessor_verifies_until_its_tokens_expire(auth: AuthTestClient) -> None:
    auth.sign_up()
    before = auth.bearer()
    old = auth.dependencies.issuer.keys.signing().public.kid
    fresh = auth.dependencies.issuer.keys.rotate().kid
    after = auth.bearer()
    published = [key["kid"] for key in auth.client.get("/.well-known/jwks.json").json()["keys"]]
    assert published == [fresh, old]
    assert [auth.me(bearer).status_code for bearer in (before, after)] == [200, 200]
    header = json.loads(base64.urlsafe_b64decode(after["authorization"].split()[1].split(".")[0] + "=="))
    assert header["kid"] == fresh
    assert len(list(auth.dependencies.settings.keys_folder.glob("*.pem"))) == 1, "the old private key is gone"
    later = time.time() + auth.dependencies.settings.access_token_s + 10
    assert [key.kid for key in auth.dependencies.issuer.keys.published(later)] == [fresh]


def test_a_service_notices_a_key_that_another_process_rotated(auth: AuthTestClient) -> None:
    elsewhere = KeyRing(auth.dependencies.settings.keys_folder, 600)
    fresh = elsewhere.rotate().kid
    assert auth.client.get("/.well-known/jwks.json").json()["keys"][0]["kid"] == fresh


def test_the_key_may_come_from_the_environment(auth_settings: AuthSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    key = SigningKey.fresh()
    monkeypatch.setenv("HEPAR_AUTH_SIGNING_KEY", key.pem)
    settings = AuthSettings(**auth_settings.model_dump(exclude={"signing_key"}))
    assert key.pem not in repr(settings)
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        assert client.get("/.well-known/jwks.json").json()["keys"][0]["kid"] == key.public.kid
        with pytest.raises(BadSigningKey, match="comes from HEPAR_AUTH_SIGNING_KEY"):
            AuthTestClient(client).dependencies.issuer.keys.rotate()
    assert not settings.keys_folder.exists()


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        (b"no key", 0o600, "is not a private key in PEM"),
        (None, 0o644, "can be read by others"),
        (b"rsa", 0o600, "is not an EC P-256 key"),
    ],
)
def test_a_key_that_others_can_read_stops_the_start(
    tmp_path: Path, content: bytes | None, mode: int, words: str
) -> None:
    KeyRing(tmp_path, 600)
    (file,) = tmp_path.glob("*.pem")
    if content == b"rsa":
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        private = rsa.generate_private_key(65537, 2048)
        form = serialization.PrivateFormat.PKCS8
        content = private.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    if content is not None:
        file.write_bytes(content)
    file.chmod(mode)
    with pytest.raises(BadSigningKey, match=words):
        KeyRing(tmp_path, 600)


def test_a_missing_key_in_the_folder_is_reported(tmp_path: Path) -> None:
    keys = KeyRing(tmp_path, 600)
    for file in tmp_path.glob("*.pem"):
        file.unlink()
    with pytest.raises(BadSigningKey, match="contains no key"):
        keys.signing()


def test_the_discovery_document_lists_the_endpoints(auth: AuthTestClient) -> None:
    document = auth.client.get("/.well-known/oauth-authorization-server").json()
    assert document["issuer"] == "hepar-auth"
    assert document["token_endpoint"] == "http://127.0.0.1:8080/v1/token"
    assert set(document["grant_types_supported"]) == {"password", "refresh_token", "client_credentials"}
    assert "users" in document["scopes_supported"]
    assert PASSWORD not in str(document)


def test_expired_rows_are_deleted(auth: AuthTestClient) -> None:
    from datetime import UTC, datetime, timedelta

    from sqlalchemy import func, select, update

    from auth_service.dependencies import delete_expired_rows
    from auth_service.tables import StoredRefreshToken, StoredRevocation, StoredSession

    auth.sign_up()
    kept, ended, revoked = auth.tokens(), auth.tokens(), auth.tokens()
    revoke(auth, ended["refresh_token"])
    revoke(auth, revoked["access_token"])
    long_ago = datetime.now(UTC) - timedelta(days=2)

    async def counts(age: bool) -> list[int]:
        if age:
            async with auth.dependencies.database.writing() as session:
                await session.execute(update(StoredRevocation).values(expires_at=long_ago))
                over = StoredSession.ended_at.is_not(None)
                await session.execute(update(StoredSession).where(over).values(ended_at=long_ago))
        await delete_expired_rows(auth.dependencies)
        async with auth.dependencies.database.reading() as session:
            tables = (StoredSession, StoredRefreshToken, StoredRevocation)
            return [(await session.scalars(select(func.count()).select_from(table))).one() for table in tables]

    assert auth.client.portal is not None
    assert auth.client.portal.call(counts, False) == [3, 3, 1], "too early"
    assert auth.client.portal.call(counts, True) == [2, 2, 0]
    assert auth.refresh(kept["refresh_token"]).status_code == 200
    assert auth.refresh(ended["refresh_token"]).status_code == 400
