"""What every response carries and what is recorded of it: common headers, one access line, metrics, the server span."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from opentelemetry.trace import Span
from starlette.datastructures import MutableHeaders
from starlette.types import Message, Scope, Send

from hepar.core.metrics import count_request
from hepar.core.request_context import REQUEST_ID_HEADER, RequestContext
from hepar.core.tracing import current_trace_id, end_server_span

_access = logging.getLogger("hepar.access")


class ObservedResponse:
    """ASGI send that remembers the status and adds the headers that every response has.

    before_end: called before the last part of the body is sent.
    """

    def __init__(self, send: Send, request_id: str, before_end: Callable[[], None]) -> None:
        self._send = send
        self._before_end = before_end
        self._request_id = request_id
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers.setdefault("Cache-Control", "no-store")
            headers[REQUEST_ID_HEADER] = self._request_id
            headers["X-Content-Type-Options"] = "nosniff"
        elif not message.get("more_body", False):
            self._before_end()
        await self._send(message)


def record_request(scope: Scope, status: int, started: float, context: RequestContext, span: Span) -> None:
    """started: time.perf_counter() at the start. The access line holds the route's pattern: a path may be private."""
    route = getattr(scope.get("route"), "path", "-")
    seconds = time.perf_counter() - started
    count_request(scope["method"], route, status, seconds, context.stages_ms)
    end_server_span(span, scope["method"], route, status, context.request_id)
    _access.info(
        "request",
        extra={
            "method": scope["method"],
            "route": route,
            "status": status,
            "duration_ms": round(seconds * 1000, 1),
            "trace_id": current_trace_id(),
            **({"account": context.account} if context.account else {}),
            **({"stages_ms": context.stages_ms} if context.stages_ms else {}),
        },
    )


def record_refusal(status: int) -> None:
    """A request that was refused before its method and path were known."""
    count_request("-", "-", status, 0.0, {})
    _access.info("refused", extra={"status": status})
