"""What somebody with a stolen access token or refresh token can do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from pyotp.totp import TOTP

from tests.security.callers import Caller, new_account
from tests.support.auth_client import PASSWORD
from tests.support.stack import Stack

ME = "/v1/users/me"
WRONG = "a wrong but long password"
GUESSES = 30  # 900 were once accepted


def stolen_token(stack: Stack, email: str, **more: str) -> dict[str, str]:
    return {"authorization": f"Bearer {Caller(stack).sign_in(email, **more).json()['access_token']}"}


def test_a_stolen_access_token_sets_no_second_factor(stack: Stack) -> None:
    email = new_account(stack)
    stolen, thief = stolen_token(stack, email), Caller(stack)
    answers = [
        thief.request("POST", f"{ME}/second-factor", headers=stolen),
        thief.request("POST", f"{ME}/second-factor", headers=stolen, json={"password": WRONG}),
        thief.request("PUT", f"{ME}/second-factor", headers=stolen, json={"password": WRONG, "code": "000000"}),
    ]
    assert [answer.status_code for answer in answers] == [422, 403, 403]
    assert Caller(stack).sign_in(email).status_code == 200, "without a code"


def test_a_stolen_access_token_changes_no_client(stack: Stack) -> None:
    """A secret of a client would outlive the session of the token."""
    stolen, thief = stolen_token(stack, stack.create_administrator()), Caller(stack)
    form = {"name": "PACS", "password": PASSWORD}
    client = thief.request("POST", "/v1/clients", headers=stolen, json=form).json()
    one = f"/v1/clients/{client['id']}"
    secret = client["secrets"][0]
    attempts = [
        ("POST", "/v1/clients", {"name": "Thief's"}),
        ("POST", f"{one}/secrets", {}),
        ("DELETE", f"{one}/secrets/{secret['id']}", {}),
        ("DELETE", one, {}),
    ]
    without = [thief.request(method, path, headers=stolen, json=body) for method, path, body in attempts]
    assert [answer.status_code for answer in without] == [422] * 4
    wrong = [
        thief.request(method, path, headers=stolen, json=body | {"password": WRONG}) for method, path, body in attempts
    ]
    assert {answer.status_code for answer in wrong} <= {403, 429}  # 429 where the wrong passwords come fast
    listed = thief.request("GET", "/v1/clients", headers=stolen, params={"limit": 100}).json()["items"]
    assert client | {"secrets": [secret | {"secret": None}]} in listed
    assert "Thief's" not in {row["name"] for row in listed}


def test_a_stolen_access_token_gives_nobody_a_role_and_deletes_no_account(stack: Stack) -> None:
    """A role would outlive the session of the token. One's own account is not deleted by its id either."""
    stolen, thief = stolen_token(stack, stack.create_administrator()), Caller(stack)
    own = thief.request("GET", ME, headers=stolen).json()["id"]
    email = new_account(stack)
    accomplice = Caller(stack).request("GET", ME, headers=stolen_token(stack, email)).json()
    one = f"/v1/users/{accomplice['id']}"
    attempts: list[tuple[str, str, dict[str, str]]] = [
        ("PUT", f"{one}/role", {"role": "administrator"}),
        ("DELETE", one, {}),
        ("DELETE", f"/v1/users/{own}", {}),
    ]
    without = [thief.request(method, path, headers=stolen, json=body) for method, path, body in attempts]
    assert [answer.status_code for answer in without] == [422] * 3
    wrong = [
        thief.request(method, path, headers=stolen, json=body | {"password": WRONG}) for method, path, body in attempts
    ]
    assert [answer.status_code for answer in wrong] == [403] * 3
    assert thief.request("GET", one, headers=stolen).json() == accomplice
    assert thief.request("GET", ME, headers=stolen).json()["id"] == own
    log = thief.request("GET", f"/v1/users/{own}/sign-ins", headers=stolen).json()["items"]
    assert [entry["event"] for entry in log].count("confirmation_refused") == 3


@pytest.mark.parametrize(
    ("method", "path", "form"),
    [
        ("DELETE", f"{ME}/second-factor", {"password": PASSWORD}),
        ("POST", f"{ME}/recovery-codes", {"password": PASSWORD}),
        ("PUT", f"{ME}/password", {"current_password": PASSWORD, "new_password": "quite another long phrase"}),
        ("DELETE", ME, {"password": PASSWORD}),
    ],
)
def test_codes_cannot_be_guessed_by_somebody_with_the_token_and_the_password(
    stack: Stack, method: str, path: str, form: dict[str, str]
) -> None:
    email = new_account(stack)
    owner = stolen_token(stack, email)
    begun = Caller(stack).request("POST", f"{ME}/second-factor", headers=owner, json={"password": PASSWORD})
    code = TOTP(begun.json()["secret"]).now()
    confirmed = Caller(stack).request(
        "PUT", f"{ME}/second-factor", headers=owner, json={"password": PASSWORD, "code": code}
    )
    first, second, *_ = confirmed.json()["codes"]
    stolen = stolen_token(stack, email, otp=first)

    def guess(number: int) -> httpx.Response:
        body = form | {"code": f"{number:06d}"}
        return Caller(stack).request(method, path, headers=stolen, json=body)  # each from another address

    statuses = [guess(number).status_code for number in range(GUESSES)]
    assert set(statuses) == {403, 429}
    assert statuses.count(429) > GUESSES / 2
    entries = Caller(stack).request("GET", f"{ME}/sign-ins", headers=owner).json()["items"]
    reasons = [entry["reason"] for entry in entries if entry["event"] == "confirmation_refused"]
    assert reasons == ["wrong code"] * statuses.count(403)
    assert Caller(stack).sign_in(email, otp=second).status_code == 200, "the owner is not concerned"


def test_a_replayed_refresh_token_ends_the_session_but_two_parallel_refreshes_do_not(stack: Stack) -> None:
    email = new_account(stack)
    owner, thief = Caller(stack), Caller(stack)

    def refreshed(caller: Caller, token: str) -> httpx.Response:
        form = {"grant_type": "refresh_token", "refresh_token": token}
        return caller.request("POST", "/v1/token", data=form)

    first = owner.sign_in(email).json()["refresh_token"]
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: refreshed(owner, first), range(2)))
    assert [answer.status_code for answer in both] == [200, 200]
    kept = refreshed(owner, both[1].json()["refresh_token"])
    assert kept.status_code == 200
    replayed = refreshed(thief, first)
    assert (replayed.status_code, replayed.json()["error"]) == (400, "invalid_grant")
    assert refreshed(owner, kept.json()["refresh_token"]).status_code == 400, "the thief ended it for both"
