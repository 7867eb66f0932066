"""Calls between services over real sockets: what is sent, and which error a caller gets for every way to fail."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from hepar.core.deadlines import Deadline
from hepar.core.errors import DeadlineExceeded, HeparError, TooLarge, Unavailable
from hepar.web.upstream import Upstream, UpstreamProblem, open_upstream
from tests.support.gateway_client import NOWHERE

LONG_S = 30.0
DONE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
PROBLEM = b'{"type":"/problems/too-large","title":"t","status":413,"detail":"d","error":"e","request_id":"r"}'


@dataclass
class Peer:
    """A service that sends `answer` and records the heads of requests. after_body: only once it has the whole body.

    ends: whether it ends the connection after an answer.  received: set by each whole body.  lost: set when the caller
    has ended a connection.
    """

    answer: bytes
    after_body: bool = True
    ends: bool = False
    heads: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    connections: int = 0
    received: asyncio.Event = field(default_factory=asyncio.Event)
    lost: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                if self.after_body:
                    self.bodies.append(await body_of(head, reader))
                    self.received.set()
                writer.write(self.answer)
                await writer.drain()
                if self.ends:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            self.lost.set()
        finally:
            writer.close()


async def body_of(head: bytes, reader: asyncio.StreamReader) -> bytes:
    if b"transfer-encoding: chunked" not in head.lower():
        size = next((line for line in head.lower().splitlines() if line.startswith(b"content-length:")), b":0")
        return await reader.readexactly(int(size.partition(b":")[2]))
    body = b""
    while size_bytes := int(await reader.readuntil(b"\r\n"), 16):
        body += (await reader.readexactly(size_bytes + 2))[:-2]
    await reader.readexactly(2)
    return body


@asynccontextmanager
async def calling(peer: Peer) -> AsyncIterator[Upstream]:
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with open_upstream(url, "testing") as upstream:
            yield upstream


def run(peer: Peer, scenario: Callable[[Upstream], Awaitable[None]]) -> None:
    async def within() -> None:
        async with asyncio.timeout(LONG_S), calling(peer) as upstream:
            await scenario(upstream)

    asyncio.run(within())


async def chunks(*parts: bytes | Exception, pause_s: float = 0.0) -> AsyncIterator[bytes]:
    for part in parts:
        await asyncio.sleep(pause_s)
        if isinstance(part, Exception):
            raise part
        yield part


def test_path_headers_and_body_arrive_unchanged_over_one_connection() -> None:
    peer = Peer(DONE + b"Set-Cookie: who=somebody\r\nX-Kind: a\r\n\r\nok")
    path = "/v1/a%2Fb/%C3%A9/../c//d?x=%2B+1&y=a%26b"

    async def scenario(upstream: Upstream) -> None:
        for content in (chunks(b"first", b"second"), b"firstsecond", None):
            answer = await upstream.request("POST", path, Deadline.after(LONG_S), headers={"X-A": "1"}, content=content)
            assert (answer.status, answer.headers["x-kind"], answer.content) == (200, "a", b"ok")

    run(peer, scenario)
    assert peer.bodies == [b"firstsecond", b"firstsecond", b""]
    assert peer.connections == 1
    for head in peer.heads:
        assert head.startswith(f"POST {path} HTTP/1.1\r\n".encode())
        assert b"X-A: 1" in head
        assert b"cookie" not in head.lower(), "a cookie of one caller would go to another"
        assert b"content-type" not in head.lower()


def test_a_body_is_not_decompressed() -> None:
    body = b"no gzip"
    peer = Peer(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    async def scenario(upstream: Upstream) -> None:
        assert (await upstream.request("GET", "/", Deadline.after(LONG_S))).content == body

    run(peer, scenario)
    assert b"accept-encoding: identity" in peer.heads[0].lower()


def test_a_connection_that_the_service_has_ended_is_replaced() -> None:
    peer = Peer(DONE + b"\r\nok", ends=True)

    async def scenario(upstream: Upstream) -> None:
        for _ in range(3):
            await upstream.request("POST", "/", Deadline.after(LONG_S), content=chunks(b"body"))
            await asyncio.sleep(0.05)

    run(peer, scenario)
    assert peer.connections == 3


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"no HTTP\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    ],
)
def test_anything_but_a_whole_answer_is_unavailable(answer: bytes) -> None:
    async def request(upstream: Upstream) -> None:
        with pytest.raises(Unavailable, match="testing is not available at the moment"):
            await upstream.request("POST", "/", Deadline.after(LONG_S), content=chunks(b"body"))

    async def stream(upstream: Upstream) -> None:
        with pytest.raises(Unavailable):
            async with upstream.stream(
                "POST", "/", Deadline.after(LONG_S), silence_s=LONG_S, headers={}, content=b"body"
            ) as response:
                await response.read()

    run(Peer(answer, ends=True), request)
    run(Peer(answer, ends=True), stream)


def test_a_service_that_nobody_reaches_is_unavailable() -> None:
    async def scenario() -> None:
        async with open_upstream(NOWHERE, "testing") as upstream:
            with pytest.raises(Unavailable):
                await upstream.request("GET", "/", Deadline.after(LONG_S))
            assert not await upstream.ready()

    asyncio.run(scenario())


def test_what_ends_a_body_early_reaches_the_caller_and_no_whole_request_the_service() -> None:
    peer = Peer(DONE + b"\r\nok")

    async def scenario(upstream: Upstream) -> None:
        for error in (TooLarge("at most 5 bytes"), TimeoutError("own"), OSError("own"), ValueError("own")):
            peer.lost.clear()
            with pytest.raises(type(error)) as raised:
                await upstream.request("POST", "/", Deadline.after(LONG_S), content=chunks(b"first", error))
            assert raised.value is error
            await peer.lost.wait()

    run(peer, scenario)
    assert not peer.bodies


def test_an_answer_before_the_end_of_the_body_is_an_answer() -> None:
    answer = b"HTTP/1.1 413 Too Large\r\nContent-Type: application/problem+json\r\nContent-Length: %d\r\n\r\n%s"
    peer = Peer(answer % (len(PROBLEM), PROBLEM), after_body=False, ends=True)

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536
            await asyncio.sleep(0.001)

    async def scenario(upstream: Upstream) -> None:
        with pytest.raises(UpstreamProblem) as raised:
            await upstream.request("POST", "/", Deadline.after(LONG_S), content=endless())
        assert raised.value.problem.status == 413

    run(peer, scenario)


async def no_answer_in(seconds: float, upstream: Upstream) -> HeparError:
    with pytest.raises(HeparError) as raised:
        await upstream.request("POST", "/", Deadline.after(seconds), content=chunks(b"body"))
    return raised.value


def test_a_deadline_and_a_cancellation_end_the_connection() -> None:
    peer = Peer(b"")

    async def scenario(upstream: Upstream) -> None:
        assert isinstance(await no_answer_in(0.2, upstream), DeadlineExceeded)
        await peer.lost.wait()
        peer.lost.clear()
        peer.received.clear()
        task = asyncio.create_task(no_answer_in(LONG_S, upstream))
        await peer.received.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await peer.lost.wait()

    run(peer, scenario)


def test_silence_is_measured_in_the_answer_and_not_during_the_upload() -> None:
    peer = Peer(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok")

    async def scenario(upstream: Upstream) -> None:
        slow = chunks(b"a", b"b", b"c", pause_s=0.3)
        with pytest.raises(DeadlineExceeded):
            async with upstream.stream(
                "POST", "/", Deadline.after(LONG_S), silence_s=0.2, headers={}, content=slow
            ) as response:
                await response.read()

    run(peer, scenario)
    assert peer.bodies == [b"abc"]


def test_a_service_that_moves_to_another_address_is_found_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses, real = ["127.0.0.2"], socket.getaddrinfo

    def resolved(host: str, *arguments: object, **options: object) -> object:
        return real(addresses[-1] if host == "moving.test" else host, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)

    async def scenario() -> None:
        before, after = Peer(DONE + b"\r\nno", ends=True), Peer(DONE + b"\r\nok")
        first = await asyncio.start_server(before.serve, addresses[-1], 0)
        port = first.sockets[0].getsockname()[1]
        async with asyncio.timeout(LONG_S), open_upstream(f"http://moving.test:{port}", "testing") as upstream:
            async with first:
                assert (await upstream.request("GET", "/", Deadline.after(LONG_S))).content == b"no"
            addresses.append("127.0.0.3")
            async with await asyncio.start_server(after.serve, addresses[-1], port):
                assert (await upstream.request("GET", "/", Deadline.after(LONG_S))).content == b"ok"

    asyncio.run(scenario())
