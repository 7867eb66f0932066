"""Device tokens: a known device signs in while others guess the account's password."""

from __future__ import annotations

import pytest

from auth_service.devices import DeviceTokens
from auth_service.throttle import DEVICE, UNKNOWN_DEVICE
from tests.support.auth_client import EMAIL, PASSWORD, AuthTestClient

WRONG = "a wrong but long password"


def test_a_device_token_belongs_to_one_account_and_one_key() -> None:
    devices = DeviceTokens(b"1" * 32)
    token = devices.issue("one")
    assert devices.find(token, "one") == token
    assert devices.find(f"other.token {token}", "one") == token
    assert devices.find(token, "two") is None
    assert DeviceTokens(b"2" * 32).find(token, "one") is None
    assert devices.find(f"x{token}", "one") is None
    assert devices.find(None, "one") is None
    assert devices.find("\udcff.\udcff ü ... " + "a " * 10 + token, "one") is None, "at most eight are read"


@pytest.mark.usefixtures("frozen_time")
def test_a_known_device_signs_in_from_the_network_of_an_attacker(auth: AuthTestClient) -> None:
    auth.sign_up()
    device = auth.tokens()["device"]
    statuses = [auth.sign_in(password=WRONG).status_code for _ in range(40)]
    assert set(statuses[: UNKNOWN_DEVICE.free]) == {400}
    assert set(statuses[UNKNOWN_DEVICE.free :]) == {429}
    assert auth.sign_in().status_code == 429
    known = auth.tokens(device=device)
    assert known["device"] == device, "it is kept"


@pytest.mark.usefixtures("frozen_time")
def test_a_stolen_device_token_is_throttled_by_itself(auth: AuthTestClient) -> None:
    auth.sign_up()
    auth.sign_up("bob@example.org")
    device = auth.tokens()["device"]
    others = auth.tokens("bob@example.org")["device"]
    statuses = [auth.sign_in(password=WRONG, device=device).status_code for _ in range(DEVICE.free + 1)]
    assert statuses == [400] * DEVICE.free + [429]
    assert auth.sign_in(device=device).status_code == 429
    statuses = [auth.sign_in(password=WRONG, device=others).status_code for _ in range(UNKNOWN_DEVICE.free + 1)]
    assert statuses == [400] * UNKNOWN_DEVICE.free + [429], "somebody else's token gives nothing"


def test_refreshing_gives_no_device_token(auth: AuthTestClient) -> None:
    auth.sign_up()
    assert auth.refresh(auth.tokens()["refresh_token"]).json()["device"] is None
    assert auth.sign_in(EMAIL, PASSWORD, device="x" * 2000).status_code == 400
