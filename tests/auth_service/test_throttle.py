"""Throttling of attempts on existing and unknown accounts."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from auth_service.throttle import (
    ACCOUNT_ATTACK_AFTER,
    CONFIRMATION,
    NETWORK,
    UNKNOWN_DEVICE,
    UNKNOWN_DEVICE_UNDER_ATTACK,
    BackoffPolicy,
    Limit,
    Throttle,
    TooManyAttempts,
    sign_in_limits,
)
from tests.support.auth_client import EMAIL, PASSWORD, AuthTestClient

WRONG = "a wrong but long password"


def test_the_delay_doubles_up_to_the_longest() -> None:
    policy = BackoffPolicy(free=3, longest_s=60, first_s=2)
    assert [policy.delay_s(attempts) for attempts in range(10)] == [0, 0, 0, 2, 4, 8, 16, 32, 60, 60]
    assert policy.delay_s(10**6) == 60


@pytest.mark.usefixtures("frozen_time")
@pytest.mark.parametrize("email", [EMAIL, "nobody@example.org"])
def test_the_fourth_attempt_is_delayed_for_existing_and_unknown_accounts(auth: AuthTestClient, email: str) -> None:
    auth.sign_up()
    statuses = [auth.sign_in(email, WRONG).status_code for _ in range(UNKNOWN_DEVICE.free)]
    assert statuses == [400] * UNKNOWN_DEVICE.free
    refused = auth.sign_in(email.upper(), PASSWORD)
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.json()["type"].endswith("/too-many-attempts")


@pytest.mark.usefixtures("frozen_time")
def test_parallel_attempts_do_not_bypass_the_throttle(auth: AuthTestClient) -> None:
    auth.sign_up()
    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(lambda _: auth.sign_in(password=WRONG).status_code, range(20)))
    assert statuses.count(400) <= UNKNOWN_DEVICE.free + 2
    assert statuses.count(400) + statuses.count(429) == 20


def test_success_resets_the_failures(auth: AuthTestClient) -> None:
    auth.sign_up()
    for _ in range(3):
        assert [auth.sign_in(password=WRONG).status_code for _ in range(2)] == [400, 400]
        assert auth.sign_in().status_code == 200


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


def run(auth: AuthTestClient, attempts: Callable[[], Coroutine[None, None, None]]) -> None:
    assert auth.client.portal is not None
    auth.client.portal.call(attempts)


def test_attempts_on_many_accounts_are_throttled_by_network(auth: AuthTestClient) -> None:
    clock = Clock()
    throttle = Throttle(auth.dependencies.database, clock)

    async def attempts() -> None:
        for number in range(NETWORK.free):
            await throttle.begin(sign_in_limits(f"account {number}", "192.0.2.1"))
        with pytest.raises(TooManyAttempts):
            await throttle.begin(sign_in_limits("another account", "192.0.2.1"))
        await throttle.begin(sign_in_limits("another account", "192.0.2.2"))
        await throttle.begin(sign_in_limits("another account", None))
        clock.now += timedelta(seconds=1)
        await throttle.begin(sign_in_limits("another account", "192.0.2.1"))

    run(auth, attempts)


def test_an_account_under_attack_is_open_to_new_networks_at_a_slower_pace(auth: AuthTestClient) -> None:
    clock = Clock()
    throttle = Throttle(auth.dependencies.database, clock)

    async def attempts() -> None:
        for number in range(ACCOUNT_ATTACK_AFTER):
            await throttle.begin(sign_in_limits("account", f"198.51.100.{number}"))
        for _ in range(UNKNOWN_DEVICE_UNDER_ATTACK.free):
            await throttle.begin(sign_in_limits("account", "192.0.2.1"))
        with pytest.raises(TooManyAttempts):
            await throttle.begin(sign_in_limits("account", "192.0.2.1"))
        clock.now += timedelta(seconds=UNKNOWN_DEVICE_UNDER_ATTACK.first_s)
        await throttle.begin(sign_in_limits("account", "192.0.2.1"))
        for _ in range(UNKNOWN_DEVICE.free):
            await throttle.begin(sign_in_limits("another account", "192.0.2.1"))

    run(auth, attempts)


def test_a_wait_for_the_database_is_not_a_delay(auth: AuthTestClient) -> None:
    """The clock was once read before the wait for the row's lock: a later writer then looked like one to come."""
    clock = Clock()
    throttle = Throttle(auth.dependencies.database, clock)
    limits = [Limit("anything", UNKNOWN_DEVICE)]

    async def attempts() -> None:
        await throttle.begin(limits)
        clock.now -= timedelta(seconds=5)
        await throttle.begin(limits)

    run(auth, attempts)


def test_attempts_expire_after_an_hour_and_their_rows_are_deleted(auth: AuthTestClient) -> None:
    from sqlalchemy import func, select

    from auth_service.tables import StoredThrottle

    clock = Clock()
    throttle = Throttle(auth.dependencies.database, clock)
    limits = sign_in_limits("account", None)

    async def attempts() -> int:
        for _ in range(UNKNOWN_DEVICE.free):
            await throttle.begin(limits)
        clock.now += timedelta(hours=1)
        for _ in range(UNKNOWN_DEVICE.free):
            await throttle.begin(limits)
        clock.now += timedelta(hours=2)
        await throttle.delete_expired()
        async with auth.dependencies.database.reading() as session:
            return int((await session.scalars(select(func.count()).select_from(StoredThrottle))).one())

    assert auth.client.portal is not None
    assert auth.client.portal.call(attempts) == 0


@pytest.mark.usefixtures("frozen_time")
def test_guessing_the_password_by_changing_it_is_throttled(auth: AuthTestClient) -> None:
    auth.sign_up()
    bearer = auth.bearer()
    form = {"current_password": WRONG, "new_password": "quite another long phrase"}
    statuses = [
        auth.client.put("/v1/users/me/password", json=form, headers=bearer).status_code
        for _ in range(CONFIRMATION.free + 1)
    ]
    assert statuses == [403] * CONFIRMATION.free + [429]


def test_only_the_gateway_can_set_the_origin_of_a_request(auth: AuthTestClient) -> None:
    auth.sign_up()
    form = {"username": EMAIL, "password": PASSWORD}
    for said, believed in (
        ("198.51.100.1, 192.0.2.9", "192.0.2.9"),
        ("2001:db8::1", "2001:db8::1"),
        ("no address", None),
        ("", "192.0.2.1"),
    ):
        auth.client.post("/v1/token", data=form, headers={"x-forwarded-for": said} if said else {})
        bearer = auth.bearer()
        history = auth.client.get("/v1/users/me/sign-ins", headers=bearer).json()["items"]
        assert history[1]["origin"] == believed, said
