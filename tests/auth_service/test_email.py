"""Links by e-mail, sent through a real SMTP server: forgotten passwords and the verification of addresses."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pyotp.totp import TOTP
from sqlalchemy import event, update

from auth_service import email_delivery, email_links
from auth_service.email_delivery import ATTEMPTS_MAX
from auth_service.email_tables import StoredEmail, StoredLink
from auth_service.settings import AuthSettings
from tests.support.auth_client import EMAIL, PASSWORD, AuthTestClient
from tests.support.email_links import ANOTHER, execute, forgotten, reset, rows, running
from tests.support.mail_server import (
    SENDER,
    MailServer,
    mail_settings,
    token_in,
)


@pytest.fixture
def auth(mailing: AuthTestClient) -> AuthTestClient:
    return mailing


@pytest.fixture
def verifying(
    auth_settings: AuthSettings, mail: MailServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[AuthTestClient]:
    monkeypatch.setattr("auth_service.app._DELIVERY_S", 0.05)
    with running(auth_settings, **mail_settings(mail.port, email_verification=True)) as client:
        yield client


def with_token(auth: AuthTestClient, mail: MailServer) -> str:
    """Of a link for the person at EMAIL."""
    auth.person()
    assert forgotten(auth).status_code == 202
    return token_in(mail.wait_for(EMAIL))


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_forgotten_password_is_replaced_by_a_link(auth: AuthTestClient, mail: MailServer) -> None:
    auth.person()
    tokens = auth.tokens()
    assert forgotten(auth).status_code == 202
    message = mail.wait_for(EMAIL)
    assert (message["From"], message["To"]) == (SENDER, EMAIL)
    assert "http://127.0.0.1:8080/reset-password#" in message.get_content()
    assert reset(auth, token_in(message)).status_code == 204
    assert auth.sign_in().status_code == 400, "the old password"
    assert auth.sign_in(password=ANOTHER).status_code == 200
    assert auth.refresh(tokens["refresh_token"]).status_code in (400, 401), "all sessions have ended"
    assert auth.me({"authorization": f"Bearer {tokens['access_token']}"}).status_code == 401
    audited = [entry for entry in auth.audit() if str(entry["event"]).startswith("password_reset")]
    assert [entry["event"] for entry in audited] == ["password_reset_requested", "password_reset"]
    assert all(entry["subject"] for entry in audited)


def test_a_link_is_single_use(auth: AuthTestClient, mail: MailServer) -> None:
    token = with_token(auth, mail)
    assert [reset(auth, token).status_code for _ in range(2)] == [204, 403]


def test_of_parallel_uses_of_a_link_one_succeeds(auth: AuthTestClient, mail: MailServer) -> None:
    token = with_token(auth, mail)

    async def use_at_once() -> list[object]:
        uses = (
            email_links.reset_password(auth.dependencies, token, f"parallel passphrase {number}", None)
            for number in range(4)
        )
        return await asyncio.gather(*uses, return_exceptions=True)

    assert auth.client.portal is not None
    results = auth.client.portal.call(use_at_once)
    assert results.count(None) == 1
    assert sum(isinstance(result, email_links.InvalidLink) for result in results) == 3


def test_a_link_expires(auth: AuthTestClient, mail: MailServer) -> None:
    token = with_token(auth, mail)
    (link,) = rows(auth, StoredLink)
    execute(auth, update(StoredLink).values(expires_at=link.expires_at - email_links.LIFETIMES["password_reset"]))
    refused = reset(auth, token)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/invalid-link")
    assert auth.sign_in().status_code == 200


def test_another_change_of_the_password_invalidates_the_link(auth: AuthTestClient, mail: MailServer) -> None:
    token = with_token(auth, mail)
    form = {"current_password": PASSWORD, "new_password": "a third long passphrase"}
    assert auth.client.put("/v1/users/me/password", json=form, headers=auth.bearer()).status_code == 204
    assert reset(auth, token).status_code == 403


def test_using_a_link_invalidates_the_others(auth: AuthTestClient, mail: MailServer) -> None:
    first = with_token(auth, mail)
    assert forgotten(auth).status_code == 202
    second = token_in(mail.wait_for(EMAIL, count=2))
    assert first != second
    assert [reset(auth, token).status_code for token in (first, second)] == [204, 403], "the first was still valid"


def test_a_weak_password_does_not_use_up_the_link(auth: AuthTestClient, mail: MailServer) -> None:
    token = with_token(auth, mail)
    weak = reset(auth, token, "password password")
    assert (weak.status_code, weak.json()["errors"][0]["pointer"]) == (422, "/new_password")
    assert reset(auth, token).status_code == 204


def test_a_link_of_one_kind_is_not_valid_for_the_other(verifying: AuthTestClient, mail: MailServer) -> None:
    token = with_token(verifying, mail)
    assert verifying.client.put("/v1/address-verification", json={"token": token}).status_code == 403
    assert (
        verifying.client.put("/v1/password-reset", json={"token": "x" * 43, "new_password": ANOTHER}).status_code == 403
    )


def test_a_second_factor_stays(auth: AuthTestClient, mail: MailServer) -> None:
    auth.person()
    headers = auth.bearer()
    path, confirmation = "/v1/users/me/second-factor", {"password": PASSWORD}
    secret = auth.client.post(path, json=confirmation, headers=headers).json()["secret"]
    code = confirmation | {"code": TOTP(secret).now()}
    assert auth.client.put(path, json=code, headers=headers).status_code == 200
    assert forgotten(auth).status_code == 202
    assert reset(auth, token_in(mail.wait_for(EMAIL))).status_code == 204
    assert auth.sign_in(password=ANOTHER).json()["type"] == "/problems/second-factor-required"


def test_known_and_unknown_addresses_get_the_same_answer_for_the_same_work(
    auth_settings: AuthSettings, mail: MailServer
) -> None:
    """The handler never reads an account; the delivery, which does, is not running here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("auth_service.app.EmailDelivery.deliver_due", _nothing)
        with running(auth_settings, **mail_settings(mail.port)) as auth:
            auth.person()
            seen: list[list[str]] = []
            answers = []
            engine = auth.dependencies.database._writing_engine.sync_engine
            for email in (EMAIL, "nobody@example.org"):
                statements: list[str] = []

                def note(*arguments: Any, into: list[str] = statements) -> None:  # noqa: ANN401
                    into.append(arguments[2])

                event.listen(engine, "before_cursor_execute", note)
                answer = forgotten(auth, email)
                event.remove(engine, "before_cursor_execute", note)
                answers.append((answer.status_code, answer.content, sorted(set(answer.headers) - {"x-request-id"})))
                seen.append(statements)
    assert answers[0] == answers[1]
    assert seen[0] == seen[1]
    assert seen[0]
    assert not any("accounts" in statement for statement in seen[0])
    assert mail.attempts == 0


async def _nothing(_delivery: object) -> None:
    """In place of the delivery."""


def test_nothing_is_sent_to_an_unknown_address_or_a_deactivated_account(auth: AuthTestClient, mail: MailServer) -> None:
    administrator = auth.administrator()
    account = auth.person(email="grace@example.org")
    assert auth.client.post(f"/v1/users/{account}/deactivate", headers=administrator).status_code == 200
    for email in ("nobody@example.org", "grace@example.org"):
        assert forgotten(auth, email).status_code == 202
    eventually(lambda: rows(auth, StoredEmail) == [])
    assert mail.attempts == 0
    assert "password_reset_requested" not in auth.events()


def test_a_link_of_an_account_that_was_deactivated_since_is_refused(auth: AuthTestClient, mail: MailServer) -> None:
    administrator = auth.administrator()
    account = auth.person()
    forgotten(auth)
    token = token_in(mail.wait_for(EMAIL))
    assert auth.client.post(f"/v1/users/{account}/deactivate", headers=administrator).status_code == 200
    assert reset(auth, token).status_code == 403


@pytest.mark.parametrize("email", [EMAIL, "nobody@example.org"])
def test_requests_for_an_address_are_limited(auth: AuthTestClient, mail: MailServer, email: str) -> None:
    auth.person()
    answers = [forgotten(auth, email) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [202, 202, 202, 429, 429]
    assert int(answers[-1].headers["retry-after"]) > 60


@pytest.mark.parametrize("network", ["203.0.113.7", "2001:db8:0:1::{}"])
def test_requests_from_a_network_are_limited(auth: AuthTestClient, network: str) -> None:
    def request(number: int, origin: str) -> int:
        form = {"email": f"person{number}@example.org"}
        return auth.client.post("/v1/password-reset", json=form, headers={"x-forwarded-for": origin}).status_code

    statuses = [request(number, network.format(number)) for number in range(31)]
    assert statuses == [202] * 30 + [429]
    assert request(99, "2001:db8:0:2::1") == 202, "another network"


def test_the_database_has_no_token(auth: AuthTestClient, mail: MailServer) -> None:
    token = with_token(auth, mail)
    (link,) = rows(auth, StoredLink)
    assert token not in str(vars(link))
    assert link.hash == email_links.token_hash(token)


def test_a_failed_delivery_is_repeated(
    auth: AuthTestClient, mail: MailServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(email_delivery, "_FIRST_DELAY_S", 0.01)
    auth.person()
    mail.refusing = True
    with caplog.at_level(logging.ERROR):
        forgotten(auth)
        eventually(lambda: mail.attempts >= 2)
        mail.refusing = False
    token = token_in(mail.wait_for(EMAIL))
    assert EMAIL not in caplog.text
    assert "SMTPDataError" in str([vars(record) for record in caplog.records])
    eventually(lambda: rows(auth, StoredEmail) == [])
    assert len(rows(auth, StoredLink)) == 1, "links that did not arrive are deleted"
    assert reset(auth, token).status_code == 204


def test_delivery_is_given_up_after_several_attempts(
    auth: AuthTestClient, mail: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(email_delivery, "_FIRST_DELAY_S", 0.001)
    auth.person()
    mail.refusing = True
    forgotten(auth)
    eventually(lambda: rows(auth, StoredEmail) == [])
    assert mail.attempts == ATTEMPTS_MAX
    assert rows(auth, StoredLink) == []


def test_an_address_is_verified_before_the_first_sign_in(verifying: AuthTestClient, mail: MailServer) -> None:
    assert verifying.sign_up().status_code == 201
    refused = verifying.sign_in()
    assert (refused.status_code, refused.json()["type"]) == (400, "/problems/address-not-verified")
    assert verifying.sign_in(password="wrong " + PASSWORD).json()["type"] == "/problems/wrong-credentials"
    token = token_in(mail.wait_for(EMAIL))
    verify = {"token": token}
    assert [verifying.client.put("/v1/address-verification", json=verify).status_code for _ in range(2)] == [204, 403]
    assert verifying.sign_in().status_code == 200
    expected = ["address_verification_requested", "address_verified"]
    assert [name for name in verifying.events() if name.startswith("address_")] == expected


def test_the_verification_can_be_sent_again(verifying: AuthTestClient, mail: MailServer) -> None:
    verifying.sign_up()
    mail.wait_for(EMAIL)
    assert verifying.client.post("/v1/address-verification", json={"email": EMAIL}).status_code == 202
    token = token_in(mail.wait_for(EMAIL, count=2))
    assert verifying.client.put("/v1/address-verification", json={"token": token}).status_code == 204
    assert verifying.client.post("/v1/address-verification", json={"email": EMAIL}).status_code == 202
    eventually(lambda: rows(verifying, StoredEmail) == [])
    assert len(mail.received) == 2, "a verified address gets no more"


def test_verification_does_not_replace_approval(auth_settings: AuthSettings, mail: MailServer) -> None:
    with running(auth_settings, **mail_settings(mail.port, email_verification=True, signup="approval")) as auth:
        auth.sign_up()
        token = token_in(mail.wait_for(EMAIL))
        assert auth.client.put("/v1/address-verification", json={"token": token}).status_code == 204
        assert auth.sign_in().json()["type"] == "/problems/account-not-active"


def test_without_a_mail_server_links_are_not_offered(auth_settings: AuthSettings) -> None:
    with running(auth_settings) as auth:
        options = auth.client.get("/v1/account-options").json()
        assert options == {"sign_up": "open", "password_reset": False, "address_verification": False}
        for path in ("/v1/password-reset", "/v1/address-verification"):
            refused = auth.client.post(path, json={"email": EMAIL})
            assert (refused.status_code, refused.json()["type"]) == (404, "/problems/email-not-offered")
        auth.sign_up()
        assert auth.sign_in().status_code == 200


def test_a_server_with_e_mail_says_what_it_offers(verifying: AuthTestClient) -> None:
    options = verifying.client.get("/v1/account-options").json()
    assert options == {"sign_up": "open", "password_reset": True, "address_verification": True}
