"""The demo's client of the gateway: a new account, signed in."""

from __future__ import annotations

import secrets
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import httpx

from hepar.contracts.problems import Problem
from local_stack.settings import StackSettings

_EMAIL = "demo@example.org"
_TIMEOUT_S = 120.0


class DemoFailed(Exception):
    """The demo has no result to show; the message states the reason."""


@contextmanager
def signed_in_client(settings: StackSettings) -> Iterator[httpx.Client]:
    """Raises DemoFailed."""
    password = secrets.token_urlsafe(24)
    with httpx.Client(base_url=settings.gateway_url, timeout=_TIMEOUT_S, trust_env=False) as client:
        checked(client.post("/v1/users", json={"email": _EMAIL, "password": password}))
        print(f"Signed up as {_EMAIL}.")
        form = {"username": _EMAIL, "password": password}
        client.auth = _SignIn(client.build_request("POST", "/v1/token", data=form))
        checked(client.get("/v1/users/me"))
        print("Signed in.")
        yield client


class _SignIn(httpx.Auth):
    """Signs in before the first request, and again when the token has expired: some machines take long for a study."""

    requires_response_body = True

    def __init__(self, sign_in: httpx.Request) -> None:
        self._sign_in = sign_in
        self._token = ""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
            if (yield request).status_code != httpx.codes.UNAUTHORIZED:
                return
        self._token = checked((yield self._sign_in)).json()["access_token"]
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


def checked(response: httpx.Response) -> httpx.Response:
    """Raises DemoFailed for an error."""
    if response.is_error:
        problem = Problem.model_validate_json(response.content)
        raise DemoFailed(f"{problem.title}: {problem.detail}")
    return response
