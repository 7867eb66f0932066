"""Metrics and traces of a real request, as Prometheus and an OTLP receiver see them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from local_stack.settings import StackSettings
from tests.end_to_end.conftest import signed_in, tiny_stack
from tests.support.otlp_receiver import ReceivedSpan, Receiver, otlp_receiver
from tests.support.pictures import encoded, gradient

IMAGE = encoded(gradient(64, 64))
SERVICES = {"hepar-gateway", "hepar-classify_service", "hepar-detect_service"}


@dataclass(frozen=True)
class Watched:
    settings: StackSettings
    receiver: Receiver
    headers: dict[str, str]
    folder: Path


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("watched")
    with otlp_receiver() as receiver:
        variables = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "HEPAR_TRITON_TRACE_URL": f"{receiver.url}/v1/traces",
        }
        with tiny_stack(folder, **variables) as stack:
            with httpx.Client(base_url=stack.settings.gateway_url, timeout=40, trust_env=False) as client:
                headers = signed_in(client)
            yield Watched(stack.settings, receiver, headers, folder)


def analyse(watched: Watched, **headers: str) -> httpx.Response:
    content = {"content-type": "application/octet-stream"}
    return httpx.post(
        f"{watched.settings.gateway_url}/v1/analyses",
        content=IMAGE,
        headers=watched.headers | content | headers,
        timeout=40,
        trust_env=False,
    )


def measured(port: int) -> dict[str, dict[tuple[str, ...], float]]:
    """By name of the sample, its value by the values of its labels, in the order of the labels' names."""
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False, timeout=60).raise_for_status().text
    samples: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return samples


def test_a_request_is_counted_by_every_service_involved(watched: Watched) -> None:
    settings = watched.settings
    before = measured(settings.gateway_metrics_port)
    assert analyse(watched).status_code == 200
    after = measured(settings.gateway_metrics_port)
    route = ("POST", "/v1/analyses", "200")
    assert after["hepar_requests_total"][route] == before.get("hepar_requests_total", {}).get(route, 0) + 1
    assert after["hepar_requests_in_flight"][()] == 0
    assert after["hepar_stage_seconds_count"][("classification",)] >= 1
    classify = measured(settings.classify_metrics_port)
    assert classify["hepar_votes_total"][("metastasis", "classify_tiny", "1")] >= 1
    assert classify["hepar_decisions_total"][("metastasis", "decided")] >= 1
    assert classify["hepar_confidence_count"][()] >= 1
    assert classify["hepar_disagreement_nats_count"][()] >= 1
    assert classify["hepar_input_grey_mean_count"][()] >= 1
    assert classify["hepar_breaker_open"][("classify_tiny",)] == 0
    assert classify["hepar_images_decoding"][()] == 0
    detect = measured(settings.detect_metrics_port)
    assert detect["hepar_boxes_sum"][()] >= 1
    assert detect["hepar_model_seconds_count"][("detect_tiny",)] >= 1
    assert measured(settings.auth_metrics_port)["hepar_account_events_total"][("signed_in",)] >= 1


def test_metrics_are_not_reachable_on_the_public_port(watched: Watched) -> None:
    assert httpx.get(f"{watched.settings.gateway_url}/metrics", trust_env=False, timeout=60).status_code == 404


def traced(watched: Watched) -> tuple[httpx.Response, str, list[ReceivedSpan]]:
    """An answer, the id of the caller's span, and all spans of the trace.

    Triton reports in batches of its own time: where a span does not arrive, another request is traced.
    """

    def complete(spans: list[ReceivedSpan]) -> bool:
        """All services and Triton reported, and the span above each: one trace comes in several batches."""
        calls = {one.span_id for one in spans if one.name == "triton classify_tiny"}
        parents = {one.parent for one in spans}
        own = {one.parent for one in spans if one.service == "triton-inference-server"}
        reported = {one.service for one in spans} >= SERVICES
        linked = parent in parents and parents <= {parent} | {one.span_id for one in spans}
        return reported and linked and bool(calls & own)

    for _ in range(3):
        trace_id, parent = secrets.token_hex(16), secrets.token_hex(8)
        answer = analyse(watched, traceparent=f"00-{trace_id}-{parent}-01")
        spans = watched.receiver.wait_until(trace_id, complete, 30)
        if complete(spans):
            return answer, parent, spans
    raise AssertionError("no trace arrived as a whole")


def test_one_trace_goes_through_all_services_to_triton(watched: Watched) -> None:
    answer, parent, spans = traced(watched)
    assert answer.status_code == 200
    by_id = {one.span_id: one for one in spans}
    (first,) = (one for one in spans if one.parent == parent)
    assert (first.service, first.name) == ("hepar-gateway", "POST /v1/analyses")
    assert first.attributes["hepar.request_id"] == answer.headers["x-request-id"]

    def way(span_id: str) -> list[str]:
        """Names from the first span to this one."""
        one = by_id[span_id]
        return [*([] if one.parent == parent else way(one.parent)), one.name]

    (call,) = (one for one in spans if one.name == "triton classify_tiny")
    assert way(call.span_id) == [
        "POST /v1/analyses", "classification", "POST /v1/classifications", "models", "triton classify_tiny",
    ]  # fmt: skip
    own = [one for one in spans if one.service == "triton-inference-server"]
    assert {one.parent for one in own} & {call.span_id}
    assert "COMPUTE_START" in {event for one in own for event in one.events}


def test_an_unsampled_trace_is_not_recorded(watched: Watched) -> None:
    quiet, loud = secrets.token_hex(16), secrets.token_hex(16)
    analyse(watched, traceparent=f"00-{quiet}-{secrets.token_hex(8)}-00")
    analyse(watched, traceparent=f"00-{loud}-{secrets.token_hex(8)}-01")
    watched.receiver.wait_for(loud, SERVICES)
    assert [one for one in watched.receiver.of_trace(quiet) if one.service in SERVICES] == []
    lines = [json.loads(line.partition("{")[2].join(("{", ""))) for line in logged(watched, quiet)]
    assert {line["service"] for line in lines} >= {"gateway", "classify_service"}


def logged(watched: Watched, trace_id: str) -> list[str]:
    return [line for line in (watched.folder / "stack.log").read_text().splitlines() if trace_id in line]
