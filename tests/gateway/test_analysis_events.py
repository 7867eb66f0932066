"""A batch as server-sent events."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.settings import GatewaySettings
from tests.support.gateway_client import DARK, NOWHERE, Misbehaving, Surroundings, bearer, gateway, problem
from tests.support.pictures import encoded, gradient, nearly_flat
from tests.support.serving import serving

EVENTS = {"accept": "text/event-stream"}
FILES = [("image", ("a.png", DARK)), ("image", ("b.png", b"no image")), ("image", ("c.png", encoded(nearly_flat(255))))]


def events_of(text: str) -> list[tuple[str, Any]]:
    found = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


@pytest.mark.parametrize(
    ("path", "part"), [("/v1/classifications/batch", "votes"), ("/v1/detections/batch", "detectors")]
)
def test_each_answer_comes_as_an_event_and_then_the_end(around: Surroundings, path: str, part: str) -> None:
    with gateway(around) as client:
        answer = client.post(path, files=FILES, headers=bearer(around) | EVENTS)
        whole = client.post(path, files=FILES, headers=bearer(around)).json()["items"]
    assert answer.headers["content-type"].startswith("text/event-stream")
    *items, end = events_of(answer.text)
    assert end == ("end", {"count": 3})
    by_index = {data["index"]: data["item"] for _, data in items}
    assert sorted(by_index) == [0, 1, 2]
    assert by_index[1]["type"] == whole[1]["type"] == "/problems/unsupported-media"
    for index in (0, 2):
        assert len(by_index[index][part]) == len(whole[index][part]) == 2


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/event-stream", "text/event-stream"),
        ("Text/Event-Stream, */*", "text/event-stream"),
        ("application/json;q=0.5, text/event-stream", "text/event-stream"),
        ("application/json, text/event-stream, application/problem+json", "application/json"),  # openapi-generator
        ("application/json, text/event-stream; q=0.9", "application/json"),
        ("text/event-stream;q=0", "application/json"),
        ("*/*", "application/json"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/classifications/batch", "/v1/analyses/batch"])
def test_events_are_sent_to_a_caller_that_prefers_them(around: Surroundings, path: str, accept: str, kind: str) -> None:
    with gateway(around) as client:
        answer = client.post(path, files=FILES[:1], headers=bearer(around) | {"accept": accept})
    assert answer.headers["content-type"].startswith(kind)


def test_an_analysis_comes_when_both_parts_are_there(around: Surroundings) -> None:
    with gateway(around) as client:
        answer = client.post("/v1/analyses/batch", files=FILES, headers=bearer(around) | EVENTS)
    *items, end = events_of(answer.text)
    assert end == ("end", {"count": 3})
    by_index = {data["index"]: data["item"] for _, data in items}
    assert by_index[0]["classification"]["label"] == "metastasis"
    assert by_index[0]["detection"]["boxes"]
    assert {by_index[1][part]["status"] for part in ("classification", "detection")} == {415}


def test_a_service_that_is_down_says_so_in_each_of_its_places(around: Surroundings) -> None:
    with gateway(around, detect_url=NOWHERE) as client:
        answer = client.post("/v1/analyses/batch", files=FILES, headers=bearer(around) | EVENTS)
    *items, end = events_of(answer.text)
    assert end == ("end", {"count": 3})
    assert {data["item"]["detection"]["status"] for _, data in items} == {503}
    assert sorted(data["item"]["classification"].get("status", 200) for _, data in items) == [200, 200, 415]


def test_where_both_are_down_there_is_no_stream_but_a_problem(around: Surroundings) -> None:
    with gateway(around, detect_url=NOWHERE, classify_url=NOWHERE) as client:
        for path in ("/v1/analyses/batch", "/v1/classifications/batch", "/v1/detections/batch"):
            assert problem(client.post(path, files=FILES, headers=bearer(around) | EVENTS)).status == 503


def test_a_stream_that_is_cut_off_or_wrong_is_a_problem(around: Surroundings) -> None:
    for body in (b"event: item\ndata: {}\n\n", b"", b"event: other\n\n"):
        broken = Misbehaving(body=body, kind=b"text/event-stream")
        with serving(broken) as url, gateway(around, classify_url=url) as client:
            answer = client.post("/v1/classifications/batch", files=FILES, headers=bearer(around) | EVENTS)
            assert problem(answer).status == 502
            both = client.post("/v1/analyses/batch", files=FILES, headers=bearer(around) | EVENTS)
            *items, end = events_of(both.text)
            assert end == ("end", {"count": 3})
            assert {data["item"]["classification"]["status"] for _, data in items} == {502}


def test_a_refused_batch_is_a_problem(around: Surroundings) -> None:
    with gateway(around) as client:
        empty = client.post("/v1/analyses/batch", files=[("other", b"x")], headers=bearer(around) | EVENTS)
        assert problem(empty).status == 422
        assert problem(client.post("/v1/analyses/batch", files=FILES, headers=EVENTS)).status == 401


def test_the_first_event_comes_before_the_last_image_is_done(around: Surroundings) -> None:
    """Over a real socket: the test client collects an answer before it hands it over."""
    settings = GatewaySettings(
        auth_url=around.auth_url,
        classify_url=around.classify_url,
        detect_url=around.detect_url,
        database_url=f"sqlite+aiosqlite:///{around.folder / 'streamed.sqlite3'}",
    )
    files = [("image", (f"{index}.png", encoded(gradient(900, 900)))) for index in range(24)]
    with (
        serving(create_app(settings)) as url,
        httpx.stream(
            "POST", f"{url}/v1/classifications/batch", files=files, headers=bearer(around) | EVENTS, timeout=60
        ) as answer,
    ):
        times = [time.monotonic() for line in answer.iter_lines() if line.startswith("event: item")]
    assert len(times) == 24
    assert times[-1] - times[0] > 0.02, "they did not come all at once"
