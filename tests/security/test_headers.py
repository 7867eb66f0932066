"""Headers that are too large, not ASCII, or repeated, and what follows from the method alone."""

from __future__ import annotations

import re
import threading
import time
import uuid
from pathlib import Path

import pytest

from gateway.openapi import load_public_document
from hepar.web.request_limits import MAX_HEADER_BYTES, MAX_HEADERS, MAX_URL_BYTES
from tests.end_to_end.conftest import Stack
from tests.support.gateway_client import Misbehaving
from tests.support.raw_http import RawAnswer, answers, connect, exchange, get, head, read_all
from tests.support.serving import serving
from tests.support.stack import gateway_alone

CHUNK = b"x" * (1 << 20)
PATHS: dict[str, list[str]] = {
    re.sub(r"\{.*?\}", "0" * 32, path): [method.upper() for method in methods]
    for path, methods in load_public_document()["paths"].items()
}
CLOSE = "Connection: close"


def post(stack: Stack, path: str, body: bytes, *headers: str) -> RawAnswer:
    lines = head("POST", path, f"Content-Length: {len(body)}", CLOSE, *headers)
    (answer,) = exchange(stack.settings.gateway_port, lines + body)
    return answer


@pytest.mark.parametrize(
    ("start", "endless", "status"),
    [
        (b"GET / HTTP/1.1\r\nX-Large: ", CHUNK, 431),
        (b"GET / HTTP/1.1\r\n", b"X-Many: 1\r\n" * 100_000, 431),
        (b"GET /", CHUNK, 414),
        (b"G", CHUNK.replace(b"x", b"G"), 400),
        (head("POST", "/v1/token", "Transfer-Encoding: chunked") + b"0\r\nX-Trailer: ", CHUNK, 431),
        (head("POST", "/v1/token", "Transfer-Encoding: chunked") + b"5;extension=", CHUNK, 431),
    ],
)  # fmt: skip
def test_an_endless_head_is_refused_while_it_arrives(stack: Stack, start: bytes, endless: bytes, status: int) -> None:
    gateway = stack.process("gateway")
    before_bytes = gateway.memory_info().rss
    with connect(stack.settings.gateway_port) as connection:
        connection.sendall(start)
        for _ in range(40):
            connection.sendall(endless)
        (answer,) = answers(read_all(connection))
    assert (answer.status, answer.json()["status"]) == (status, status)
    assert gateway.memory_info().rss - before_bytes < 20e6


def test_heads_at_their_limits_are_served(stack: Stack) -> None:
    port = stack.settings.gateway_port
    many = [f"X-{number}: 1" for number in range(MAX_HEADERS - 2)]
    assert get(port, "/healthz", *many).status == 200
    assert get(port, "/healthz", *many, "X-One-Too-Many: 1").status == 431
    assert get(port, "/healthz", "X-Large: " + "x" * (MAX_HEADER_BYTES - 100)).status == 200
    assert get(port, "/healthz", "X-Large: " + "x" * MAX_HEADER_BYTES).status == 431
    assert get(port, "/healthz?" + "x" * (MAX_URL_BYTES - 100)).status == 200
    assert get(port, "/healthz?" + "x" * MAX_URL_BYTES).status == 414


def test_trailers_do_not_become_headers(stack: Stack) -> None:
    """They would come after the checks."""
    request = head("POST", "/v1/token", "Transfer-Encoding: chunked", CLOSE, "Content-Type: text/plain")
    trailer = b"0\r\nAuthorization: Bearer x\r\nIdempotency-Key: short\r\nContent-Encoding: gzip\r\n\r\n"
    plain = exchange(stack.settings.gateway_port, request + b"0\r\n\r\n")
    with_trailer = exchange(stack.settings.gateway_port, request + trailer)
    assert with_trailer[0].status == plain[0].status


@pytest.mark.parametrize(
    "headers",
    [
        ["Content-Type: multipart/form-data; boundary=\xff"],
        ["Content-Type: text/\xe9"],
        ["Authorization: Bearer \xff"],
        ["Idempotency-Key: \xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"],
        ["X-Request-ID: \x80"],
        ["X-Unknown: \xff"],
        ["Accept-Encoding: \xff"],
        ["Origin: https://\xff"],
    ],
)
@pytest.mark.parametrize("key", [[], [f"Idempotency-Key: {uuid.uuid4()}"]])
@pytest.mark.parametrize("path", ["/v1/users", "/v1/classifications", "/v1/token"])
def test_headers_that_are_not_ascii_are_a_400(
    stack: Stack, bearer: dict[str, str], headers: list[str], key: list[str], path: str
) -> None:
    authorization = [] if "Authorization" in headers[0] else [f"Authorization: {bearer['authorization']}"]
    answer = post(stack, path, b"{}", *headers, *key, *authorization)
    assert (answer.status, answer.json()["type"]) == (400, "/problems/malformed-request")


def test_what_other_sites_write_into_their_cookies_does_not_matter(stack: Stack) -> None:
    assert get(stack.settings.gateway_port, "/healthz", "Cookie: theme=\xe9", "User-Agent: \xff").status == 200


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("second", ["Bearer x", "Basic eDp5", None])
def test_two_authorization_headers_are_refused_everywhere(
    stack: Stack, bearer: dict[str, str], path: str, second: str | None
) -> None:
    own = bearer["authorization"]
    lines = [f"Authorization: {own}", f"authorization: {second or own}"]
    for method in PATHS[path]:
        (answer,) = exchange(stack.settings.gateway_port, head(method, path, *lines, CLOSE))
        assert answer.status == 400, (method, path)
        assert "authorization" in answer.json()["detail"]


def test_readiness_is_asked_once_a_second_at_most(tmp_path: Path) -> None:
    service, together = Misbehaving(wait_s=0.5), threading.Barrier(20)
    with serving(service) as url, gateway_alone(tmp_path, detect_url=url) as (client, _):
        port = client.base_url.port
        assert port is not None

        def ask() -> None:
            together.wait(60)
            for _ in range(10):
                get(port, "/readyz")

        started = time.monotonic()
        threads = [threading.Thread(target=ask) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        elapsed_s = time.monotonic() - started
    assert 1 <= len(service.seen) <= elapsed_s + 2
