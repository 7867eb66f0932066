"""Accounts at the gateway of a running stack."""

from __future__ import annotations

import uuid

import httpx

PASSWORD = "a long enough password"


def sign_up(client: httpx.Client) -> dict[str, str]:
    """A new account: the headers of its requests."""
    email = f"{uuid.uuid4().hex}@example.org"
    made = client.post("/v1/users", json={"email": email, "password": PASSWORD})
    assert made.status_code == 201, made.text
    answer = client.post("/v1/token", data={"username": email, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return {"authorization": f"Bearer {answer.json()['access_token']}"}
