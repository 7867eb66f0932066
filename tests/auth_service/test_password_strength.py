"""Which new passwords are refused, and what a check costs."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from starlette.testclient import TestClient

from auth_service.app import create_app
from auth_service.password_strength import WeakPassword, require_strong
from auth_service.settings import AuthSettings
from tests.support.auth_client import PASSWORD

# Every character has several readings as a substituted letter, of which zxcvbn tries all combinations.
CRAFTED = "4@8({[<369!1|0$5+7%2" * 6


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "Correct-Horse-Battery-Staple1!",
        "c0rrect h0rse b4ttery st4ple",
        "To be, or not to be, that is the question:",
        "In the beginning was the Word 1",
        "May the Force be with you",
        "ich liebe dich so sehr",
        "Das ist mein sicheres Passwort",
        "doomsayer.2.7mords.vv",
        "you will never guess this",
        "1qaz2wsx3edc4rfv",
        "passwordpassword",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ],
)
def test_a_common_password_or_passphrase_is_refused(password: str) -> None:
    with pytest.raises(WeakPassword):
        require_strong(password, [], second_factor=False)


@pytest.mark.parametrize(
    "password",
    [
        PASSWORD,
        "let it go on for nine more quiet winters",
        "vier Amseln am Fenster, keine singt",
        CRAFTED[:128],
        "🦔🦔 quiet hedgehogs 🍂",
    ],
)
def test_a_password_with_enough_characters_of_its_own_is_accepted(password: str) -> None:
    require_strong(password, [], second_factor=False)


def test_a_crafted_password_costs_no_more_than_a_few_ordinary_ones() -> None:
    """CPU time of the same machine: on a whole crafted password zxcvbn takes more than a thousand ordinary checks."""

    def cpu_s(password: str, times: int) -> float:
        started = time.thread_time()
        for _ in range(times):
            require_strong(password, [], second_factor=False)
        return time.thread_time() - started

    cpu_s(PASSWORD, 10)
    ordinary_s = cpu_s(PASSWORD, 100) / 100
    assert min(cpu_s(CRAFTED[:128], 1) for _ in range(3)) < 600 * ordinary_s


def test_sign_ups_of_one_network_are_slowed_down_after_a_burst(
    auth_settings: AuthSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(auth_settings.model_copy(update={"signup_burst": 3}))
    with TestClient(app, base_url="http://127.0.0.1", client=("192.0.2.1", 50000)) as client:
        now = datetime.now(UTC)
        monkeypatch.setattr(app.state.dependencies.throttle, "_clock", lambda: now)

        def status(number: int, origin: str) -> int:
            form = {"email": f"p{number}@example.org", "password": PASSWORD}
            return client.post("/v1/users", json=form, headers={"x-forwarded-for": origin}).status_code

        one_network = ["2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::3", "2001:db8::4"]
        assert [status(number, origin) for number, origin in enumerate(one_network)] == [201, 201, 201, 429]
        assert status(9, "2001:db8:0:1::1") == 201
