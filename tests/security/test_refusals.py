"""Refusals of the HTTP level: problem documents, which reach clients that are still sending."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from socket import socket

import pytest

from hepar.web.connection import MAX_DISCARD_PAUSE_S, MAX_DISCARDED_BYTES
from tests.end_to_end.conftest import Stack
from tests.support.raw_http import answers, connect, exchange, get, head, read_all, wait_until

CHUNK = b"x" * (1 << 20)
CHUNKED = "Transfer-Encoding: chunked"


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost 127.0.0.1\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        head("POST", "/v1/token", "Content-Length: 6", CHUNKED) + b"0\r\n\r\n",
        head("POST", "/v1/token", CHUNKED) + b"nonsense\r\n",
        b"CONNECT example.org:443 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    ],
)
def test_what_is_not_http_gets_a_problem_document(stack: Stack, request_bytes: bytes) -> None:
    (answer,) = exchange(stack.settings.gateway_port, request_bytes)
    problem = answer.json()
    assert (answer.status, problem["status"], problem["type"]) == (400, 400, "/problems/malformed-request")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["connection"] == "close"
    assert problem["request_id"] == answer.headers["x-request-id"]
    wait_until(lambda: problem["request_id"] in stack.logs(), 20, "the refusal is logged")
    assert get(stack.settings.gateway_port, problem["type"]).status == 200


def test_a_malformed_request_after_good_ones_ends_the_connection_after_their_answers(stack: Stack) -> None:
    good = head("GET", "/v1/openapi.json")
    received = answers(exchange_all(stack, good + good + b"nonsense\r\n\r\n" + good))
    assert [answer.status for answer in received] == [200, 200]
    assert all(json.loads(answer.body)["openapi"] for answer in received)


def exchange_all(stack: Stack, request: bytes) -> bytes:
    with connect(stack.settings.gateway_port) as connection:
        connection.sendall(request)
        return read_all(connection)


@pytest.mark.parametrize("size_bytes", [20_000_000, 64 * 1024 * 1024])
def test_urllib_sees_the_401_for_a_large_upload_without_a_token(stack: Stack, size_bytes: int) -> None:
    url = f"{stack.settings.gateway_url}/v1/classifications"
    request = urllib.request.Request(url, b"x" * size_bytes, {"Content-Type": "image/png"})  # noqa: S310
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=60)  # noqa: S310
    assert refused.value.code == 401
    assert json.loads(refused.value.read())["type"] == "/problems/unauthenticated"


def test_urllib_sees_the_415_for_a_large_upload_of_another_type(stack: Stack, bearer: dict[str, str]) -> None:
    url = f"{stack.settings.gateway_url}/v1/classifications"
    request = urllib.request.Request(url, bytes(20_000_000), bearer | {"Content-Type": "text/plain"})  # noqa: S310
    for _ in range(3):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=60)  # noqa: S310
        assert refused.value.code == 415
        assert json.loads(refused.value.read())["type"] == "/problems/unsupported-media"


@pytest.mark.parametrize(
    ("path", "media_type", "status"),
    [("/v1/users", "application/json", 413), ("/v1/analyses", "text/plain", 401), ("/v1/analyses", "text/plain", 415)],
)
@pytest.mark.parametrize("framing", ["Content-Length: 40000000", CHUNKED])
def test_an_early_refusal_reaches_a_client_that_only_sends(
    stack: Stack, bearer: dict[str, str], path: str, media_type: str, status: int, framing: str
) -> None:
    """It reads nothing until it has sent everything, as many HTTP libraries do."""
    with connect(stack.settings.gateway_port) as connection:
        authorization = [f"Authorization: {bearer['authorization']}"] if status == 415 else []
        connection.sendall(head("POST", path, f"Content-Type: {media_type}", framing, *authorization))
        for _ in range(38):
            connection.sendall(b"%x\r\n%s\r\n" % (len(CHUNK), CHUNK) if framing == CHUNKED else CHUNK)
        received = read_all(connection)
    assert received.startswith(b"HTTP/1.1 %d " % status)
    assert re.search(rb"\r\nconnection: close\r\n", received)


def bytes_taken(connection: socket, chunk: bytes, chunks: int, pause_s: float) -> int:
    """Until the connection is reset."""
    for number in range(chunks):
        try:
            connection.sendall(chunk)
        except ConnectionError:
            return number * len(chunk)
        time.sleep(pause_s)
    return chunks * len(chunk)


def test_reading_on_is_bounded_in_bytes(stack: Stack) -> None:
    with connect(stack.settings.gateway_port) as connection:
        connection.sendall(head("POST", "/v1/analyses", CHUNKED))
        assert bytes_taken(connection, CHUNK, 2 * MAX_DISCARDED_BYTES // len(CHUNK), 0) < 1.5 * MAX_DISCARDED_BYTES


def test_reading_on_is_bounded_in_time(stack: Stack) -> None:
    with connect(stack.settings.gateway_port) as connection:
        connection.sendall(head("POST", "/v1/analyses", "Content-Length: 1000"))
        assert read_all(connection).startswith(b"HTTP/1.1 401 ")
        time.sleep(MAX_DISCARD_PAUSE_S + 3)
        assert bytes_taken(connection, b"x", 10, 0.5) < 10


def test_a_refused_request_does_not_end_a_connection_that_is_in_order(stack: Stack) -> None:
    """Only unread input does."""
    request = head("GET", "/v1/models") + head("GET", "/v1/models", "Connection: close")
    assert [answer.status for answer in exchange(stack.settings.gateway_port, request)] == [401, 401]
