"""Groups of accounts and clients: who sets them, and that tokens carry them."""

from __future__ import annotations

from typing import Any

import pytest
from jose import jwt

from tests.support.auth_client import PASSWORD, AuthTestClient

CONFIRM = {"password": PASSWORD}


def claims(token: str) -> dict[str, Any]:
    return dict(jwt.get_unverified_claims(token))


def test_an_administrator_sets_the_group_of_new_tokens(auth: AuthTestClient) -> None:
    administrator = auth.administrator()
    account_id = auth.person()
    before = auth.tokens()
    path = f"/v1/users/{account_id}/group"
    changed = auth.client.put(path, json=CONFIRM | {"group": "radiology-2"}, headers=administrator)
    assert (changed.status_code, changed.json()["group"]) == (200, "radiology-2")
    assert "group" not in claims(before["access_token"])
    assert claims(auth.tokens()["access_token"])["group"] == "radiology-2"
    renewed = auth.refresh(before["refresh_token"]).json()
    assert claims(renewed["access_token"])["group"] == "radiology-2"
    assert auth.dependencies.principal(renewed["access_token"]).group == "radiology-2"
    (entry,) = [entry for entry in auth.audit() if entry["event"] == "group_changed"]
    assert (entry["before"], entry["after"]) == ("", "radiology-2")
    assert auth.client.put(path, json=CONFIRM | {"group": None}, headers=administrator).json()["group"] is None
    assert "group" not in claims(auth.tokens()["access_token"])


@pytest.mark.parametrize("group", ["", "-a", "a b", "a" * 65, "../a", "ä", 7])
def test_a_group_has_a_plain_name(auth: AuthTestClient, group: object) -> None:
    account_id = auth.person()
    answer = auth.client.put(
        f"/v1/users/{account_id}/group", json=CONFIRM | {"group": group}, headers=auth.administrator()
    )
    assert answer.status_code == 422


def test_nobody_changes_a_group_without_confirmation_or_the_own_one(auth: AuthTestClient) -> None:
    administrator = auth.administrator()
    account_id = auth.person()
    path = f"/v1/users/{account_id}/group"
    assert auth.client.put(path, json={"password": "wrong", "group": "x"}, headers=administrator).status_code == 403
    assert auth.client.put(path, json=CONFIRM | {"group": "x"}, headers=auth.bearer()).status_code == 403
    assert (
        auth.client.patch("/v1/users/me", json={"name": "Ada", "group": "x"}, headers=auth.bearer()).status_code == 422
    )


def test_a_hospital_system_gets_its_group_when_it_is_registered(auth: AuthTestClient) -> None:
    form = CONFIRM | {"name": "PACS", "scopes": ["analyses", "studies"], "group": "radiology-2"}
    made = auth.client.post("/v1/clients", json=form, headers=auth.administrator()).json()
    assert made["group"] == "radiology-2"
    credentials = {"client_id": made["id"], "client_secret": made["secrets"][0]["secret"]}
    token = auth.client.post("/v1/token", data={"grant_type": "client_credentials"} | credentials).json()
    assert claims(token["access_token"])["group"] == "radiology-2"
    assert token["scope"] == "analyses studies"
