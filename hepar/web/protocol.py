"""uvicorn's HTTP protocol with limits on the request line and the headers, and without protocol upgrades."""

from __future__ import annotations

import asyncio

import httptools

from hepar.core.errors import HeparError
from hepar.web.connection import Connection
from hepar.web.request_limits import (
    MAX_HEADER_BYTES,
    MAX_HEADERS,
    MAX_URL_BYTES,
    HeadersTooLarge,
    MalformedRequest,
    UrlTooLong,
)

MAX_HEADERS_S = 10.0
_MAX_UNFINISHED_BYTES = MAX_URL_BYTES + MAX_HEADER_BYTES + 1024
"""Between two complete parts of a request: its head, a part of its body, its end. httptools collects the rest."""
_UPGRADE_HEADERS = (b"upgrade", b"http2-settings")


class HttpProtocol(Connection):
    """Closes a connection whose request line and headers are not complete within MAX_HEADERS_S (slow loris).

    Serves a request that offers an upgrade as HTTP/1.1 (RFC 9110, section 7.8: the offer may be ignored). httptools
    stops at such a request without its body, and would parse the body as the next request.
    """

    _header_timer: asyncio.TimerHandle | None = None
    _in_head = False
    _progressed = False
    _header_count = 0
    _header_bytes = 0
    _unfinished_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._header_timer = self.loop.call_later(MAX_HEADERS_S, transport.close)
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self.discard(data):
            return
        if self._header_timer is None and (self.cycle is None or self.cycle.response_complete):
            self._header_timer = self.loop.call_later(MAX_HEADERS_S, self.transport.close)
        self._unset_keepalive_if_required()
        self._progressed = False
        self._parse(data)
        self._unfinished_bytes = 0 if self._progressed else self._unfinished_bytes + len(data)
        if self._unfinished_bytes > _MAX_UNFINISHED_BYTES and not self.discarding:
            self.refuse(HeadersTooLarge())

    def _parse(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            if self.parser.get_method() == b"CONNECT":
                self.refuse(MalformedRequest("CONNECT is not supported"))
                return
            head = self._head_without_upgrade()
            self.parser = httptools.HttpRequestParser(self)
            self._parse(head + data[offer.args[0] :])
        except httptools.HttpParserError as error:
            cause = error.__context__
            self.refuse(cause if isinstance(cause, HeparError) else MalformedRequest())

    def _head_without_upgrade(self) -> bytes:
        version = self.parser.get_http_version().encode()
        lines = [self.parser.get_method() + b" " + self.url + b" HTTP/" + version]
        for name, value in self.headers:
            if name == b"connection":
                options = (option.strip() for option in value.split(b","))
                value = b", ".join(option for option in options if option.lower() not in _UPGRADE_HEADERS)  # noqa: PLW2901
            if name not in _UPGRADE_HEADERS:
                lines.append(name + b": " + value)
        return b"\r\n".join([*lines, b"", b""])

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._header_count = self._header_bytes = 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > MAX_URL_BYTES:
            raise UrlTooLong

    def on_header(self, name: bytes, value: bytes) -> None:
        """A trailer, after the head, is counted and dropped: what was decided by the headers stays decided."""
        self._header_count += 1
        self._header_bytes += len(name) + len(value)
        if self._header_count > MAX_HEADERS or self._header_bytes > MAX_HEADER_BYTES:
            raise HeadersTooLarge
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._progressed = True
        if not self.parser.should_upgrade():
            self._stop_header_timer()
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._progressed = True
        if not self.parser.should_upgrade():
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._progressed = True
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_header_timer()
        super().connection_lost(exc)

    def _begin_to_discard(self) -> None:
        self._stop_header_timer()
        super()._begin_to_discard()

    def _stop_header_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None
