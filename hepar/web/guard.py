"""What stands before every app: a request id, limits on the request line, headers and pace, one access line."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import ClassVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hepar.core.errors import ClientError, HeparError, TooLarge, Unavailable
from hepar.core.metrics import REQUESTS_IN_FLIGHT, count_request
from hepar.core.request_context import REQUEST_ID_HEADER, TRACE_HEADER, RequestFacts, begin_request
from hepar.core.tracing import end_server_span, server_span
from hepar.web.problems import problem_of, problem_response

_access = logging.getLogger("hepar.access")
_log = logging.getLogger(__name__)

HEADERS_MAX = 100
HEADER_BYTES_MAX = 16 * 1024
URL_BYTES_MAX = 4 * 1024
SMALL_BODY_BYTES_MAX = 64 * 1024
PAUSE_S = 10.0
CLIENT_GONE = 499
UPLOAD_S = 120.0
_HEALTH = frozenset({"/healthz", "/readyz"})


class HeadersTooLarge(ClientError):
    """More headers than any client of ours sends."""

    status, title, slug = 431, "The headers are too large", "headers-too-large"


class UrlTooLong(ClientError):
    """Longer than any address of ours."""

    status, title, slug = 414, "The address is too long", "url-too-long"


class UnknownHost(ClientError):
    """No Host header, two of them, or one that is not ours."""

    status, title, slug = 400, "The Host header is not acceptable", "unknown-host"


class UploadTooSlow(ClientError):
    """The body stopped coming, or took too long as a whole."""

    status, title, slug = 408, "The upload did not arrive in time", "upload-too-slow"
    headers: ClassVar[dict[str, str]] = {"Connection": "close"}


class Busy(Unavailable):
    """As many requests under way as this process takes."""

    title, slug = "Too many requests at the moment", "busy"


class Guard:
    """ASGI middleware. httptools accepts no Host or two of them, and has no limit on headers of its own.

    uvicorn's limit on concurrency reacts only between requests, so the gate is here.
    hosts: names accepted in the Host header, without port.
    concurrent_max: requests under way; health checks do not count.
    upload_paths: these routes read their own bodies, bounded; all others get at most 64 KB, read before they begin.
    finishes: a request runs to its end although its client has gone. Otherwise it is cancelled: right for reads,
    wrong for a database transaction, which would stay open and block all others.
    A body that pauses for PAUSE_S, or is not whole after UPLOAD_S, ends the request.
    """

    def __init__(
        self,
        app: ASGIApp,
        hosts: frozenset[str],
        concurrent_max: int,
        upload_paths: frozenset[str],
        *,
        finishes: bool = False,
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._concurrent_max = concurrent_max
        self._upload_paths = upload_paths
        self._finishes = finishes
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"] in _HEALTH:
            await self._answer(scope, receive, send)
            return
        offered = _offered(scope, TRACE_HEADER)
        with server_span(scope["method"], {TRACE_HEADER: offered}) as span:
            status, facts = await self._answer(scope, receive, send)
            end_server_span(span, scope["method"], _route(scope), status, facts.request_id)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> tuple[int, RequestFacts]:
        """Returns the status that was sent, and what became known of the request."""
        started = time.perf_counter()
        facts = begin_request(_offered(scope, REQUEST_ID_HEADER), _offered(scope, TRACE_HEADER))
        incoming = _Incoming(receive, None if self._finishes else asyncio.current_task())
        answer = _Answer(send, facts.request_id, incoming.stop)
        try:
            await self._serve(scope, incoming.receive, answer.send)
        except asyncio.CancelledError:
            if not incoming.forgive():
                raise
            answer.status = answer.status or CLIENT_GONE
        except HeparError as error:
            await problem_response(problem_of(error), error.response_headers())(scope, receive, answer.send)
        except Exception:  # noqa: BLE001  logged, and answered with a 500 that tells nothing
            _log.exception("unforeseen error")
            if answer.status == 0:
                await problem_response(problem_of(HeparError()))(scope, receive, answer.send)
        finally:
            incoming.stop()
            _note(scope, answer.status, started, facts)
        return answer.status, facts

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        _check(scope)
        _check_host(scope, self._hosts)
        counted = scope["path"] not in _HEALTH
        if counted and self._under_way >= self._concurrent_max:
            raise Busy
        self._under_way += counted
        REQUESTS_IN_FLIGHT.inc(counted)
        try:
            if scope["path"] not in self._upload_paths:
                receive = await _small_body(receive)
            await self._app(scope, receive, send)
        finally:
            self._under_way -= counted
            REQUESTS_IN_FLIGHT.dec(counted)


class _Answer:
    """Remembers the status and gives every answer its id and the headers that all have."""

    def __init__(self, send: Send, request_id: str, before_the_last: Callable[[], None]) -> None:
        self._send = send
        self._before_the_last = before_the_last
        self._request_id = request_id
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            if all(name.lower() != b"cache-control" for name, _ in headers):
                headers.append((b"cache-control", b"no-store"))
            headers.append((REQUEST_ID_HEADER.encode(), self._request_id.encode()))
            message["headers"] = [*headers, (b"x-content-type-options", b"nosniff")]
        elif not message.get("more_body", False):
            self._before_the_last()
        await self._send(message)


def _offered(scope: Scope, header: str) -> str:
    """The first one's value, empty where there is none."""
    return next((str(value.decode("latin-1")) for name, value in scope["headers"] if name == header.encode()), "")


def _check(scope: Scope) -> None:
    """Raises UrlTooLong and HeadersTooLarge."""
    if len(scope["raw_path"] or b"") + len(scope["query_string"]) > URL_BYTES_MAX:
        raise UrlTooLong(f"at most {URL_BYTES_MAX} bytes")
    headers = scope["headers"]
    size = sum(len(name) + len(value) for name, value in headers)
    if len(headers) > HEADERS_MAX or size > HEADER_BYTES_MAX:
        raise HeadersTooLarge(f"at most {HEADERS_MAX} headers and {HEADER_BYTES_MAX} bytes of them")


def _check_host(scope: Scope, names: frozenset[str]) -> None:
    """Raises UnknownHost."""
    hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    if len(hosts) != 1 or _name(hosts[0]) not in names:
        raise UnknownHost("send exactly one Host header with a name of this server")


def _note(scope: Scope, status: int, started: float, facts: RequestFacts) -> None:
    """The access line; health checks leave none while they work: whoever waits for a start asks often."""
    if scope["path"] in _HEALTH and status in (200, 503):
        return
    seconds = time.perf_counter() - started
    count_request(scope["method"], _route(scope), status, seconds, facts.stages_ms)
    _access.info(
        "request",
        extra={
            "method": scope["method"],
            "route": _route(scope),
            "status": status,
            "duration_ms": round(seconds * 1000, 1),
            "trace_id": facts.trace_id,
            **({"account": facts.account} if facts.account else {}),
            **({"stages_ms": facts.stages_ms} if facts.stages_ms else {}),
        },
    )


def _route(scope: Scope) -> str:
    """The pattern of the path, `-` where there is none: paths themselves may hold what is nobody's business."""
    return getattr(scope.get("route"), "path", "-")


class _Incoming:
    """A body in time, and then an eye on the client: when it goes away, `work` is cancelled."""

    def __init__(self, receive: Receive, work: asyncio.Task[object] | None) -> None:
        self._receive = receive
        self._ends_at = time.monotonic() + UPLOAD_S
        self._work = work
        self._watch: asyncio.Task[None] | None = None
        self._gone = asyncio.Event()

    async def receive(self) -> Message:
        """Raises UploadTooSlow."""
        if self._watch is not None:  # all that can still come is that the client goes
            await self._gone.wait()
            return {"type": "http.disconnect"}
        try:
            async with asyncio.timeout(min(PAUSE_S, self._ends_at - time.monotonic())):
                message = await self._receive()
        except TimeoutError as error:
            raise UploadTooSlow(f"no byte for {PAUSE_S:g} s, or not whole after {UPLOAD_S:g} s") from error
        if message["type"] == "http.request" and not message.get("more_body", False):
            self._watch = asyncio.create_task(self._wait_for_the_end())
        return message

    async def _wait_for_the_end(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone.set()
        if self._work is not None:
            self._work.cancel()

    def forgive(self) -> bool:
        """Was it the client that ended the work? Then the cancellation is answered."""
        if self._gone.is_set() and self._work is not None:
            self._work.uncancel()
            return True
        return False

    def stop(self) -> None:
        if self._watch is not None:
            self._watch.cancel()


async def _small_body(receive: Receive) -> Receive:
    """Reads the whole body and returns what hands it on. Raises TooLarge as soon as it is over the limit."""
    messages: list[Message] = []
    size = 0
    while True:
        message = await receive()
        messages.append(message)
        size += len(message.get("body", b""))
        if size > SMALL_BODY_BYTES_MAX:
            raise TooLarge(f"at most {SMALL_BODY_BYTES_MAX} bytes")
        if message["type"] != "http.request" or not message.get("more_body", False):
            break
    messages.reverse()

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay


def _name(host: str) -> str:
    """The host without its port; an IPv6 address keeps its brackets."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].lower()
