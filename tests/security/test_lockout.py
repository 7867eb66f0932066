"""Wrong passwords and secrets from elsewhere keep neither people nor hospital systems out."""

from __future__ import annotations

import pytest

from tests.security.callers import Caller, new_account
from tests.support.auth_client import PASSWORD
from tests.support.stack import Stack

WRONG = "a wrong but long password"
ATTEMPTS = 40  # 18 once locked any account for 15 minutes


def test_a_person_signs_in_while_an_attacker_guesses(stack: Stack) -> None:
    email, attacker = new_account(stack), Caller(stack)
    device = Caller(stack).sign_in(email).json()["device"]
    guesses = [attacker.sign_in(email, WRONG).status_code for _ in range(ATTEMPTS)]
    assert set(guesses) == {400, 429}
    assert guesses.count(429) > ATTEMPTS / 2
    assert Caller(stack).sign_in(email).status_code == 200, "from a new network, without a known device"
    assert attacker.sign_in(email, device=device).status_code == 200, "with a known device, behind the same address"


@pytest.fixture(scope="module")
def hospital(stack: Stack) -> dict[str, str]:
    """The credentials of a hospital system."""
    administrator = Caller(stack)
    token = administrator.sign_in(stack.create_administrator()).json()["access_token"]
    headers = {"authorization": f"Bearer {token}"}
    made = administrator.request(
        "POST", "/v1/clients", json={"name": "PACS", "password": PASSWORD}, headers=headers
    ).json()
    return {
        "grant_type": "client_credentials",
        "client_id": made["id"],
        "client_secret": made["secrets"][0]["secret"],
    }


def test_a_hospital_system_signs_in_while_an_attacker_guesses_its_secret(
    stack: Stack, hospital: dict[str, str]
) -> None:
    attacker = Caller(stack)
    wrong = hospital | {"client_secret": "x" * 43}
    guesses = [attacker.request("POST", "/v1/token", data=wrong).status_code for _ in range(ATTEMPTS)]
    assert set(guesses) == {401, 429}
    assert Caller(stack).request("POST", "/v1/token", data=hospital).status_code == 200
    assert attacker.request("POST", "/v1/token", data=hospital).status_code == 200, "even behind the same address"
