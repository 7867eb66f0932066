"""Answers that nobody reads: they hold no capacity, cost bounded memory, and their connections end."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from hepar.web.connection import MAX_PIPELINED, SEND_CHECK_S
from tests.end_to_end.conftest import Stack
from tests.support.raw_http import connect, get, head, read_all, wait_until

LARGE = "/v1/openapi.json"
LARGE_FILE = "/docs/assets/swagger-ui-bundle.js"
SOURCES = [f"127.0.4.{number // 8 + 1}" for number in range(80)]
MEGABYTE = 1e6


@contextmanager
def unread(port: int, path: str, requests: int) -> Iterator[None]:
    """From each source `requests` pipelined requests, whose answers are never read."""
    with ExitStack() as stack:
        for source in SOURCES:
            connection = stack.enter_context(connect(port, source, receive_buffer_bytes=4096))
            connection.sendall(head("GET", path) * requests)
        yield


def open_connections(stack: Stack) -> int:
    """Of the attackers, as the gateway's process sees them."""
    connections = stack.process("gateway").net_connections("tcp")
    return sum(1 for one in connections if one.raddr and one.raddr.ip in SOURCES and one.status == "ESTABLISHED")


@pytest.mark.parametrize(("path", "requests"), [(LARGE, 20), (LARGE, 1), (LARGE_FILE, 20)])
def test_unread_answers_stop_nobody_and_their_connections_end(
    stack: Stack, bearer: dict[str, str], path: str, requests: int
) -> None:
    """The attack of the issue: 20 pipelined requests a socket, whose answers are never read."""
    port = stack.settings.gateway_port
    with unread(port, path, requests):
        for _ in range(10):
            assert get(port, "/v1/models", f"Authorization: {bearer['authorization']}").status == 200
            assert get(port, LARGE).status == 200
        assert stack.process("gateway").memory_info().rss < 400 * MEGABYTE
        wait_until(lambda: open_connections(stack) == 0, 6 * SEND_CHECK_S, "answers wait for their readers")


def test_pipelined_requests_are_answered_in_order_up_to_their_limit(stack: Stack) -> None:
    port = stack.settings.gateway_port
    numbered = b"".join(head("GET", "/healthz", f"X-Request-ID: request-{number}") for number in range(40))
    with connect(port) as connection:
        connection.sendall(numbered)
        received = read_all(connection)
    ids = [int(number) for number in re.findall(rb"x-request-id: request-(\d+)", received)]
    assert ids == list(range(len(ids)))
    assert MAX_PIPELINED <= len(ids) < 40
    assert received.lower().count(b"connection: close") == 1


def test_a_reader_that_takes_a_little_at_a_time_is_cut(stack: Stack) -> None:
    port = stack.settings.gateway_port
    with connect(port, SOURCES[0], receive_buffer_bytes=4096) as connection:
        connection.sendall(head("GET", LARGE_FILE))
        connection.settimeout(1.0)
        ended = time.monotonic() + 6 * SEND_CHECK_S
        while open_connections(stack):
            assert time.monotonic() < ended
            connection.recv(1)
            time.sleep(0.2)
