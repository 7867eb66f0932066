"""A test client with the operations of auth_service."""

from __future__ import annotations

from typing import Any

from httpx2 import Response
from starlette.testclient import TestClient

from auth_service.accounts import new_account
from auth_service.audit import Actor
from auth_service.dependencies import AuthDependencies
from hepar.contracts.accounts import SignUp
from hepar.contracts.roles import Role

EMAIL, PASSWORD = "ada@example.org", "a long enough password"


class AuthTestClient:
    """A test client of auth_service's app, in this process."""

    def __init__(self, client: TestClient) -> None:
        self.client = client

    @property
    def dependencies(self) -> AuthDependencies:
        dependencies: AuthDependencies = self.client.app.state.dependencies  # type: ignore[attr-defined]
        return dependencies

    def sign_up(self, email: str = EMAIL, password: str = PASSWORD, **more: str) -> Response:
        return self.client.post("/v1/users", json={"email": email, "password": password} | more)

    def sign_in(self, email: str = EMAIL, password: str = PASSWORD, **more: str) -> Response:
        return self.client.post("/v1/token", data={"username": email, "password": password} | more)

    def tokens(self, email: str = EMAIL, password: str = PASSWORD, **more: str) -> dict[str, Any]:
        answer = self.sign_in(email, password, **more)
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def bearer(self, email: str = EMAIL, password: str = PASSWORD, **more: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.tokens(email, password, **more)['access_token']}"}

    def refresh(self, refresh_token: str, **more: str) -> Response:
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token} | more
        return self.client.post("/v1/token", data=form)

    def person(self, role: Role = "researcher", email: str = EMAIL, status: str = "active") -> str:
        """Creates an account without HTTP; returns its id."""

        async def make() -> str:
            form = SignUp(email=email, password=PASSWORD)
            return (await new_account(self.dependencies, form, role, status, Actor(None))).id

        assert self.client.portal is not None
        return self.client.portal.call(make)

    def administrator(self, email: str = "root@example.org") -> dict[str, str]:
        self.person("administrator", email)
        return self.bearer(email)

    def me(self, bearer: dict[str, str]) -> Response:
        return self.client.get("/v1/users/me", headers=bearer)

    def audit(self) -> list[dict[str, Any]]:
        """Every audit entry, read without HTTP."""

        async def read() -> list[dict[str, Any]]:
            from auth_service.audit_queries import AuditFilter, audit_entries

            entries = await audit_entries(self.dependencies, 10_000, 0, AuditFilter())
            return [{"event": e.event, "actor": e.actor, "subject": e.subject} | e.details for e in entries]

        assert self.client.portal is not None
        return self.client.portal.call(read)

    def events(self) -> list[str]:
        return [str(entry["event"]) for entry in self.audit()]
