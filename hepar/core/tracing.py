"""OpenTelemetry: a span per request, stage and call, exported by OTLP where an endpoint is configured.

The standard variables apply: OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_SAMPLER and so on. Without an endpoint nothing is
recorded; the trace context (W3C) is still read, or created, and passed on, so that logs of all services can be joined.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

TRACE_HEADER = "traceparent"
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_SERVER_ERROR = 500
_propagator = TraceContextTextMapPropagator()
_tracer = trace.get_tracer("hepar")


def configure_tracing(service: str) -> bool:
    """Once per process, before the first request. Returns whether spans are exported."""
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
    """The span of one request; a child of the caller's span where its `traceparent` is well formed."""
    context = _propagator.extract(headers)
    with _tracer.start_as_current_span(method, context=context, kind=SpanKind.SERVER) as started:
        if started.get_span_context().is_valid:
            yield started
        else:  # neither recorded nor sent by the caller: ids of our own
            own = SpanContext(secrets.randbits(128) or 1, secrets.randbits(64) or 1, is_remote=False)
            with trace.use_span(NonRecordingSpan(own)) as local:
                yield local


def end_server_span(span: Span, method: str, route: str, status: int, request_id: str) -> None:
    """Adds what is known only at the end of the request."""
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
    """Around a part of a request; an exception that leaves it is recorded."""
    with _tracer.start_as_current_span(name, kind=kind, attributes=attributes) as started:
        yield started


@contextmanager
def detached_span(name: str, kind: SpanKind) -> Iterator[Span]:
    """As `span`, but never the current one: for a generator, which may end in another context than it began in."""
    started = _tracer.start_span(name, kind=kind)
    try:
        yield started
    except Exception as error:
        started.record_exception(error)
        started.set_status(Status(StatusCode.ERROR))
        raise
    finally:
        started.end()


def trace_headers(of: Span | None = None) -> dict[str, str]:
    """`traceparent`, and `tracestate` where there is one, of a span; by default of the current one, if there is one."""
    headers: dict[str, str] = {}
    _propagator.inject(headers, None if of is None else trace.set_span_in_context(of))
    return headers


def current_trace_id() -> str:
    """32 hexadecimal digits."""
    return f"{trace.get_current_span().get_span_context().trace_id:032x}"
