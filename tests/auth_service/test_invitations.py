"""Invitations: an account that an administrator makes, and the link by e-mail that sets its password."""

from __future__ import annotations

from typing import Any

from sqlalchemy import update

from auth_service import email_links
from auth_service.email_tables import StoredLink
from tests.support.auth_client import EMAIL, PASSWORD, AuthTestClient
from tests.support.email_links import ANOTHER, execute, forgotten, reset, rows
from tests.support.mail_server import MailServer, token_in


def invite(mailing: AuthTestClient, **changes: str) -> Any:  # noqa: ANN401
    form = {"email": EMAIL, "role": "clinician", "password": PASSWORD} | changes
    return mailing.client.post("/v1/invitations", json=form, headers=mailing.administrator())


def test_an_invited_person_sets_the_password_by_the_link(mailing: AuthTestClient, mail: MailServer) -> None:
    invited = invite(mailing, email=EMAIL.upper(), group="liver-board")
    assert invited.status_code == 201
    account = invited.json()
    expected = {
        "email": EMAIL,
        "role": "clinician",
        "group": "liver-board",
        "status": "active",
        "last_sign_in_at": None,
    }
    assert {name: account[name] for name in expected} == expected
    message = mail.wait_for(EMAIL)
    assert "http://127.0.0.1:8080/reset-password#" in message.get_content()
    token = token_in(message)
    assert reset(mailing, token).status_code == 204
    assert mailing.sign_in(password=ANOTHER).status_code == 200
    assert reset(mailing, token).status_code == 403, "the link was used"
    events = [entry for entry in mailing.audit() if entry["subject"] == account["id"]]
    assert [entry["event"] for entry in events] == ["invited", "invitation_sent", "password_reset", "signed_in"]
    assert (events[0]["role"], events[0]["group"]) == ("clinician", "liver-board")
    assert events[0]["actor"] not in (None, account["id"])


def test_an_invitation_expires_after_seven_days_and_a_forgotten_password_replaces_it(
    mailing: AuthTestClient, mail: MailServer
) -> None:
    assert invite(mailing).status_code == 201
    token = token_in(mail.wait_for(EMAIL))
    (link,) = rows(mailing, StoredLink)
    execute(mailing, update(StoredLink).values(expires_at=link.expires_at - email_links.LIFETIMES["invitation"]))
    assert reset(mailing, token).status_code == 403
    assert forgotten(mailing).status_code == 202
    mail.wait_for(EMAIL, count=2)
    assert reset(mailing, token_in(mail.to(EMAIL)[-1])).status_code == 204


def test_an_address_that_has_an_account_is_not_invited(mailing: AuthTestClient, mail: MailServer) -> None:
    mailing.person()
    answer = invite(mailing)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/address-in-use")
    assert mailing.sign_in().status_code == 200
    assert not mail.to(EMAIL)
