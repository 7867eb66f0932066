"""Calls to the services behind the gateway, within the caller's deadline."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar

import aiohttp
import httpx
from httpx_sse import EventSource, SSEError
from opentelemetry.trace import SpanKind
from pydantic import BaseModel, ValidationError
from yarl import URL

from hepar.contracts.problems import Problem
from hepar.core.deadlines import Deadline
from hepar.core.errors import BadUpstream, DeadlineExceeded, HeparError, Unavailable
from hepar.core.request_context import propagation_headers, stage
from hepar.core.tracing import detached_span
from hepar.web.problems import MEDIA_TYPE

Answer = TypeVar("Answer", bound=BaseModel)
EVENTS = "text/event-stream"
_PROBE_TIMEOUT_S = 2.5
_CONNECT_S = 2.0
_IDLE_S = 5.0
"""An idle connection is closed after it: sooner than a service closes its own end."""
_FIRST_ERROR = 400


class UpstreamProblem(HeparError):
    """A service answered with a problem, which the caller gets unchanged."""

    def __init__(self, problem: Problem, retry_after: str | None = None) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.retry_after = retry_after


@dataclass(frozen=True)
class UpstreamAnswer:
    """headers: by name in any case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class _Body:
    """What is sent. failure: what ended it early, which aiohttp reports as a failed connection."""

    def __init__(self, content: AsyncIterator[bytes] | bytes | None) -> None:
        self._content = content
        self.failure: Exception | None = None

    @property
    def data(self) -> AsyncIterator[bytes] | io.BytesIO | None:
        """In the form that aiohttp sends without holding up the event loop."""
        if isinstance(self._content, bytes):
            return io.BytesIO(self._content) if self._content else None
        return None if self._content is None else self._watched(self._content)

    async def _watched(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        try:
            async for chunk in chunks:
                yield chunk
        except Exception as error:
            self.failure = error
            raise


@dataclass(frozen=True)
class Upstream:
    """One service; see `open_upstream`. purpose: what it does, in words for callers; its address is never told."""

    session: aiohttp.ClientSession
    url: str
    purpose: str

    async def call(
        self,
        answer: type[Answer],
        method: str,
        path: str,
        deadline: Deadline,
        *,
        headers: Mapping[str, str] | None = None,
        content: AsyncIterator[bytes] | bytes | None = None,
    ) -> Answer:
        """Sends a request, streaming `content`, and parses the answer as the given document.

        Raises UpstreamProblem, Unavailable, DeadlineExceeded and BadUpstream, and what ends `content` early.
        """
        response = await self.request(method, path, deadline, headers=headers, content=content)
        return self.parsed(answer, response.content)

    async def request(
        self,
        method: str,
        path: str,
        deadline: Deadline,
        *,
        headers: Mapping[str, str] | None = None,
        content: AsyncIterator[bytes] | bytes | None = None,
    ) -> UpstreamAnswer:
        """The answer as it came, unless it is an error. path: percent-encoded, with the query.

        Raises what `call` does.
        """
        body = _Body(content)
        with self._own_errors(body), stage(self.purpose, SpanKind.CLIENT):
            sent = dict(headers or {}) | deadline.header() | propagation_headers()
            async with (
                asyncio.timeout(deadline.remaining_s()),
                self._send(method, path, sent, body, deadline.remaining_s()) as response,
            ):
                answer = UpstreamAnswer(response.status, response.headers, await response.read())
        if answer.status >= _FIRST_ERROR:
            raise _error_of(answer, self.purpose)
        return answer

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        deadline: Deadline,
        *,
        silence_s: float,
        headers: Mapping[str, str],
        content: AsyncIterator[bytes] | bytes,
        answers: Collection[int] = (),
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """An answer whose body is still to be read: the deadline is that of its first byte.

        silence_s: the longest time between two pieces of it.  answers: statuses from 400 on that may have a document
        other than a problem, and are answers then.  Raises what `call` does, and while the body is read
        Unavailable and DeadlineExceeded.  An error of a HEAD has no document, and is an answer like others.
        """
        body = _Body(content)
        async with AsyncExitStack() as stack:
            stack.enter_context(self._own_errors(body))
            call = stack.enter_context(detached_span(self.purpose, SpanKind.CLIENT))
            sent = dict(headers) | deadline.header() | propagation_headers(call)
            async with asyncio.timeout(deadline.remaining_s()):
                sending = self._send(method, path, sent, body, deadline.remaining_s(), silence_s)
                response = await stack.enter_async_context(sending)
                has_problem = response.headers.get("content-type", "").startswith(MEDIA_TYPE)
                is_answer = response.status in answers and not has_problem
                if response.status >= _FIRST_ERROR and method != "HEAD" and not is_answer:
                    raise await self._error(response)
            yield response

    async def events(
        self,
        item: type[Answer],
        path: str,
        deadline: Deadline,
        *,
        headers: Mapping[str, str],
        content: AsyncIterator[bytes],
    ) -> AsyncIterator[Answer]:
        """Posts, and yields the server-sent events named `item`. Raises what `call` does, between any two of them."""
        body = _Body(content)
        async with AsyncExitStack() as stack:
            stack.enter_context(self._own_errors(body))
            call = stack.enter_context(detached_span(self.purpose, SpanKind.CLIENT))
            sent = dict(headers) | deadline.header() | propagation_headers(call) | {"accept": EVENTS}
            async with asyncio.timeout(deadline.remaining_s()):
                sending = self._send("POST", path, sent, body, deadline.remaining_s())
                response = await stack.enter_async_context(sending)
                if response.status >= _FIRST_ERROR:
                    raise await self._error(response)
            read = httpx.Response(response.status, headers=response.headers, content=response.content.iter_any())
            events = EventSource(read).aiter_sse()
            while True:
                async with asyncio.timeout(deadline.remaining_s()):
                    event = await anext(events, None)
                if event is None:
                    break
                if event.event == "end":
                    return
                yield self.parsed(item, event.data.encode())
        raise BadUpstream(f"{self.purpose} stopped before the end")

    def _send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: _Body,
        connect_s: float,
        silence_s: float | None = None,
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        timeout = aiohttp.ClientTimeout(sock_connect=min(_CONNECT_S, connect_s), sock_read=silence_s)
        url = URL(self.url + path, encoded=True)
        return self.session.request(
            method, url, headers=headers, data=body.data, timeout=timeout, allow_redirects=False
        )

    @contextmanager
    def _own_errors(self, body: _Body) -> Iterator[None]:
        """Of a request. Raises the error of its body instead of the connection's, which is only its consequence."""
        try:
            yield
        except (aiohttp.ConnectionTimeoutError, SSEError) as error:
            raise self._unavailable from error
        except (aiohttp.ClientError, TimeoutError) as error:
            if body.failure is not None:
                raise body.failure from None
            if isinstance(error, TimeoutError):
                raise DeadlineExceeded(f"{self.purpose} did not answer in time") from error
            raise self._unavailable from error

    @property
    def _unavailable(self) -> Unavailable:
        return Unavailable(f"{self.purpose} is not available at the moment")

    async def _error(self, response: aiohttp.ClientResponse) -> HeparError:
        return _error_of(UpstreamAnswer(response.status, response.headers, await response.read()), self.purpose)

    def parsed(self, answer: type[Answer], content: bytes) -> Answer:
        """Raises BadUpstream for anything but the expected document."""
        try:
            return answer.model_validate_json(content)
        except ValidationError as error:
            raise BadUpstream(f"{self.purpose} gave a wrong answer") from error

    async def ready(self) -> bool:
        timeout = aiohttp.ClientTimeout(total=_PROBE_TIMEOUT_S)
        try:
            async with self.session.get(f"{self.url}/readyz", timeout=timeout, allow_redirects=False) as response:
                return response.status == HTTPStatus.OK
        except (aiohttp.ClientError, TimeoutError):
            return False


@asynccontextmanager
async def open_upstream(url: str, purpose: str, connections_max: int = 100) -> AsyncIterator[Upstream]:
    """Keeps connections open while the context lasts. Keeps no cookies: they would go to other callers' requests.

    Each new connection asks for the address again: a container that is replaced gets another one.
    """
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections_max, keepalive_timeout=_IDLE_S, use_dns_cache=False),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"accept-encoding": "identity"},
        skip_auto_headers=("content-type", "user-agent"),
        auto_decompress=False,
    ) as session:
        yield Upstream(session, url.rstrip("/"), purpose)


def _error_of(response: UpstreamAnswer, purpose: str) -> HeparError:
    if response.headers.get("content-type", "").startswith(MEDIA_TYPE):
        try:
            problem = Problem.model_validate_json(response.content)
        except ValidationError:
            return BadUpstream(f"{purpose} gave a wrong answer")
        return UpstreamProblem(problem, response.headers.get("retry-after"))
    return BadUpstream(f"{purpose} gave a wrong answer")
