"""Hooks of `schemathesis run` (test_schemathesis.py): who calls, and the findings that are accepted with a reason."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import httpx
import schemathesis

GATEWAY_URL = os.environ["HEPAR_URL"]
AUTH_URL = f"http://127.0.0.1:{os.environ['HEPAR_AUTH_PORT']}"
PASSWORD = "a throwaway password"
TOKEN_USED_S = 300


@dataclass
class ThrowawayAdministrator:
    """Every call is made by an administrator of its own, who is replaced when a call has ended the account."""

    email: str = ""
    token: str = ""
    signed_in_at: float = 0
    ended: bool = True
    _addresses: itertools.count[int] = field(default_factory=itertools.count)

    def current_token(self) -> str:
        if self.ended or time.monotonic() - self.signed_in_at > TOKEN_USED_S:
            if not self._signs_in():
                self._is_created()
                assert self._signs_in()
            self.ended = False
        return self.token

    def check(self) -> None:
        """After a call that may have ended the session or the account."""
        answer = httpx.get(f"{GATEWAY_URL}/v1/users/me", headers={"authorization": f"Bearer {self.token}"}, timeout=40)
        self.ended = answer.status_code == 401

    def _is_created(self) -> None:
        self.email = f"{uuid.uuid4().hex}@example.org"
        subprocess.run(
            [sys.executable, "-m", "auth_service", "create-admin", self.email],
            env=os.environ | {"HEPAR_ADMIN_PASSWORD": PASSWORD},
            check=True,
            capture_output=True,
        )

    def _signs_in(self) -> bool:
        """Straight at auth_service, as the gateway for one address after the other, because attempts are limited."""
        form = {"username": self.email, "password": PASSWORD}
        number = next(self._addresses)
        headers = {"x-forwarded-for": f"192.0.{number // 250 % 250}.{number % 250}"}
        answer = httpx.post(f"{AUTH_URL}/v1/token", data=form, headers=headers, timeout=40)
        if answer.status_code != 200:
            return False
        self.token, self.signed_in_at = answer.json()["access_token"], time.monotonic()
        return True


ADMINISTRATOR = ThrowawayAdministrator()


@schemathesis.auth(refresh_interval=None)
class Bearer:
    def get(self, _case: Any, _context: Any) -> str:  # noqa: ANN401
        return ADMINISTRATOR.current_token()

    def set(self, case: Any, token: str, _context: Any) -> None:  # noqa: ANN401
        if any("oauth2" in scheme for scheme in case.operation.definition.raw["security"]):
            case.headers = {**(case.headers or {}), "Authorization": f"Bearer {token}"}


@schemathesis.hook
def after_call(_context: Any, case: Any, response: Any) -> None:  # noqa: ANN401
    if case.method != "GET" and response.status_code < 300:
        ADMINISTRATOR.check()


UNKNOWN_HEADER = "x-schemathesis-unknown-property"
ACCEPTED_PROBLEMS = {
    "unreadable-image": "whether bytes are a CT image cannot be written as a schema",
    "unreadable-study": "whether bytes are a CT study cannot be written as a schema",
    "unsafe-archive": "whether an archive is safe cannot be written as a schema",
    "unsupported-media": "whether bytes are an image at all cannot be written as a schema",
    "weak-password": "whether a password is easy to guess cannot be written as a schema",
    "idempotency-key-reused": "schemathesis sends different requests with one key",
    "url-too-long": "a refusal: invalid parameters make an address that is too long before they are read",
    "too-large": "a refusal: an invalid body is too large before it is read",
}
ACCEPTED_CODES = {
    "unknown_cursor": "whether a row with this id exists cannot be written as a schema",
    "unknown_model": "which models are served is a matter of the installation",
    "unknown_method": "which methods the models were fitted for is a matter of the installation",
    "not_fitted": "which methods the models were fitted for is a matter of the installation",
    "not_allowed": "which hosts webhooks may call is a matter of the installation",
    "invalid_window": "that two parameters need each other cannot be written as a schema",
    "empty": "generators of clients expect no length of a file in the schema",
    "value_error": "an e-mail address has more rules than the format `email`: no reserved names, letters of one script",
}


@schemathesis.hook
def filter_failure(_context: Any, _failure: Any, case: Any, response: Any) -> bool:  # noqa: ANN401
    """Drops accepted findings. Two more have no entry above: a header that nobody reads is allowed (RFC 9110, section
    5.1), and a caller that waits for a few milliseconds gets the 504 that it asked for.
    """
    headers = {name.lower() for name in case.headers or {}}
    if "problem+json" not in " ".join(response.headers.get("content-type", [])):
        return UNKNOWN_HEADER not in headers
    problem = response.json()
    slug = problem["type"].rsplit("/", 1)[-1]
    if slug == "deadline-exceeded":
        return "x-hepar-timeout-ms" not in headers
    codes = {error["code"] for error in problem.get("errors") or []}
    return slug not in ACCEPTED_PROBLEMS and not codes & set(ACCEPTED_CODES)
