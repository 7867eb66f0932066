"""Operations on accounts by their owners and by administrators, on SQLite and PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, get_args

import pytest

from hepar.contracts.roles import Role
from tests.support.auth_client import EMAIL, PASSWORD, AuthTestClient

NEW_PASSWORD = "quite another long phrase"


def test_a_profile_changes(auth: AuthTestClient) -> None:
    auth.sign_up()
    bearer = auth.bearer()
    assert auth.client.patch("/v1/users/me", json={"name": "  Ada Lovelace "}, headers=bearer).status_code == 200
    assert auth.me(bearer).json()["name"] == "Ada Lovelace"
    assert auth.client.patch("/v1/users/me", json={"name": "a\nb"}, headers=bearer).status_code == 422


def change_password(
    auth: AuthTestClient, bearer: dict[str, str], current: str = PASSWORD, new: str = NEW_PASSWORD
) -> int:
    form = {"current_password": current, "new_password": new}
    return auth.client.put("/v1/users/me/password", json=form, headers=bearer).status_code


def test_a_changed_password_ends_all_sessions(auth: AuthTestClient) -> None:
    auth.sign_up()
    first, second = auth.tokens(), auth.bearer()
    assert change_password(auth, second) == 204
    assert auth.me(second).status_code == 401
    assert auth.me({"authorization": f"Bearer {first['access_token']}"}).status_code == 401
    assert auth.refresh(first["refresh_token"]).status_code == 400
    assert auth.sign_in().status_code == 400
    assert auth.tokens(password=NEW_PASSWORD)


def test_changing_a_password_requires_the_current_one_and_a_strong_new_one(auth: AuthTestClient) -> None:
    auth.sign_up()
    bearer = auth.bearer()
    assert change_password(auth, bearer, current="a wrong but long password") == 403
    assert change_password(auth, bearer, new="passwordpassword") == 422
    assert change_password(auth, bearer, new="ada example ada example") == 422
    assert auth.me(bearer).status_code == 200
    assert auth.tokens()


def test_an_account_is_deleted_after_password_confirmation(auth: AuthTestClient) -> None:
    identity = auth.sign_up().json()["id"]
    bearer, tokens = auth.bearer(), auth.tokens()
    wrong = auth.client.request("DELETE", "/v1/users/me", json={"password": "wrong"}, headers=bearer)
    assert wrong.status_code == 403
    assert auth.client.request("DELETE", "/v1/users/me", json={"password": PASSWORD}, headers=bearer).status_code == 204
    assert auth.me(bearer).status_code == 401
    assert auth.refresh(tokens["refresh_token"]).status_code == 400
    assert auth.sign_in().status_code == 400
    assert auth.sign_up().json()["id"] != identity
    assert {"event": "deleted", "actor": identity, "subject": identity} in auth.audit()


def test_sessions_are_listed_and_ended_one_by_one_or_all(auth: AuthTestClient) -> None:
    auth.sign_up()
    first, second, third = auth.bearer(), auth.bearer(), auth.bearer()
    listed = auth.client.get("/v1/users/me/sessions", headers=second).json()["items"]
    assert [item["current"] for item in listed] == [False, True, False]
    oldest = f"/v1/users/me/sessions/{listed[2]['id']}"
    assert auth.client.delete(oldest, headers=second).status_code == 204
    assert auth.client.delete(oldest, headers=second).status_code == 404
    assert [auth.me(bearer).status_code for bearer in (first, second, third)] == [401, 200, 200]
    assert auth.client.delete("/v1/users/me/sessions", headers=second).status_code == 204
    assert [auth.me(bearer).status_code for bearer in (first, second, third)] == [401, 401, 401]


def test_sessions_of_other_accounts_cannot_be_ended(auth: AuthTestClient) -> None:
    auth.sign_up()
    auth.sign_up("bob@example.org")
    mine, other = auth.bearer(), auth.bearer("bob@example.org")
    session = auth.client.get("/v1/users/me/sessions", headers=mine).json()["items"][0]["id"]
    assert auth.client.delete(f"/v1/users/me/sessions/{session}", headers=other).status_code == 404
    assert auth.me(mine).status_code == 200


def test_the_sign_in_history_lists_refusals_page_by_page(auth: AuthTestClient) -> None:
    identity = auth.sign_up().json()["id"]
    auth.sign_in(password="a wrong but long password")
    origin = {"x-forwarded-for": "192.0.2.7"}
    auth.client.post("/v1/token", data={"username": EMAIL, "password": PASSWORD}, headers=origin)
    bearer = auth.bearer()
    whole = auth.client.get("/v1/users/me/sign-ins", headers=bearer).json()
    assert [item["event"] for item in whole["items"]] == ["signed_in", "signed_in", "sign_in_refused"]
    assert [item["reason"] for item in whole["items"]] == [None, None, "wrong password"]
    assert whole["items"][1]["origin"] == "192.0.2.7"
    assert whole["next"] is None
    pages, after = [], None
    while True:
        query = {"limit": 1} | ({"after": after} if after else {})
        page = auth.client.get("/v1/users/me/sign-ins", params=query, headers=bearer).json()
        pages.append(page["items"])
        after = page["next"]
        if after is None:
            break
    assert [item for page in pages for item in page] == whole["items"]
    assert len(pages) == 3
    administrator = auth.administrator()
    assert auth.client.get(f"/v1/users/{identity}/sign-ins", headers=administrator).json() == whole


def test_administrators_list_accounts_in_pages(auth: AuthTestClient) -> None:
    administrator = auth.administrator()
    for number in range(4):
        auth.person("clinician", f"p{number}@example.org")
    query: dict[str, Any] = {"limit": 2}
    found: list[str] = []
    while True:
        page = auth.client.get("/v1/users", params=query, headers=administrator).json()
        found += [item["email"] for item in page["items"]]
        if page["next"] is None:
            break
        query["after"] = page["next"]
    assert found == ["root@example.org", *(f"p{number}@example.org" for number in range(4))]
    clinicians = auth.client.get("/v1/users", params={"role": "clinician"}, headers=administrator).json()
    assert len(clinicians["items"]) == 4
    for wrong in ({"limit": 0}, {"limit": 101}, {"after": "x"}, {"after": "0" * 32}, {"status": "gone"}):
        assert auth.client.get("/v1/users", params=wrong, headers=administrator).status_code == 422


@pytest.mark.parametrize("role", get_args(Role))
def test_a_reduced_role_applies_immediately(auth: AuthTestClient, role: str) -> None:
    administrator = auth.administrator()
    identity = auth.person("administrator")
    bearer = auth.bearer()
    change = auth.client.put(
        f"/v1/users/{identity}/role", json={"role": role, "password": PASSWORD}, headers=administrator
    )
    assert change.json()["role"] == role
    assert auth.client.get("/v1/users", headers=bearer).status_code == (200 if role == "administrator" else 403)
    assert auth.me(bearer).json()["role"] == role


def test_a_deactivated_account_is_refused_until_it_is_reactivated(auth: AuthTestClient) -> None:
    administrator = auth.administrator()
    identity = auth.sign_up().json()["id"]
    tokens = auth.tokens()
    bearer = {"authorization": f"Bearer {tokens['access_token']}"}
    for _ in range(2):
        answer = auth.client.post(f"/v1/users/{identity}/deactivate", headers=administrator)
        assert answer.json()["status"] == "deactivated"
    assert auth.me(bearer).status_code == 401
    assert auth.refresh(tokens["refresh_token"]).status_code == 400
    assert auth.sign_in().status_code == 400
    assert auth.client.post(f"/v1/users/{identity}/reactivate", headers=administrator).json()["status"] == "active"
    assert auth.me(bearer).status_code == 401, "its sessions had ended"
    assert auth.tokens()
    assert auth.events().count("deactivated") == 1


def test_deactivating_and_reactivating_does_not_skip_the_approval(auth: AuthTestClient) -> None:
    administrator = auth.administrator()
    identity = auth.person(status="pending")

    def change(action: str) -> str:
        answer = auth.client.post(f"/v1/users/{identity}/{action}", headers=administrator)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["status"])

    assert [change("deactivate"), change("reactivate")] == ["deactivated", "pending"]
    assert auth.sign_in().json()["type"] == "/problems/account-not-active"
    assert [change(action) for action in ("approve", "deactivate", "reactivate")] == ["active", "deactivated", "active"]
    assert auth.tokens()


def test_administrators_find_accounts_and_see_when_they_signed_in(auth: AuthTestClient) -> None:
    administrator = auth.administrator()
    auth.person(email="ada@example.org")
    auth.person(email="a_a@example.org")
    bearer = auth.bearer("a_a@example.org")
    auth.client.patch("/v1/users/me", json={"name": "Grace Hopper"}, headers=bearer)

    def found(**params: str) -> list[str]:
        answer = auth.client.get("/v1/users", params=params, headers=administrator)
        assert answer.status_code == 200, answer.text
        return [item["email"] for item in answer.json()["items"]]

    assert found(search="ADA@") == ["ada@example.org"]
    assert found(search="hopper") == found(search="a_a") == ["a_a@example.org"], "an underscore is no wildcard"
    assert found(search="%") == found(group="liver") == []
    assert auth.client.get("/v1/users", params={"search": "a\x00"}, headers=administrator).status_code == 422
    items = auth.client.get("/v1/users", headers=administrator).json()["items"]
    signed_in = {item["email"]: item["last_sign_in_at"] is not None for item in items}
    assert signed_in == {"root@example.org": True, "ada@example.org": False, "a_a@example.org": True}


def test_administrators_delete_accounts(auth: AuthTestClient) -> None:
    administrator = auth.administrator()
    identity = auth.sign_up().json()["id"]
    assert auth.client.get(f"/v1/users/{identity}", headers=administrator).json()["email"] == EMAIL
    confirmation = {"password": PASSWORD}
    deletion = auth.client.request("DELETE", f"/v1/users/{identity}", json=confirmation, headers=administrator)
    assert deletion.status_code == 204
    for method, path, form in (
        ("GET", "", None),
        ("DELETE", "", confirmation),
        ("PUT", "/role", confirmation | {"role": "clinician"}),
        ("POST", "/approve", None),
        ("POST", "/deactivate", None),
    ):
        answer = auth.client.request(method, f"/v1/users/{identity}{path}", json=form, headers=administrator)
        assert answer.status_code == 404, path


def test_the_last_administrator_cannot_be_removed(auth: AuthTestClient) -> None:
    administrator = auth.administrator()
    identity = auth.me(administrator).json()["id"]
    tries = [
        auth.client.request(method, f"/v1/users/{account}", json={"password": PASSWORD} | form, headers=administrator)
        for method, account, form in (
            ("PUT", f"{identity}/role", {"role": "clinician"}),
            ("DELETE", identity, {}),
            ("DELETE", "me", {}),
        )
    ]
    tries.append(auth.client.post(f"/v1/users/{identity}/deactivate", headers=administrator))
    assert [answer.status_code for answer in tries] == [409] * 4
    assert auth.me(administrator).json()["role"] == "administrator"


def test_two_administrators_cannot_remove_each_other_in_parallel(auth: AuthTestClient) -> None:
    first, second = auth.administrator("one@example.org"), auth.administrator("two@example.org")
    identities = [auth.me(bearer).json()["id"] for bearer in (first, second)]
    with ThreadPoolExecutor(2) as pool:
        statuses = list(
            pool.map(
                lambda pair: auth.client.post(f"/v1/users/{pair[1]}/deactivate", headers=pair[0]).status_code,
                ((first, identities[1]), (second, identities[0])),
            )
        )
    assert min(statuses) == 200
    assert max(statuses) in (401, 409), "the other one was too late"
    assert [auth.sign_in(email).status_code for email in ("one@example.org", "two@example.org")].count(200) == 1
