"""Slow, half-open, endless, ambiguous and too many requests: all end, and the gateway survives."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from hepar.web.protocol import MAX_HEADERS_S
from hepar.web.request_body import MAX_PAUSE_S
from tests.end_to_end.conftest import Stack
from tests.support.pictures import encoded, gradient
from tests.support.stack import gateway_alone

SLACK_S = 4.0
DEADLINE_S = 25.0
AUTH = "Authorization: {}\r\n"


def connect(stack: Stack) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", stack.settings.gateway_port))
    connection.settimeout(60)
    return connection


def head(stack: Stack, bearer: dict[str, str], *more: str) -> bytes:
    lines = [
        "POST /v1/classifications HTTP/1.1",
        f"Host: 127.0.0.1:{stack.settings.gateway_port}",
        f"Authorization: {bearer['authorization']}",
        "Content-Type: image/png",
        *more,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def until_closed(connection: socket.socket, every_s: float | None = None, byte: bytes = b"a") -> tuple[float, bytes]:
    """Seconds until the other side hung up, and what it said. every_s: sends a byte so often meanwhile."""
    began, said = time.monotonic(), b""
    connection.settimeout(every_s or 60)
    while True:
        try:
            chunk = connection.recv(65536)
        except TimeoutError:
            try:
                connection.sendall(byte)
            except OSError:
                break
            continue
        except OSError:
            break
        if not chunk:
            break
        said += chunk
    return time.monotonic() - began, said


def test_slow_half_open_and_endless_requests_are_ended_within_their_limits(
    client: httpx.Client, bearer: dict[str, str], stack: Stack
) -> None:
    def silent() -> tuple[float, bytes]:
        return until_closed(connect(stack))

    def slow_loris() -> tuple[float, bytes]:
        connection = connect(stack)
        connection.sendall(b"POST /v1/classifications HTTP/1.1\r\nX-")
        return until_closed(connection, every_s=0.7)

    def stalled_upload() -> tuple[float, bytes]:
        connection = connect(stack)
        connection.sendall(head(stack, bearer, "Content-Length: 100000") + b"x" * 500)
        return until_closed(connection)

    def stalled_form() -> tuple[float, bytes]:
        connection = connect(stack)
        request = (
            f"POST /v1/token HTTP/1.1\r\nHost: 127.0.0.1:{stack.settings.gateway_port}\r\nContent-Length: 999\r\n\r\n"
        )
        connection.sendall(request.encode() + b"grant_type=")
        return until_closed(connection)

    def never_ending() -> tuple[float, bytes]:
        connection = connect(stack)
        connection.sendall(head(stack, bearer, "Transfer-Encoding: chunked"))
        return until_closed(connection, every_s=0.5, byte=b"1\r\nx\r\n")

    shapes: list[tuple[Callable[[], tuple[float, bytes]], float, bytes]] = [
        (silent, MAX_HEADERS_S, b""),
        (slow_loris, MAX_HEADERS_S, b""),
        (stalled_upload, MAX_PAUSE_S, b"HTTP/1.1 408"),
        (stalled_form, MAX_PAUSE_S, b"HTTP/1.1 408"),
        (never_ending, DEADLINE_S, b"HTTP/1.1 504"),
    ]
    with ThreadPoolExecutor(len(shapes)) as pool:
        ends = [pool.submit(shape) for shape, _, _ in shapes]
        time.sleep(1)
        assert client.get("/healthz").status_code == 200
        for (shape, limit_s, answer), end in zip(shapes, ends, strict=True):
            seconds, said = end.result(60)
            assert limit_s - SLACK_S < seconds < limit_s + SLACK_S, (shape.__name__, seconds)
            assert said.startswith(answer), (shape.__name__, said)
            assert answer or not said


@pytest.mark.parametrize(
    "shape",
    [
        "Content-Length: 6\r\nTransfer-Encoding: chunked",
        "Content-Length: 6\r\nContent-Length: 7",
        "Content-Length: +6",
        "Content-Length: 6, 6",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding: xchunked",
        "Content-Length: 6\r\n folded: yes",
        "Host: evil.example\r\nContent-Length: 6",
        "Content-Length: -1",
    ],
)
def test_an_ambiguous_request_is_refused_and_the_connection_closed(stack: Stack, shape: str) -> None:
    """What follows would be a second request to somebody who reads the first one differently."""
    hidden = f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{stack.settings.gateway_port}\r\n\r\n"
    connection = connect(stack)
    request = f"POST /v1/token HTTP/1.1\r\nHost: 127.0.0.1:{stack.settings.gateway_port}\r\n{shape}\r\n\r\n"
    connection.sendall(request.encode() + b"0\r\n\r\n" + hidden.encode())
    _, said = until_closed(connection)
    assert said.count(b"HTTP/1.1 ") <= 1, said
    assert not said or said.startswith(b"HTTP/1.1 4"), said
    assert b"alive" not in said


def test_200_parallel_clients_are_all_answered_or_told_to_retry(bearer: dict[str, str], stack: Stack) -> None:
    statuses: Counter[int] = Counter()
    content, together = encoded(gradient(128, 128)), threading.Barrier(200)

    def one(_: int) -> httpx.Response:
        with httpx.Client(base_url=stack.settings.gateway_url, timeout=60, trust_env=False) as client:
            together.wait(60)
            return client.post("/v1/classifications", content=content, headers=bearer | {"content-type": "image/png"})

    with ThreadPoolExecutor(200) as pool:
        for answer in pool.map(one, range(200)):
            statuses[answer.status_code] += 1
            if answer.status_code != 200:
                assert int(answer.headers["retry-after"]) >= 1
                assert answer.headers["content-type"] == "application/problem+json"
    assert statuses.total() == 200
    assert set(statuses) <= {200, 429, 503}
    assert statuses[200] >= 20


def test_a_stopping_gateway_reports_not_ready_and_finishes_its_requests(tmp_path: Path) -> None:
    with gateway_alone(tmp_path, drain_delay_s="2") as (client, process):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()) == (503, {"ready": False, "parts": {"draining": False}})
        assert client.get("/healthz").status_code == 200
        assert process.wait(20) in (0, -signal.SIGTERM)


@pytest.mark.parametrize(("trusted", "statuses"), [('["127.0.0.1"]', [401] * 4), ("[]", [401, 401, 429, 429])])
def test_only_a_trusted_proxy_can_set_the_client_address(tmp_path: Path, trusted: str, statuses: list[int]) -> None:
    with gateway_alone(tmp_path, trusted_proxies=trusted, address_per_minute="2") as (client, _):
        asked = [
            client.get("/v1/models", headers={"x-forwarded-for": f"192.0.2.{number}"}).status_code
            for number in range(4)
        ]
    assert asked == statuses
