"""HTTP over plain sockets, as attackers speak it: bytes as they are, from any loopback address, slow or unread."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

LOOPBACK = "127.0.0.1"
ELSEWHERE = "127.0.0.77"
"""An address that no attack uses."""


@dataclass(frozen=True)
class RawAnswer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401
        return json.loads(self.body)


def connect(port: int, source: str = LOOPBACK, receive_buffer_bytes: int | None = None) -> socket.socket:
    """From another loopback address, the client is another network address to the server."""
    connection = socket.socket()
    if receive_buffer_bytes is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
    connection.settimeout(60)
    connection.bind((source, 0))
    connection.connect((LOOPBACK, port))
    return connection


def head(method: str, path: str, *headers: str) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {LOOPBACK}", *headers, "", ""]).encode("latin-1")


def read_all(connection: socket.socket) -> bytes:
    """Until the server ends the connection. A reset ends it too."""
    received = b""
    try:
        while part := connection.recv(65536):
            received += part
    except ConnectionError:
        pass
    return received


def answers(received: bytes) -> list[RawAnswer]:
    """All answers of a connection. Each must have a Content-Length."""
    found = []
    while received:
        start, _, received = received.partition(b"\r\n\r\n")
        first, *lines = start.decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        size_bytes = int(headers["content-length"])
        found.append(RawAnswer(int(first.split()[1]), headers, received[:size_bytes]))
        received = received[size_bytes:]
    return found


def exchange(port: int, request: bytes, source: str = LOOPBACK) -> list[RawAnswer]:
    with connect(port, source) as connection:
        connection.sendall(request)
        return answers(read_all(connection))


def get(port: int, path: str, *headers: str, source: str = ELSEWHERE) -> RawAnswer:
    (answer,) = exchange(port, head("GET", path, "Connection: close", *headers), source)
    return answer


def wait_until(condition: Callable[[], bool], timeout_s: float, reason: str) -> None:
    ends_at = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < ends_at, reason
        time.sleep(0.2)
