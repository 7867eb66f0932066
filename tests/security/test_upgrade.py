"""Request smuggling by Upgrade: the body of a request that offers an upgrade is never parsed as another request."""

from __future__ import annotations

import json
import re
import socket
import uuid

import pytest

from tests.end_to_end.conftest import Stack

SMUGGLED = b"GET /v1/openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Request-ID: smuggled-request\r\n\r\n"


def exchange(stack: Stack, request: bytes, chunk_bytes: int) -> list[int]:
    """The statuses of all responses until the server closes the connection or is silent for a while."""
    received = b""
    with socket.create_connection(("127.0.0.1", stack.settings.gateway_port), timeout=30) as connection:
        for start in range(0, len(request), chunk_bytes):
            connection.sendall(request[start : start + chunk_bytes])
        while part := connection.recv(65536):
            received += part
    return [int(status) for status in re.findall(rb"(?:^|\r\n|\})HTTP/1\.1 (\d{3}) ", received)]


def post(path: str, headers: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


@pytest.mark.parametrize("chunk_bytes", [1, 7, 10_000])
@pytest.mark.parametrize("offer", ["h2c", "websocket", "x"])
def test_a_body_after_an_upgrade_offer_is_not_a_request(stack: Stack, offer: str, chunk_bytes: int) -> None:
    headers = f"Connection: Upgrade, close\r\nUpgrade: {offer}\r\nContent-Type: application/json\r\n"
    assert exchange(stack, post("/v1/users", headers, SMUGGLED), chunk_bytes) == [422]


@pytest.mark.parametrize("chunk_bytes", [5, 10_000])
def test_a_request_with_an_upgrade_offer_is_served(stack: Stack, chunk_bytes: int) -> None:
    """As Java's HttpClient sends it."""
    form = {"email": f"{uuid.uuid4().hex}@example.org", "password": "a long enough password"}
    headers = (
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n"
        "Content-Type: application/json\r\n"
    )
    follow_up = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    request = post("/v1/users", headers, json.dumps(form).encode()) + follow_up
    assert exchange(stack, request, chunk_bytes) == [201, 200]


def test_connect_is_refused_and_the_connection_closed(stack: Stack) -> None:
    request = b"CONNECT example.org:443 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" + SMUGGLED
    assert exchange(stack, request, 10_000) == [400]
