"""Retries, keys, and responses that are not a gateway's."""

from __future__ import annotations

import asyncio
import time

import httpx
import pytest
from hepar_client import AsyncHepar, GatewayUnreachable, Hepar, HeparProblem, Options, UnexpectedResponse
from hepar_client.calls import Call, batch
from hepar_client.contracts.tokens import AccessToken
from hepar_client.responses import retry_delay_s

from hepar.contracts.base import example_of
from hepar.contracts.studies import Study
from tests.support.scripted_gateway import MODELS, ScriptedGateway, problem
from tests.support.serving import serving

TOKEN = AccessToken(access_token="one", expires_in=600, scope="analyses", refresh_token="first")


def test_it_waits_for_retry_after_and_repeats_with_the_same_key() -> None:
    gateway = ScriptedGateway(
        [(429, {"retry-after": "1"}, problem(429)), (503, {"retry-after": "1"}, problem(503)), (201, {}, b"{}")]
    )
    with serving(gateway) as url, Hepar(url) as hepar:
        began = time.monotonic()
        with pytest.raises(UnexpectedResponse):
            hepar.sign_up("a@example.org", "a long enough password")
        assert time.monotonic() - began >= 2
    keys = [request.headers["idempotency-key"] for request in gateway.received]
    assert len(keys) == 3
    assert len(set(keys)) == 1


def test_it_gives_up_after_four_attempts() -> None:
    gateway = ScriptedGateway([(503, {"retry-after": "0"}, problem(503))] * 9)
    with serving(gateway) as url, Hepar(url, TOKEN) as hepar, pytest.raises(HeparProblem):
        hepar.models()
    assert len(gateway.received) == 4


def test_a_missing_gateway_and_a_foreign_server_are_errors_of_their_own() -> None:
    with Hepar("http://127.0.0.1:9", TOKEN) as hepar, pytest.raises(GatewayUnreachable):
        hepar.models()
    for status in (200, 500):
        foreign = ScriptedGateway([(status, {}, b"<html>")])
        with serving(foreign) as url, Hepar(url, TOKEN) as hepar, pytest.raises(UnexpectedResponse):
            hepar.models()


def test_an_event_stream_without_its_end_is_an_error() -> None:
    cut_off = ScriptedGateway([(200, {"content-type": "text/event-stream"}, b"")])
    with serving(cut_off) as url, Hepar(url, TOKEN) as hepar, pytest.raises(UnexpectedResponse, match="stopped"):
        list(hepar.analyse_as_ready([b"image"]))


def test_comments_between_the_events_of_a_study_are_ignored() -> None:
    study = Study.model_validate(example_of(Study))
    event = f"event: study\nid: 1-1\ndata: {study.model_dump_json()}\n\n"
    stream = f"{event}: ping\n\n{event}: ping\n\nevent: end\ndata: {{}}\n\n".encode()
    gateway = ScriptedGateway([(200, {"content-type": "text/event-stream"}, stream)] * 2)

    async def followed(url: str) -> list[str]:
        async with AsyncHepar(url, TOKEN) as hepar:
            return [item.id async for item in hepar.studies.follow(study.id)]

    with serving(gateway) as url, Hepar(url, TOKEN) as hepar:
        assert [item.id for item in hepar.studies.follow(study.id)] == [study.id] * 2
        assert asyncio.run(followed(url)) == [study.id] * 2


def test_fields_that_a_newer_gateway_adds_are_ignored() -> None:
    newer = ScriptedGateway([(200, {}, MODELS.replace(b"{", b'{"new": 1, '))])
    with serving(newer) as url, Hepar(url, TOKEN) as hepar:
        assert hepar.models().models == []


@pytest.mark.parametrize(
    ("status", "headers", "attempts", "seconds"),
    [
        (200, {}, 1, None), (404, {}, 1, None), (503, {}, 1, 0.5), (503, {}, 3, 2.0), (503, {}, 4, None),
        (429, {"retry-after": "7"}, 1, 7.0), (429, {"retry-after": "3600"}, 1, None),
        (429, {"retry-after": "x"}, 2, 1.0), (409, {}, 1, None), (409, {"retry-after": "1"}, 1, 1.0),
    ],
)  # fmt: skip
def test_retry_delay(status: int, headers: dict[str, str], attempts: int, seconds: float | None) -> None:
    assert retry_delay_s(httpx.Response(status, headers=headers), attempts) == seconds


def test_only_a_post_has_an_idempotency_key() -> None:
    assert Call("POST", "/", idempotency_key="k").arguments()["headers"] == {"Idempotency-Key": "k"}
    assert Call("GET", "/").arguments()["headers"] == {}


def test_a_batch_does_not_send_file_names(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("images") / "Doe^Jane.png"
    file.write_bytes(b"image")
    body = httpx.Request(**batch([file], Options(), "application/json").arguments()).read()
    assert b"image" in body
    assert b"Jane" not in body


def test_options_become_query_parameters() -> None:
    options = Options(vote="majority_vote", explain=True, classifiers=["a", "b"], detectors=["c"], frame=2)
    assert options.query() == [
        ("vote", "majority_vote"), ("frame", "2"), ("explain", "true"),
        ("classifiers", "a"), ("classifiers", "b"), ("detectors", "c"),
    ]  # fmt: skip
