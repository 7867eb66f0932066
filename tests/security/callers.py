"""Clients of the stack at different network addresses."""

from __future__ import annotations

import itertools
import uuid
from dataclasses import dataclass, field

import httpx

from tests.support.auth_client import PASSWORD
from tests.support.stack import Stack

_HOSTS = itertools.count(2)


def address() -> str:
    """One that no other caller has: the whole network 127.0.0.0/8 leads to this machine."""
    number = next(_HOSTS)
    return f"127.{number >> 16}.{number >> 8 & 255}.{number & 255}"


@dataclass(frozen=True)
class Caller:
    """Somebody at one network address."""

    stack: Stack
    origin: str = field(default_factory=address)

    def request(self, method: str, path: str, **parts: object) -> httpx.Response:
        transport = httpx.HTTPTransport(local_address=self.origin)
        with httpx.Client(base_url=self.stack.settings.gateway_url, transport=transport, timeout=60) as client:
            return client.request(method, path, **parts)  # type: ignore[arg-type]

    def sign_up(self, password: str = PASSWORD) -> httpx.Response:
        form = {"email": f"{uuid.uuid4().hex}@example.org", "password": password}
        return self.request("POST", "/v1/users", json=form)

    def sign_in(self, email: str, password: str = PASSWORD, **more: str) -> httpx.Response:
        return self.request("POST", "/v1/token", data={"username": email, "password": password} | more)


def new_account(stack: Stack) -> str:
    """Its e-mail address."""
    created = Caller(stack).sign_up()
    assert created.status_code == 201, created.text
    email: str = created.json()["email"]
    return email
