"""Calls to the services behind the gateway, within the caller's deadline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import httpx
from httpx_sse import EventSource, SSEError
from opentelemetry.trace import SpanKind
from pydantic import BaseModel, ValidationError

from hepar.contracts.problems import Problem
from hepar.core.deadlines import Deadline
from hepar.core.errors import BadUpstream, DeadlineExceeded, HeparError, Unavailable
from hepar.core.request_context import propagation_headers, stage
from hepar.core.tracing import detached_span
from hepar.web.problems import MEDIA_TYPE

Answer = TypeVar("Answer", bound=BaseModel)
EVENTS = "text/event-stream"
_PROBE_TIMEOUT_S = 2.5


class UpstreamProblem(HeparError):
    """A service answered with a problem, which the caller gets unchanged."""

    def __init__(self, problem: Problem, retry_after: str | None = None) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.retry_after = retry_after


@dataclass(frozen=True)
class Upstream:
    """One service. purpose: what it does, in words for callers; its name and address are never told."""

    client: httpx.AsyncClient
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

        Raises UpstreamProblem, Unavailable, DeadlineExceeded and BadUpstream.
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
    ) -> httpx.Response:
        """The answer as it came, unless it is an error. Raises what `call` does."""
        timeout = httpx.Timeout(deadline.remaining_s(), connect=min(2.0, deadline.remaining_s()))
        try:
            with stage(self.purpose, SpanKind.CLIENT):
                sent = dict(headers or {}) | deadline.header() | propagation_headers()
                async with asyncio.timeout(deadline.remaining_s()):
                    response = await self.client.request(method, path, headers=sent, content=content, timeout=timeout)
        except (httpx.TimeoutException, TimeoutError) as error:
            raise self._timed_out(error) from error
        except httpx.HTTPError as error:
            raise Unavailable(f"{self.purpose} is not available at the moment") from error
        if response.status_code >= 400:
            raise _error_of(response, self.purpose)
        return response

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
    ) -> AsyncIterator[httpx.Response]:
        """An answer whose body is still to be read: the deadline is that of its first byte.

        silence_s: the longest time between two pieces of it.  answers: statuses from 400 on that may have a document
        other than a problem, and are answers then.  Raises what `call` does, and while the body is read
        Unavailable and DeadlineExceeded.  An error of a HEAD has no document, and is an answer like others.
        """
        first_s = deadline.remaining_s()
        timeout = httpx.Timeout(silence_s, connect=min(2.0, first_s), write=first_s)
        try:
            async with AsyncExitStack() as stack:
                call = stack.enter_context(detached_span(self.purpose, SpanKind.CLIENT))
                sent = dict(headers) | deadline.header() | propagation_headers(call)
                answering = self.client.stream(method, path, headers=sent, content=content, timeout=timeout)
                async with asyncio.timeout(first_s):
                    response = await stack.enter_async_context(answering)
                    has_problem = response.headers.get("content-type", "").startswith(MEDIA_TYPE)
                    is_answer = response.status_code in answers and not has_problem
                    if response.status_code >= 400 and method != "HEAD" and not is_answer:
                        await response.aread()
                        raise _error_of(response, self.purpose)
                yield response
        except (httpx.TimeoutException, TimeoutError) as error:
            raise self._timed_out(error) from error
        except httpx.HTTPError as error:
            raise Unavailable(f"{self.purpose} is not available at the moment") from error

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
        timeout = httpx.Timeout(deadline.remaining_s(), connect=min(2.0, deadline.remaining_s()))
        try:
            async with AsyncExitStack() as stack:
                call = stack.enter_context(detached_span(self.purpose, SpanKind.CLIENT))
                sent = dict(headers) | deadline.header() | propagation_headers(call) | {"accept": EVENTS}
                answering = self.client.stream("POST", path, headers=sent, content=content, timeout=timeout)
                async with asyncio.timeout(deadline.remaining_s()):
                    response = await stack.enter_async_context(answering)
                    if response.status_code >= 400:
                        await response.aread()
                        raise _error_of(response, self.purpose)
                events = EventSource(response).aiter_sse()
                while True:
                    async with asyncio.timeout(deadline.remaining_s()):
                        event = await anext(events, None)
                    if event is None:
                        break
                    if event.event == "end":
                        return
                    yield self.parsed(item, event.data.encode())
        except (httpx.TimeoutException, TimeoutError) as error:
            raise self._timed_out(error) from error
        except (httpx.HTTPError, SSEError) as error:
            raise Unavailable(f"{self.purpose} is not available at the moment") from error
        raise BadUpstream(f"{self.purpose} stopped before the end")

    def _timed_out(self, error: Exception) -> HeparError:
        if isinstance(error, httpx.ConnectTimeout):
            return Unavailable(f"{self.purpose} is not available at the moment")
        return DeadlineExceeded(f"{self.purpose} did not answer in time")

    def parsed(self, answer: type[Answer], content: bytes) -> Answer:
        """Raises BadUpstream for anything but the expected document."""
        try:
            return answer.model_validate_json(content)
        except ValidationError as error:
            raise BadUpstream(f"{self.purpose} gave a wrong answer") from error

    async def ready(self) -> bool:
        try:
            response = await self.client.get("/readyz", timeout=_PROBE_TIMEOUT_S)
        except httpx.HTTPError:
            return False
        return response.status_code == 200


def _error_of(response: httpx.Response, purpose: str) -> HeparError:
    if response.headers.get("content-type", "").startswith(MEDIA_TYPE):
        try:
            problem = Problem.model_validate_json(response.content)
        except ValidationError:
            return BadUpstream(f"{purpose} gave a wrong answer")
        return UpstreamProblem(problem, response.headers.get("retry-after"))
    return BadUpstream(f"{purpose} gave a wrong answer")
