"""Slow bodies without a login, and many requests or connections of one address: nobody else notices them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from select import select
from socket import socket

import httpx
import pytest

from hepar.web.request_body import MAX_SMALL_BODY_S
from tests.end_to_end.conftest import Stack, signed_in
from tests.support.raw_http import ELSEWHERE, RawAnswer, answers, connect, exchange, get, head, read_all, wait_until
from tests.support.stack import gateway_alone, tiny_stack

FORM = "Content-Type: application/x-www-form-urlencoded"
SLOW_FORM = head("POST", "/v1/token", FORM, "Content-Length: 500") + b"u"
BYTE_EVERY_S = 2.0
SLACK_S = 15.0
INCOMPLETE = b"grant_type=password"


@contextmanager
def slow_senders(port: int, sources: list[str]) -> Iterator[list[socket]]:
    """One connection a source, each with a body of which a byte arrives every BYTE_EVERY_S."""
    ended = threading.Event()
    with ExitStack() as stack:
        connections = [stack.enter_context(connect(port, source)) for source in sources]
        for connection in connections:
            connection.sendall(SLOW_FORM)

        def drip() -> None:
            while not ended.wait(BYTE_EVERY_S):
                for connection in connections:
                    try:
                        connection.sendall(b"u")
                    except OSError:
                        continue

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            yield connections
        finally:
            ended.set()
            thread.join()


def ask_for_token(port: int) -> RawAnswer:
    lines = head("POST", "/v1/token", FORM, f"Content-Length: {len(INCOMPLETE)}", "Connection: close")
    (answer,) = exchange(port, lines + INCOMPLETE, ELSEWHERE)
    return answer


@pytest.mark.parametrize(
    "sources", [["127.0.0.2"] * 64, [f"127.0.1.{number}" for number in range(1, 21) for _ in range(8)]]
)
def test_slow_bodies_without_a_token_stop_nobody(stack: Stack, bearer: dict[str, str], sources: list[str]) -> None:
    """The attack of the issue from one address, and from twenty."""
    port = stack.settings.gateway_port
    started = time.monotonic()
    with slow_senders(port, sources) as connections:
        for _ in range(5):
            assert get(port, "/v1/models", f"Authorization: {bearer['authorization']}").status == 200
            assert ask_for_token(port).status in (400, 422)
        statuses = [answers(read_all(connection))[0].status for connection in connections]
    assert time.monotonic() - started < MAX_SMALL_BODY_S + SLACK_S
    assert set(statuses) <= {408, 429}
    if len(set(sources)) == 1:
        assert statuses.count(408) <= 16  # a quarter of the capacity; the others were refused at once


def test_an_account_at_the_attackers_address_is_served(stack: Stack, bearer: dict[str, str]) -> None:
    port = stack.settings.gateway_port
    authorization = f"Authorization: {bearer['authorization']}"
    with slow_senders(port, ["127.0.0.3"] * 64):
        assert get(port, "/v1/models", authorization, source="127.0.0.3").status == 200
        refused = get(port, "/v1/models", source="127.0.0.3")
    assert refused.status == 429
    assert refused.json()["type"] == "/problems/rate-limited"
    assert int(refused.headers["retry-after"]) >= 1


def test_requests_without_a_token_take_only_a_part_of_the_capacity(tmp_path: Path) -> None:
    """They wait for auth_service, which does not answer."""
    form = head("POST", "/v1/token", FORM, f"Content-Length: {len(INCOMPLETE)}") + INCOMPLETE
    with ExitStack() as waiting:
        stack = waiting.enter_context(tiny_stack(tmp_path, HEPAR_GATEWAY_ACCOUNT_DEADLINE_S="60"))
        port = stack.settings.gateway_port
        with httpx.Client(base_url=stack.settings.gateway_url, timeout=40, trust_env=False) as client:
            authorization = f"Authorization: {signed_in(client)['authorization']}"
        auth_service = stack.process("auth_service")
        auth_service.suspend()
        waiting.callback(auth_service.resume)
        connections = [waiting.enter_context(connect(port, f"127.0.2.{number // 8 + 1}")) for number in range(64)]
        for connection in connections:
            connection.sendall(form)
        # The capacity is 64 requests: those beyond its half are refused at once.
        wait_until(lambda: len(select(connections, [], [], 0)[0]) == 32, 40, "half of the requests wait")
        assert get(port, "/v1/models", authorization).status == 200
        refused = ask_for_token(port)
        assert (refused.status, refused.json()["type"]) == (503, "/problems/busy")


def test_one_address_has_a_part_of_the_connections(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("connections")
    with tiny_stack(folder, HEPAR_GATEWAY_ADDRESS_CONNECTIONS_MAX="20", HEPAR_GATEWAY_CONNECTIONS_MAX="50") as stack:
        port = stack.settings.gateway_port
        with ExitStack() as idle:
            for _ in range(20):
                idle.enter_context(connect(port, "127.0.0.4"))
            refused = get(port, "/healthz", source="127.0.0.4")
            assert (refused.status, refused.json()["type"]) == (429, "/problems/rate-limited")
            assert get(port, "/healthz", source="127.0.0.5").status == 200
            for number in range(40):
                idle.enter_context(connect(port, f"127.0.3.{number // 10 + 1}"))
            with connect(port, "127.0.0.6") as one_too_many:
                assert read_all(one_too_many) == b""
        assert get(port, "/healthz", source="127.0.0.4").status == 200


def test_the_rate_limit_comes_before_the_body(tmp_path: Path) -> None:
    with gateway_alone(tmp_path, address_per_minute="2") as (client, _):
        port = client.base_url.port
        assert port is not None
        for _ in range(2):
            get(port, "/v1/models", source="127.0.0.7")
        with connect(port, "127.0.0.7") as connection:
            connection.sendall(SLOW_FORM)
            (refused,) = answers(read_all(connection))
        assert (refused.status, refused.json()["type"]) == (429, "/problems/rate-limited")
