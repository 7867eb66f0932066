"""OpenTelemetry: spans of a request, of what it waited for and of each call, exported by OTLP where that is configured.

The standard variables decide: OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_SAMPLER and so on. Without an endpoint nothing
is recorded, and the trace that a caller began is passed on as it came.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_SERVER_ERROR = 500
_context = TraceContextTextMapPropagator()
_tracer = trace.get_tracer("hepar")


def configure_tracing(service: str) -> bool:
    """Once a process, before the first request. Is anything exported?"""
    if not any(os.environ.get(name) for name in _ENDPOINTS):
        return False
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": f"hepar-{service}"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return True


@contextmanager
def server_span(method: str, headers: Mapping[str, str]) -> Iterator[Span]:
    """Of one request; a child of the caller's span where its `traceparent` is well formed."""
    context = _context.extract(headers)
    with _tracer.start_as_current_span(method, context=context, kind=SpanKind.SERVER) as span:
        yield span


def end_server_span(span: Span, method: str, route: str, status: int, request_id: str) -> None:
    """What is known only at the end."""
    span.update_name(f"{method} {route}")
    span.set_attributes(
        {
            "http.request.method": method,
            "http.route": route,
            "http.response.status_code": status,
            "hepar.request_id": request_id,
        }
    )
    if status >= _SERVER_ERROR:
        span.set_status(Status(StatusCode.ERROR))


@contextmanager
def span(name: str, kind: SpanKind = SpanKind.INTERNAL, **attributes: str) -> Iterator[Span]:
    """Around a part of a request; an exception that leaves it is noted."""
    with _tracer.start_as_current_span(name, kind=kind, attributes=attributes) as begun:
        yield begun


def current_trace() -> tuple[str, str, str] | None:
    """Trace id, span id and flags of the span under way, in hexadecimal; None where nothing is recorded."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid or not trace.get_current_span().is_recording():
        return None
    return f"{context.trace_id:032x}", f"{context.span_id:016x}", f"{context.trace_flags:02x}"
