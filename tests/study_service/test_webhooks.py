"""Webhooks: registered, signed, repeated after failures, and sent nowhere that the operator did not allow."""

from __future__ import annotations

import asyncio
import json
import socket
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from hepar.contracts.study_events import StudyNotification
from hepar.core.networks import parsed_networks
from hepar.storage.database import open_database
from hepar.storage.encryption import load_key_ring
from study_service.migrations import MIGRATIONS
from study_service.webhooks.deliveries import RETRIES, WebhookSender
from study_service.webhooks.targets import TargetRefused, TargetRules
from tests.support.finished_studies import fail_study, finish_study
from tests.support.study_api import StudyApi, ct_files, study_api
from tests.support.tokens import TokenAuthority
from tests.support.webhook_receiver import WebhookReceiver, webhook_receiver

LOOPBACK = ["127.0.0.0/8", "::1/128"]


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    with webhook_receiver() as running:
        yield running


@pytest.fixture
def api(authority: TokenAuthority, tmp_path: Path, receiver: WebhookReceiver) -> Iterator[StudyApi]:
    host = receiver.url.removeprefix("http://")
    with study_api(tmp_path, authority, webhook_hosts=[host], webhook_networks=LOOPBACK) as running:
        yield running


def register(api: StudyApi, receiver: WebhookReceiver, subject: str = "ann", **more: object) -> dict[str, Any]:
    answer = api.call("POST", "/v1/webhooks", subject, json={"url": f"{receiver.url}/{subject}?a=1"} | more)
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/v1/webhooks/{document['id']}"
    return document


def test_a_finished_and_a_failed_study_call_the_webhooks_of_their_owner(
    api: StudyApi, receiver: WebhookReceiver
) -> None:
    secret = register(api, receiver)["secret"]
    register(api, receiver, "ben")
    finished, failed = api.send(ct_files())["id"], api.send(ct_files())["id"]
    finish_study(api.settings, finished)
    (first,) = receiver.wait_for(1)
    fail_study(api.settings, failed)
    _, second = receiver.wait_for(2)
    seen = [StudyNotification.model_validate_json(call.body) for call in (first, second)]
    assert [(item.type, item.study_id, item.status) for item in seen] == [
        ("study.finished", finished, "finished"),
        ("study.failed", failed, "failed"),
    ]
    assert seen[0].study == f"/v1/studies/{finished}"
    assert first.is_signed_with(secret)
    assert second.is_signed_with(secret)
    assert not first.is_signed_with("whsec_" + "A" * 44)
    assert first.path == "/ann"
    assert first.headers["host"] == receiver.url.removeprefix("http://")


def test_a_webhook_may_be_for_named_studies_and_chosen_events_only(api: StudyApi, receiver: WebhookReceiver) -> None:
    named = register(api, receiver, every_study=False, events=["finished"])
    one, two, three = (
        api.send(ct_files(), webhook=named["id"])["id"],
        api.send(ct_files())["id"],
        api.send(ct_files(), webhook=named["id"])["id"],
    )
    fail_study(api.settings, three)
    finish_study(api.settings, two)
    finish_study(api.settings, one)
    (call,) = receiver.wait_for(1)
    assert json.loads(call.body)["study_id"] == one
    foreign = api.call("POST", "/v1/studies", "ben", params={"webhook": named["id"]}, content=b"x")
    assert foreign.json()["type"] == "/problems/no-such-webhook"


def test_the_secret_is_shown_once_and_a_deleted_webhook_is_not_called(api: StudyApi, receiver: WebhookReceiver) -> None:
    made = register(api, receiver)
    (listed,) = api.call("GET", "/v1/webhooks").json()["items"]
    assert (listed["id"], listed["secret"], made["secret"][:6]) == (made["id"], None, "whsec_")
    assert api.call("GET", "/v1/webhooks", "ben").json()["items"] == []
    assert api.call("DELETE", f"/v1/webhooks/{made['id']}", "ben").status_code == 404
    assert api.call("DELETE", f"/v1/webhooks/{made['id']}").status_code == 204
    for file in Path(api.settings.database_url.partition("///")[2]).parent.glob("studies.sqlite3*"):
        assert made["secret"].encode() not in file.read_bytes()
    finish_study(api.settings, api.send(ct_files())["id"])
    other = register(api, receiver)
    finish_study(api.settings, api.send(ct_files())["id"])
    (call,) = receiver.wait_for(1)
    assert call.is_signed_with(other["secret"])


def test_a_redirect_is_a_failure_and_is_not_followed(api: StudyApi, receiver: WebhookReceiver) -> None:
    with webhook_receiver() as elsewhere:
        receiver.statuses, receiver.location = [307], f"{elsewhere.url}/stolen"
        made = register(api, receiver)
        finish_study(api.settings, api.send(ct_files())["id"])
        receiver.wait_for(1)
        assert failures(api, made["id"], at_least=1) == (307, 1)
        assert elsewhere.received == []


def failures(api: StudyApi, webhook_id: str, at_least: int) -> tuple[int | None, int]:
    ends_at = time.monotonic() + 60
    while True:
        items = {item["id"]: item for item in api.call("GET", "/v1/webhooks").json()["items"]}
        found = items[webhook_id]
        if found["failed_attempts"] >= at_least:
            return found["last_status"], found["failed_attempts"]
        assert time.monotonic() < ends_at
        time.sleep(0.05)


def test_a_call_is_repeated_with_growing_delays_and_given_up(
    authority: TokenAuthority, tmp_path: Path, receiver: WebhookReceiver
) -> None:
    """With a clock that the test moves; the app, which would send too, has ended."""
    host = receiver.url.removeprefix("http://")
    with study_api(tmp_path, authority, webhook_hosts=[host], webhook_networks=LOOPBACK) as api:
        register(api, receiver)
        study_id = api.send(ct_files())["id"]
    receiver.statuses = [500] * RETRIES.attempts_max
    finish_study(api.settings, study_id)
    now = datetime.now(UTC)
    waited_s = asyncio.run(attempts(api, receiver, now))
    assert waited_s == sorted(waited_s)
    assert (waited_s[0], waited_s[-1]) == (10, 6 * 3600)
    assert len(receiver.received) == RETRIES.attempts_max
    assert len({call.headers["webhook-id"] for call in receiver.received}) == 1
    with sqlite3.connect(api.settings.database_url.partition("///")[2]) as connection:
        assert connection.execute("SELECT count(*) FROM webhook_deliveries").fetchone() == (0,)


async def attempts(api: StudyApi, receiver: WebhookReceiver, start: datetime) -> list[int]:
    """Seconds between the attempts, found by moving the clock to the next one."""
    moved = timedelta()
    rules = TargetRules(frozenset(api.settings.webhook_hosts), parsed_networks(LOOPBACK), https_only=False)
    waits: list[int] = []
    async with (
        open_database(api.settings.database_url, MIGRATIONS, "studies") as database,
        httpx.AsyncClient(follow_redirects=False, trust_env=False, timeout=60) as client,
    ):
        sender = WebhookSender(database, load_key_ring(api.settings.key_file), rules, client, lambda: start + moved)
        await sender.send_next()
        while len(receiver.received) < RETRIES.attempts_max:
            before, count = moved, len(receiver.received)
            for step_s in (10, 40, 160, 640, 2560, 10240, 6 * 3600):
                moved = before + timedelta(seconds=step_s)
                await sender.send_next()
                if len(receiver.received) > count:
                    waits.append(step_s)
                    break
            assert len(receiver.received) == count + 1
        await sender.send_next()
    return waits


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example.org/",
        "https://hooks.example.org:8443/",
        "https://hooks.example.org@169.254.169.254/",
        "http://169.254.169.254/latest/meta-data",
        "ftp://hooks.example.org/",
        "https:///path",
        "https://hooks.example.org.attacker.example/",
        "https://hooks.example.org\\@attacker.example/",
        "http://[::1]:99999/",
        "file:///etc/passwd",
    ],
)
def test_only_allowed_hosts_can_be_registered(authority: TokenAuthority, tmp_path: Path, url: str) -> None:
    with study_api(tmp_path, authority, webhook_hosts=["hooks.example.org"]) as api:
        refused = api.call("POST", "/v1/webhooks", json={"url": url})
        assert refused.status_code == 422, refused.text
        assert refused.json()["errors"][0]["pointer"] == "/url"
        assert api.call("POST", "/v1/webhooks", json={"url": "https://hooks.example.org/x?y=z"}).status_code == 201


def test_without_a_setting_no_webhook_can_be_registered(authority: TokenAuthority, tmp_path: Path) -> None:
    with study_api(tmp_path, authority) as api:
        assert api.call("POST", "/v1/webhooks", json={"url": "https://hooks.example.org/"}).status_code == 422


def resolved(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """What the name server says."""

    async def getaddrinfo(*_: object, **__: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in addresses]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"], ["10.0.0.8"], ["192.168.1.1"], ["172.16.0.1"], ["169.254.169.254"], ["0.0.0.0"], ["100.64.0.1"],  # noqa: S104
        ["224.0.0.1"], ["::1"], ["fe80::1"], ["fd00::1"], ["::ffff:127.0.0.1"], ["::ffff:10.0.0.1"], ["2002:7f00:1::"],
        ["64:ff9b::a00:1"],
        ["8.8.8.8", "10.0.0.8"], [],
    ],
)  # fmt: skip
def test_an_allowed_name_that_leads_into_the_network_is_refused(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str]
) -> None:
    resolved(monkeypatch, *addresses)
    rules = TargetRules(frozenset({"hooks.example.org"}), [], https_only=True)
    with pytest.raises(TargetRefused):
        asyncio.run(rules.target("https://hooks.example.org/x"))


def test_the_call_goes_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    resolved(monkeypatch, "8.8.8.8")
    rules = TargetRules(frozenset({"hooks.example.org"}), parsed_networks(["10.1.0.0/16"]), https_only=True)
    target = asyncio.run(rules.target("https://hooks.example.org/x?y=z"))
    assert (target.url, target.host, target.host_header) == (
        "https://8.8.8.8:443/x?y=z",
        "hooks.example.org",
        "hooks.example.org",
    )
    with pytest.raises(TargetRefused, match="https"):
        asyncio.run(rules.target("http://hooks.example.org/x"))
    resolved(monkeypatch, "10.1.2.3")
    assert asyncio.run(rules.target("https://hooks.example.org/")).url == "https://10.1.2.3:443/"
