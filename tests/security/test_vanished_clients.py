"""Clients that go away: at every moment of a request, politely or by a reset. That is no error of the server."""

from __future__ import annotations

import socket
import struct
import time
import uuid

import pytest

from tests.end_to_end.conftest import Stack
from tests.support.pictures import encoded, gradient
from tests.support.raw_http import connect, exchange, get, head, wait_until

PICTURE = encoded(gradient(512, 512))
RAW = "Content-Type: image/png"
PART = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n' + PICTURE + b"\r\n"
RESET = struct.pack("ii", 1, 0)


def upload(path: str, kind: str, body: bytes, *headers: str) -> bytes:
    return head("POST", path, kind, f"Content-Length: {len(body)}", *headers) + body


def requests(authorization: str) -> list[bytes]:
    multipart = "Content-Type: multipart/form-data; boundary=b"
    batch, key = PART * 8 + b"--b--\r\n", f"Idempotency-Key: {uuid.uuid4()}"
    return [
        head("GET", "/v1/models", authorization),
        head("GET", "/v1/openapi.json"),
        head("GET", "/docs/assets/swagger-ui-bundle.js"),
        head("GET", "/readyz"),
        upload("/v1/token", "Content-Type: application/x-www-form-urlencoded", b"grant_type=password"),
        upload("/v1/users", "Content-Type: application/json", b'{"email": "x"}'),
        upload("/v1/users", "Content-Type: application/json", b'{"email": "x"}', key),
        upload("/v1/classifications", RAW, PICTURE, authorization),
        upload("/v1/classifications", RAW, PICTURE, authorization, f"Idempotency-Key: {uuid.uuid4()}"),
        upload("/v1/analyses", multipart, PART + b"--b--\r\n", authorization),
        upload("/v1/analyses/batch", multipart, batch, authorization),
        upload("/v1/analyses/batch", multipart, batch, authorization, "Accept: text/event-stream"),
        upload("/v1/detections/batch", multipart, batch, authorization, "Accept: text/event-stream"),
    ]


def vanish(port: int, sent: bytes, wait_s: float, *, reset: bool) -> None:
    with connect(port) as connection:
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        connection.sendall(sent)
        time.sleep(wait_s)


@pytest.mark.parametrize("reset", [False, True])
def test_a_client_that_goes_away_is_not_an_error(stack: Stack, bearer: dict[str, str], reset: bool) -> None:
    port = stack.settings.gateway_port
    before = len(stack.logs())
    for request in requests(f"Authorization: {bearer['authorization']}"):
        for share in (0.3, 0.6, 0.99, 1.0):
            for wait_s in (0.0, 0.02, 0.2):
                vanish(port, request[: int(len(request) * share)], wait_s, reset=reset)
    marker = f"after-{uuid.uuid4()}"
    get(port, "/v1/models", f"Authorization: {bearer['authorization']}", f"X-Request-ID: {marker}")
    ends_at = time.monotonic() + 30
    while marker not in stack.logs()[before:]:
        assert time.monotonic() < ends_at
        time.sleep(0.2)
    lines = stack.logs()[before:].splitlines()
    assert [line for line in lines if "Traceback" in line or '"ERROR"' in line or '"CRITICAL"' in line] == []


def test_uploads_that_end_with_their_client_take_no_capacity(stack: Stack, bearer: dict[str, str]) -> None:
    """More of them, in each form of a batch, than one account may have in flight."""
    authorization = f"Authorization: {bearer['authorization']}"
    multipart = "Content-Type: multipart/form-data; boundary=b"
    port = stack.settings.gateway_port
    for path in ("/v1/analyses/batch", "/v1/classifications/batch", "/v1/detections/batch"):
        for accepted in ("text/event-stream", "application/json"):
            request = upload(path, multipart, PART * 8 + b"--b--\r\n", authorization, f"Accept: {accepted}")
            for _ in range(40):
                vanish(port, request[: len(request) // 2], 0.02, reset=False)
    whole = upload("/v1/classifications", RAW, PICTURE, authorization, "Connection: close")
    wait_until(lambda: exchange(port, whole)[0].status == 200, 60, "no request of this account is served")
