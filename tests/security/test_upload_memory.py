"""Uploads as a weapon against memory: many large bodies of one account that never end."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx

from tests.support.callers import sign_up
from tests.support.pictures import encoded, gradient
from tests.support.stack import Stack

MEBIBYTE = 1024**2
SENT = 60 * MEBIBYTE
ANNOUNCED = 64 * MEBIBYTE


@contextmanager
def unfinished_upload(stack: Stack, caller: dict[str, str]) -> Iterator[socket.socket]:
    """All but the last bytes of an image have been sent to classify_service."""
    head = (
        "POST /v1/classifications HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/dicom\r\n"
        f"Authorization: {caller['authorization']}\r\nContent-Length: {ANNOUNCED}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", stack.settings.classify_port), timeout=60) as connection:
        connection.sendall(head.encode())
        chunk = bytes(MEBIBYTE)
        try:
            for _ in range(SENT // MEBIBYTE):
                connection.sendall(chunk)
        except OSError:  # refused, and closed
            pass
        yield connection


def classify(stack: Stack, caller: dict[str, str]) -> httpx.Response:
    url = f"http://127.0.0.1:{stack.settings.classify_port}/v1/classifications"
    headers = caller | {"content-type": "image/png"}
    return httpx.post(url, content=encoded(gradient()), headers=headers, timeout=60, trust_env=False)


def test_unfinished_uploads_of_one_account_take_a_bounded_part_of_the_memory(
    stack: Stack, client: httpx.Client
) -> None:
    greedy, other = sign_up(client), sign_up(client)
    service = stack.process("-m classify_service")
    assert classify(stack, greedy).status_code == 200
    before = service.memory_info().rss
    with ExitStack() as uploads:
        connections = [uploads.enter_context(unfinished_upload(stack, greedy)) for _ in range(6)]
        refused = 0
        for connection in connections:
            connection.settimeout(1)
            try:
                answer = connection.recv(4096)
            except TimeoutError:
                continue
            except ConnectionResetError:
                answer = b""
            refused += 1
            assert answer == b"" or answer.startswith(b"HTTP/1.1 503 "), answer
        assert refused >= 2
        assert service.memory_info().rss - before < 400 * MEBIBYTE
        assert classify(stack, other).status_code == 200
    deadline = time.monotonic() + 60
    while classify(stack, greedy).status_code != 200:
        assert time.monotonic() < deadline, "what was held is given back"
        time.sleep(0.2)
