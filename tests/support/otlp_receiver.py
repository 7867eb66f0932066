"""A receiver of OTLP traces over HTTP that records every span."""

from __future__ import annotations

import base64
import gzip
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from google.protobuf.json_format import Parse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class ReceivedSpan:
    """ids in hexadecimal; parent is empty for the first of a trace."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent: str
    attributes: dict[str, str]
    events: tuple[str, ...]


@dataclass
class Receiver:
    url: str
    spans: list[ReceivedSpan] = field(default_factory=list)

    def of_trace(self, trace_id: str) -> list[ReceivedSpan]:
        return [one for one in list(self.spans) if one.trace_id == trace_id]

    def wait_for(self, trace_id: str, services: set[str], seconds: float = 30) -> list[ReceivedSpan]:
        """The spans of a trace once all services have reported, or those received when the time is over."""
        return self.wait_until(trace_id, lambda spans: services <= {one.service for one in spans}, seconds)

    def wait_until(
        self, trace_id: str, complete: Callable[[list[ReceivedSpan]], bool], seconds: float = 60
    ) -> list[ReceivedSpan]:
        """The same for any condition: a service reports the spans of one trace in several batches."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends and not complete(self.of_trace(trace_id)):
            time.sleep(0.2)
        return self.of_trace(trace_id)


@contextmanager
def otlp_receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            received.spans.extend(_spans(body, self.headers.get("content-type", "")))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  its name in http.server
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    received = Receiver(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _in_base64(match: re.Match[bytes]) -> bytes:
    return b'"%s":"%s"' % (match[1], base64.b64encode(bytes.fromhex(match[2].decode())))


def _spans(body: bytes, kind: str) -> Iterator[ReceivedSpan]:
    request = ExportTraceServiceRequest()
    if "json" in kind:
        # OTLP's JSON has ids in hexadecimal, protobuf's own has them in base64.
        text = re.sub(rb'"(traceId|spanId|parentSpanId)":\s*"([0-9a-fA-F]*)"', _in_base64, body)
        Parse(text, request, ignore_unknown_fields=True)
    else:
        request.ParseFromString(body)
    for resource in request.resource_spans:
        named = {one.key: one.value.string_value for one in resource.resource.attributes}
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield ReceivedSpan(
                    service=named.get("service.name", ""),
                    name=span.name,
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    attributes={one.key: one.value.string_value or str(one.value.int_value) for one in span.attributes},
                    events=tuple(event.name for event in span.events),
                )
