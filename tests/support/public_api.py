"""The gateway in front of real services, with people and systems that call it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

import httpx2
from fastapi.testclient import TestClient

from auth_service.app import create_app as create_auth
from auth_service.settings import AuthSettings
from hepar.contracts.roles import Role
from tests.support.auth_client import PASSWORD, AuthTestClient
from tests.support.gateway_client import Surroundings

NOBODY = "0" * 32
_NO_UUID = "00000000-0000-0000-0000-000000000000"
_PLACES = {
    "study_id": _NO_UUID, "send_id": _NO_UUID, "index": "0", "name": "lesions.csv", "destination_name": "nowhere",
    "finding_id": "L1",
}  # fmt: skip


def filled(path: str) -> str:
    """A published path with well-formed ids that nothing has."""
    names = [part.partition("}")[0] for part in path.split("{")[1:]]
    return path.format_map({name: _PLACES.get(name, NOBODY) for name in names})


@dataclass(frozen=True)
class Person:
    """An account that is signed in."""

    id: str
    email: str
    headers: dict[str, str]
    refresh_token: str


class PublicApi:
    """Calls of the gateway by an administrator, and by others that it makes."""

    def __init__(self, client: TestClient, around: Surroundings) -> None:
        self.client = client
        self.study_settings = around.study_settings
        email = f"{uuid.uuid4().hex}@example.org"
        settings = AuthSettings(
            database_url=f"sqlite+aiosqlite:///{around.folder / 'a.sqlite3'}",
            keys_folder=around.folder / "keys",
            secret_key_file=around.folder / "secret.key",
        )
        with TestClient(create_auth(settings), base_url="http://127.0.0.1") as auth:
            identity = AuthTestClient(auth).person("administrator", email)
        self.administrator = self._signed_in(identity, email)

    def person(self, role: Role = "clinician") -> Person:
        email = f"{uuid.uuid4().hex}@example.org"
        made = self.client.post("/v1/users", json={"email": email, "password": PASSWORD})
        assert made.status_code == 201, made.text
        identity: str = made.json()["id"]
        self.call("PUT", f"/v1/users/{identity}/role", json={"role": role, "password": PASSWORD})
        return self._signed_in(identity, email)

    def registered_client(self) -> dict[str, Any]:
        made = self.call("POST", "/v1/clients", json={"name": "PACS", "scopes": ["analyses"], "password": PASSWORD})
        assert made.status_code == 201, made.text
        document: dict[str, Any] = made.json()
        return document

    def call(self, method: str, path: str, **request: Any) -> httpx2.Response:  # noqa: ANN401
        """By the administrator, or with the headers given."""
        request.setdefault("headers", self.administrator.headers)
        return self.client.request(method, path, **request)

    def token(self, **form: str) -> httpx2.Response:
        return self.client.post("/v1/token", data=form)

    def _signed_in(self, identity: str, email: str) -> Person:
        answer = self.token(username=email, password=PASSWORD)
        assert answer.status_code == 200, answer.text
        tokens = answer.json()
        return Person(identity, email, {"authorization": f"Bearer {tokens['access_token']}"}, tokens["refresh_token"])
