"""What is known of the request under way: its id, which travels to Triton's log, its trace, whose it is, its stages."""

from __future__ import annotations

import re
import secrets
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from opentelemetry.trace import SpanKind

from hepar.core.tracing import current_trace, span

REQUEST_ID_HEADER = "x-request-id"
TRACE_HEADER = "traceparent"
_ALLOWED = re.compile(r"[A-Za-z0-9._-]{8,64}")
_TRACE = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})")


@dataclass
class RequestFacts:
    """For the access line and the next hop. stages_ms: by what was waited for.

    trace_id, flags: of the W3C trace context that the caller sent, or one that begins here; not recorded here.
    """

    request_id: str
    trace_id: str
    flags: str
    account: str | None = None
    stages_ms: dict[str, float] = field(default_factory=dict)


_current: ContextVar[RequestFacts | None] = ContextVar("request", default=None)


def current_request() -> RequestFacts | None:
    """Of the request that this task works for."""
    return _current.get()


def current_request_id() -> str:
    """The id of the request that this task works for, `-` outside of any."""
    facts = _current.get()
    return "-" if facts is None else facts.request_id


def begin_request(offered: str | None, trace: str | None = None) -> RequestFacts:
    """Takes the caller's id and trace (W3C Trace Context, section 3.2) where they are well formed, else makes them."""
    known = offered if offered and _ALLOWED.fullmatch(offered) else uuid.uuid4().hex
    match = _TRACE.fullmatch(trace or "")
    facts = RequestFacts(known, match[1], match[2]) if match else RequestFacts(known, secrets.token_hex(16), "00")
    _current.set(facts)
    return facts


def propagation_headers() -> dict[str, str]:
    """The headers that tell the next hop which request it works for; none outside of any."""
    facts = _current.get()
    return {} if facts is None else {REQUEST_ID_HEADER: facts.request_id} | trace_header()


def trace_header() -> dict[str, str]:
    """The trace alone, with the span under way; where none is recorded, with one of its own for each call."""
    if recorded := current_trace():
        trace_id, span_id, flags = recorded
        return {TRACE_HEADER: f"00-{trace_id}-{span_id}-{flags}"}
    facts = _current.get()
    return {} if facts is None else {TRACE_HEADER: f"00-{facts.trace_id}-{secrets.token_hex(8)}-{facts.flags}"}


def note_account(account: str) -> None:
    """Whose request it is, by the account's id, for the access line."""
    facts = _current.get()
    if facts is not None:
        facts.account = account


@contextmanager
def stage(name: str, kind: SpanKind = SpanKind.INTERNAL) -> Iterator[None]:
    """Notes how long something took, for the access line and as a span; of several of one name the sum."""
    started = time.perf_counter()
    try:
        with span(name, kind):
            yield
    finally:
        facts = _current.get()
        if facts is not None:
            spent = (time.perf_counter() - started) * 1000
            facts.stages_ms[name] = round(facts.stages_ms.get(name, 0.0) + spent, 1)
