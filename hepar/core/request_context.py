"""The current request: its id, whose it is, how long its stages took, and the headers that carry it to the next hop."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from opentelemetry.trace import Span, SpanKind

from hepar.core.tracing import span, trace_headers

REQUEST_ID_HEADER = "x-request-id"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


@dataclass
class RequestContext:
    """account: the account's id, once it is known.  stages_ms: time by stage; repeated stages are summed."""

    request_id: str
    account: str | None = None
    stages_ms: dict[str, float] = field(default_factory=dict)


_current: ContextVar[RequestContext | None] = ContextVar("request", default=None)


def current_request_id() -> str:
    """The id of the request that this task works for, `-` outside of a request."""
    context = _current.get()
    return "-" if context is None else context.request_id


def begin_request(offered_id: str | None) -> RequestContext:
    """Sets the context of this task. The client's id is used where it is well formed, otherwise a new one."""
    usable = offered_id is not None and _REQUEST_ID.fullmatch(offered_id)
    context = RequestContext(offered_id if usable and offered_id else uuid.uuid4().hex)
    _current.set(context)
    return context


def propagation_headers(of: Span | None = None) -> dict[str, str]:
    """Request id and trace context for the next hop; empty outside of a request. of: the current span by default."""
    context = _current.get()
    return {} if context is None else {REQUEST_ID_HEADER: context.request_id} | trace_headers(of)


def set_account(account: str) -> None:
    """Records the account's id for the access line."""
    context = _current.get()
    if context is not None:
        context.account = account


@contextmanager
def stage(name: str, kind: SpanKind = SpanKind.INTERNAL) -> Iterator[None]:
    """Measures a part of the request for the access line and records it as a span."""
    started = time.perf_counter()
    try:
        with span(name, kind):
            yield
    finally:
        context = _current.get()
        if context is not None:
            elapsed_ms = (time.perf_counter() - started) * 1000
            context.stages_ms[name] = round(context.stages_ms.get(name, 0.0) + elapsed_ms, 1)
