"""Accounts under attack: approval that is skipped, look-alikes, common passwords, and what the audit log tells."""

from __future__ import annotations

import uuid
from pathlib import Path

import httpx
import pytest
from pyotp.totp import TOTP

from tests.security.callers import Caller, new_account
from tests.support.auth_client import PASSWORD
from tests.support.stack import Stack, tiny_stack


def bearer(stack: Stack, email: str) -> dict[str, str]:
    answer = Caller(stack).sign_in(email)
    assert answer.status_code == 200, answer.text
    return {"authorization": f"Bearer {answer.json()['access_token']}"}


def sign_up(stack: Stack, email: str, password: str = PASSWORD) -> httpx.Response:
    return Caller(stack).request("POST", "/v1/users", json={"email": email, "password": password})


def test_deactivating_and_reactivating_does_not_skip_the_approval(tmp_path: Path) -> None:
    email = f"{uuid.uuid4().hex}@example.org"
    with tiny_stack(tmp_path, HEPAR_AUTH_SIGNUP="approval") as stack:
        account = sign_up(stack, email).json()
        administrator = bearer(stack, stack.create_administrator())
        changes = [
            Caller(stack).request("POST", f"/v1/users/{account['id']}/{action}", headers=administrator)
            for action in ("deactivate", "reactivate")
        ]
        assert [change.json()["status"] for change in changes] == ["deactivated", "pending"]
        assert Caller(stack).sign_in(email).json()["type"] == "/problems/account-not-active"


def test_an_address_that_looks_like_another_one_is_refused(stack: Stack) -> None:
    email = new_account(stack).replace("example", "a-example")
    refused = sign_up(stack, email.replace("a-", "\u0430-"))  # Cyrillic
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/email")
    assert sign_up(stack, email).status_code == 201


@pytest.mark.parametrize("password", ["correct horse battery staple", "All that glitters is not gold!", "Passw0rd" * 3])
def test_a_common_password_or_passphrase_is_refused(stack: Stack, password: str) -> None:
    refused = sign_up(stack, f"{uuid.uuid4().hex}@example.org", password)
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/weak-password")


def test_a_right_password_without_a_code_leaves_a_row_in_the_audit_log(stack: Stack) -> None:
    email = new_account(stack)
    owner, path = bearer(stack, email), "/v1/users/me/second-factor"
    begun = Caller(stack).request("POST", path, headers=owner, json={"password": PASSWORD})
    form = {"password": PASSWORD, "code": TOTP(begun.json()["secret"]).now()}
    assert Caller(stack).request("PUT", path, headers=owner, json=form).status_code == 200
    thief = Caller(stack)
    assert thief.sign_in(email).json()["type"] == "/problems/second-factor-required"
    entries = Caller(stack).request("GET", "/v1/users/me/sign-ins", headers=owner).json()["items"]
    refused = [(entry["origin"], entry["reason"]) for entry in entries if entry["event"] == "sign_in_refused"]
    assert refused == [(thief.origin, "code required")]


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"grant_type": "password", "username": "nobody@example.org", "password": PASSWORD}, 400, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "x" * 43}, 400, "invalid_grant"),
        ({"grant_type": "implicit"}, 400, "unsupported_grant_type"),
        ({"grant_type": "password"}, 400, "invalid_request"),
        ({"grant_type": "client_credentials", "client_id": "0" * 32, "client_secret": "x"}, 401, "invalid_client"),
    ],
)
def test_a_refused_token_request_has_an_error_of_rfc_6749(
    stack: Stack, form: dict[str, str], status: int, error: str
) -> None:
    refused = Caller(stack).request("POST", "/v1/token", data=form)
    assert (refused.status_code, refused.json()["error"]) == (status, error)
    assert refused.headers.get("www-authenticate") == ("Basic" if status == 401 else None)
