"""Attacks on links by e-mail: telling addresses, reusing and redirecting links, flooding a mailbox."""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Iterator

import httpx
import pytest

from tests.end_to_end.conftest import PASSWORD, Stack
from tests.support.mail_server import MailServer, mail_server, mail_variables, token_in
from tests.support.stack import tiny_stack

ANOTHER = "yet another long passphrase"
PUBLIC_URL = "https://hepar.hospital.example"


@pytest.fixture(scope="module")
def mail() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture(scope="module")
def mailing(mail: MailServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    variables = mail_variables(mail.port, public_url=PUBLIC_URL)
    with tiny_stack(tmp_path_factory.mktemp("mailing"), **variables) as stack:
        yield stack


@pytest.fixture(scope="module")
def verifying(mail: MailServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Of a stack on which new accounts must confirm their address."""
    variables = mail_variables(mail.port, public_url=PUBLIC_URL, email_verification="true")
    with (
        tiny_stack(tmp_path_factory.mktemp("verifying"), **variables) as stack,
        httpx.Client(base_url=stack.settings.gateway_url, timeout=60, trust_env=False) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def visitor(mailing: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=mailing.settings.gateway_url, timeout=60, trust_env=False) as client:
        yield client


def new_account(visitor: httpx.Client) -> str:
    email = f"{uuid.uuid4().hex}@example.org"
    assert visitor.post("/v1/users", json={"email": email, "password": PASSWORD}).status_code == 201
    return email


def sign_in(visitor: httpx.Client, email: str, password: str) -> httpx.Response:
    return visitor.post("/v1/token", data={"username": email, "password": password})


def forgotten(visitor: httpx.Client, email: str, **headers: str) -> httpx.Response:
    return visitor.post("/v1/password-reset", json={"email": email}, headers=headers)


def test_the_answer_does_not_tell_whether_an_address_has_an_account(visitor: httpx.Client, mail: MailServer) -> None:
    known = new_account(visitor)
    answers = [forgotten(visitor, email) for email in (known, f"{uuid.uuid4().hex}@example.org")]
    told = [
        (answer.status_code, answer.content, {name for name in answer.headers if name != "date"}) for answer in answers
    ]
    assert told[0] == told[1]
    mail.wait_for(known)


def test_one_of_many_uses_of_a_link_at_the_same_time_succeeds(
    mailing: Stack, visitor: httpx.Client, mail: MailServer
) -> None:
    email = new_account(visitor)
    tokens = sign_in(visitor, email, PASSWORD).json()
    forgotten(visitor, email)
    token = token_in(mail.wait_for(email))
    statuses: list[int] = []
    start = threading.Barrier(8)

    def use(number: int) -> None:
        form = {"token": token, "new_password": f"{ANOTHER} {number}"}
        start.wait()
        answer = httpx.put(f"{mailing.settings.gateway_url}/v1/password-reset", json=form, timeout=60, trust_env=False)
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [204] + [403] * 7
    refreshed = visitor.post(
        "/v1/token", data={"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    )
    assert refreshed.status_code in (400, 401), "the sessions of a thief end"


def test_nobody_signs_in_before_the_owner_of_the_mailbox_confirms_the_address(
    verifying: httpx.Client, mail: MailServer
) -> None:
    email = new_account(verifying)
    refused = sign_in(verifying, email, PASSWORD)
    assert (refused.status_code, refused.json()["type"]) == (400, "/problems/address-not-verified")
    guessed = verifying.put("/v1/address-verification", json={"token": "x" * 43})
    assert (guessed.status_code, guessed.json()["type"]) == (403, "/problems/invalid-link")
    message = mail.wait_for(email)
    assert f"{PUBLIC_URL}/verify-address#" in message.get_content()
    token = token_in(message)
    reset = {"token": token, "new_password": ANOTHER}
    assert verifying.put("/v1/password-reset", json=reset).status_code == 403, "the link is for one purpose"
    assert verifying.put("/v1/address-verification", json={"token": token}).status_code == 204
    assert sign_in(verifying, email, PASSWORD).status_code == 200
    assert verifying.put("/v1/address-verification", json={"token": token}).status_code == 403, "single-use"


def test_asking_for_a_verification_link_tells_nothing_and_floods_no_mailbox(
    verifying: httpx.Client, mail: MailServer
) -> None:
    known, unknown = new_account(verifying), f"{uuid.uuid4().hex}@example.org"

    def requested(email: str) -> httpx.Response:
        return verifying.post("/v1/address-verification", json={"email": email})

    answers = [requested(email) for email in (known, unknown)]
    assert [(answer.status_code, answer.content) for answer in answers] == [(202, answers[0].content)] * 2
    statuses = [requested(known).status_code for _ in range(10)]
    assert set(statuses) == {202, 429}
    assert statuses.count(202) == 2
    mail.wait_for(known, count=4)
    assert mail.to(unknown) == []


def test_the_caller_does_not_decide_where_a_link_leads(mailing: Stack, visitor: httpx.Client, mail: MailServer) -> None:
    """Password reset poisoning: a Host or X-Forwarded-Host of the attacker in the link."""
    email = new_account(visitor)
    assert forgotten(
        visitor, email, **{"x-forwarded-host": "evil.example", "origin": "https://evil.example"}
    ).is_success
    body = b'{"email": "%s"}' % email.encode()
    head = b"POST /v1/password-reset HTTP/1.1\r\nHost: evil.example\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", mailing.settings.gateway_port), timeout=60) as connection:
        connection.sendall(head + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        assert b" 202 " not in connection.recv(65536).split(b"\r\n")[0]
    content = mail.wait_for(email).get_content()
    assert f"{PUBLIC_URL}/reset-password#" in content
    assert "evil.example" not in content


@pytest.mark.parametrize(
    "email", ["a@example.org\r\nBcc: b@example.org", "a@example.org, b@example.org", "a@example.org\n"]
)
def test_an_address_adds_no_header_and_no_recipient(visitor: httpx.Client, mail: MailServer, email: str) -> None:
    answer = forgotten(visitor, email)
    assert answer.status_code in (202, 422)
    assert mail.to("b@example.org") == []


def test_a_mailbox_is_not_flooded(visitor: httpx.Client, mail: MailServer) -> None:
    email = new_account(visitor)
    statuses = [forgotten(visitor, email).status_code for _ in range(20)]
    assert statuses.count(202) <= 3
    assert set(statuses) == {202, 429}


def test_no_log_has_a_token_or_an_address(mailing: Stack, visitor: httpx.Client, mail: MailServer) -> None:
    email = new_account(visitor)
    assert forgotten(visitor, email).status_code == 202
    token = token_in(mail.wait_for(email))
    assert visitor.put("/v1/password-reset", json={"token": token, "new_password": ANOTHER}).status_code == 204
    assert sign_in(visitor, email, ANOTHER).status_code == 200
    assert token not in mailing.logs()
    assert email not in mailing.logs()
