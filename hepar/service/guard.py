"""What stands before every app: a request id, limits on the request line and headers, one access line."""

from __future__ import annotations

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hepar.service.problems import ClientError, HeparError, Unavailable, problem_of, problem_response
from hepar.service.requests import REQUEST_ID_HEADER, begin_request

_access = logging.getLogger("hepar.access")
_log = logging.getLogger(__name__)

HEADERS_MAX = 100
HEADER_BYTES_MAX = 16 * 1024
URL_BYTES_MAX = 4 * 1024


class HeadersTooLarge(ClientError):
    """More headers than any client of ours sends."""

    status, title, slug = 431, "The headers are too large", "headers-too-large"


class UrlTooLong(ClientError):
    """Longer than any address of ours."""

    status, title, slug = 414, "The address is too long", "url-too-long"


class UnknownHost(ClientError):
    """No Host header, two of them, or one that is not ours."""

    status, title, slug = 400, "The Host header is not acceptable", "unknown-host"


class Busy(Unavailable):
    """As many requests under way as this process takes."""

    title, slug = "Too many requests at the moment", "busy"


class Guard:
    """ASGI middleware. httptools accepts no Host or two of them, and has no limit on headers of its own.

    uvicorn's limit on concurrency reacts only between requests, so the gate is here.
    hosts: names accepted in the Host header, without port.
    concurrent_max: requests under way; health checks do not count.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str], concurrent_max: int) -> None:
        self._app = app
        self._hosts = hosts
        self._concurrent_max = concurrent_max
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = scope["headers"]
        offered = next((value for name, value in headers if name == REQUEST_ID_HEADER.encode()), b"")
        request_id = begin_request(offered.decode("latin-1"))
        started, status = time.perf_counter(), 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    (REQUEST_ID_HEADER.encode(), request_id.encode()),
                    (b"x-content-type-options", b"nosniff"),
                    (b"cache-control", b"no-store"),
                ]
            await send(message)

        health = scope["path"] in ("/healthz", "/readyz")
        try:
            self._check(scope, headers, counted=not health)
        except HeparError as error:
            await problem_response(problem_of(error), error.headers)(scope, receive, send_with_id)
        else:
            self._under_way += not health
            try:
                await self._app(scope, receive, send_with_id)
            except Exception:  # noqa: BLE001  logged, and answered with a 500 that tells nothing
                _log.exception("unforeseen error")
                if status == 0:
                    await problem_response(problem_of(HeparError()))(scope, receive, send_with_id)
            finally:
                self._under_way -= not health
        finally:
            if not health or status >= 500:
                _access.info(
                    "request",
                    extra={
                        "method": scope["method"],
                        "route": getattr(scope.get("route"), "path", "-"),
                        "status": status,
                        "duration_ms": round((time.perf_counter() - started) * 1000, 1),
                    },
                )

    def _check(self, scope: Scope, headers: list[tuple[bytes, bytes]], *, counted: bool) -> None:
        if len(scope["raw_path"] or b"") + len(scope["query_string"]) > URL_BYTES_MAX:
            raise UrlTooLong(f"at most {URL_BYTES_MAX} bytes")
        size = sum(len(name) + len(value) for name, value in headers)
        if len(headers) > HEADERS_MAX or size > HEADER_BYTES_MAX:
            raise HeadersTooLarge(f"at most {HEADERS_MAX} headers and {HEADER_BYTES_MAX} bytes of them")
        hosts = [value.decode("latin-1") for name, value in headers if name == b"host"]
        if len(hosts) != 1 or _name(hosts[0]) not in self._hosts:
            raise UnknownHost("send exactly one Host header with a name of this server")
        if counted and self._under_way >= self._concurrent_max:
            raise Busy


def _name(host: str) -> str:
    """The host without its port; an IPv6 address keeps its brackets."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].lower()
