"""Throttling of attempts on existing and unknown accounts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from auth_service.throttle import ACCOUNT, ORIGIN, BackoffPolicy, Throttle, TooManyAttempts
from tests.support.auth_client import EMAIL, PASSWORD, AuthTestClient

WRONG = "a wrong but long password"


def test_the_delay_doubles_up_to_a_lock_of_fifteen_minutes() -> None:
    pace = BackoffPolicy(free=3, lock_after=10, lock_s=900)
    assert [pace.delay_s(failures) for failures in range(11)] == [0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 900]


@pytest.mark.usefixtures("frozen_time")
@pytest.mark.parametrize("email", [EMAIL, "nobody@example.org"])
def test_the_fourth_attempt_is_delayed_for_existing_and_unknown_accounts(auth: AuthTestClient, email: str) -> None:
    auth.sign_up()
    statuses = [auth.sign_in(email, WRONG).status_code for _ in range(ACCOUNT.free)]
    assert statuses == [401] * ACCOUNT.free
    refused = auth.sign_in(email.upper(), PASSWORD)
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.json()["type"].endswith("/too-many-attempts")


@pytest.mark.usefixtures("frozen_time")
def test_parallel_attempts_do_not_bypass_the_throttle(auth: AuthTestClient) -> None:
    auth.sign_up()
    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(lambda _: auth.sign_in(password=WRONG).status_code, range(20)))
    assert statuses.count(401) <= ACCOUNT.free + 2
    assert statuses.count(401) + statuses.count(429) == 20


def test_success_resets_the_failures(auth: AuthTestClient) -> None:
    auth.sign_up()
    for _ in range(3):
        assert [auth.sign_in(password=WRONG).status_code for _ in range(2)] == [401, 401]
        assert auth.sign_in().status_code == 200


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


def test_attempts_on_many_accounts_are_throttled_by_origin(auth: AuthTestClient) -> None:
    clock = Clock()
    throttle = Throttle(auth.dependencies.database, clock)

    async def attempts() -> None:
        for number in range(ORIGIN.free):
            await throttle.begin(f"account {number}", "192.0.2.1")
        with pytest.raises(TooManyAttempts):
            await throttle.begin("another account", "192.0.2.1")
        await throttle.begin("another account", "192.0.2.2")
        await throttle.begin("another account", None)
        clock.now += timedelta(seconds=1)
        await throttle.begin("another account", "192.0.2.1")

    assert auth.client.portal is not None
    auth.client.portal.call(attempts)


def test_failures_expire_after_an_hour_and_their_rows_are_deleted(auth: AuthTestClient) -> None:
    from sqlalchemy import func, select

    from auth_service.tables import StoredThrottle

    clock = Clock()
    throttle = Throttle(auth.dependencies.database, clock)

    async def attempts() -> int:
        for _ in range(ACCOUNT.free):
            await throttle.begin("account", None)
        clock.now += timedelta(hours=1)
        for _ in range(ACCOUNT.free):
            await throttle.begin("account", None)
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
        auth.client.put("/v1/users/me/password", json=form, headers=bearer).status_code for _ in range(ACCOUNT.free + 1)
    ]
    assert statuses == [403] * ACCOUNT.free + [429]


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
