"""Limits on the request line, the headers and the Host: httptools has none, and accepts zero or two Hosts."""

from __future__ import annotations

from typing import ClassVar

from starlette.datastructures import Headers
from starlette.types import Scope

from hepar.core.errors import ClientError, UnsupportedMedia

MAX_HEADERS = 100
MAX_HEADER_BYTES = 16 * 1024
MAX_URL_BYTES = 4 * 1024
_SINGLE = ("authorization", "content-type", "content-encoding", "content-length")
"""Readers that take the first and readers that take the last would disagree."""
_UNREAD = ("cookie", "user-agent", "referer")
"""Browsers and other sites on the same host write them, and nothing here reads them."""
_ECHOED_CHARACTERS = 40


class HeadersTooLarge(ClientError):
    """More headers, or more bytes of headers, than the published limits."""

    status, title, slug = 431, "The headers are too large", "headers-too-large"

    def __init__(self) -> None:
        super().__init__(f"at most {MAX_HEADERS} headers and {MAX_HEADER_BYTES} bytes of them")


class UrlTooLong(ClientError):
    """A path and query that are longer than the published limit."""

    status, title, slug = 414, "The address is too long", "url-too-long"

    def __init__(self) -> None:
        super().__init__(f"at most {MAX_URL_BYTES} bytes")


class MalformedRequest(ClientError):
    """Bytes that are not an HTTP/1.1 request, or are one in more than one way."""

    status, title, slug = 400, "The request is not valid HTTP", "malformed-request"


class UnsupportedCoding(UnsupportedMedia):
    """A Content-Encoding: bodies are read as they are."""

    headers: ClassVar[dict[str, str]] = {"Accept-Encoding": "identity"}


class UnknownHost(ClientError):
    """No Host header, two of them, or a name that is not this server's."""

    status, title, slug = 400, "The Host header is not acceptable", "unknown-host"


def check_request(scope: Scope, hosts: frozenset[str]) -> None:
    """hosts: accepted names, without port.

    Raises UrlTooLong, HeadersTooLarge, MalformedRequest, UnknownHost and UnsupportedCoding.
    """
    if len(scope["raw_path"] or b"") + len(scope["query_string"]) > MAX_URL_BYTES:
        raise UrlTooLong
    size_bytes = sum(len(name) + len(value) for name, value in scope["headers"])
    if len(scope["headers"]) > MAX_HEADERS or size_bytes > MAX_HEADER_BYTES:
        raise HeadersTooLarge
    headers = Headers(scope=scope)
    for name, value in headers.items():
        if not value.isascii() and name not in _UNREAD:
            raise MalformedRequest(f"the header {name} has characters that are not ASCII")
    for name in _SINGLE:
        if len(headers.getlist(name)) > 1:
            raise MalformedRequest(f"the header {name} comes more than once")
    offered = headers.getlist("host")
    if len(offered) != 1 or _host_name(offered[0]) not in hosts:
        raise UnknownHost("send exactly one Host header with a name of this server")
    coding = headers.get("content-encoding", "").strip().lower()
    if coding not in ("", "identity"):
        raise UnsupportedCoding(
            f"the Content-Encoding {coding[:_ECHOED_CHARACTERS]!r} is not read: send bytes as they are"
        )


def _host_name(host: str) -> str:
    """The host without its port; an IPv6 address keeps its brackets."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].lower()
