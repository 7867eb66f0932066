"""multipart/form-data (RFC 7578) while it arrives: the starts of its parts and their bytes, in order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.message import Message
from typing import TYPE_CHECKING

from fastapi import Request
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser

from hepar.core.errors import InvalidField, InvalidRequest

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FORM = "multipart/form-data"
_BOUNDARY_LENGTH_MAX = 70
"""RFC 2046, section 5.1.1."""


@dataclass(frozen=True)
class PartStart:
    """The head of a part is complete. name: of the form's field."""

    name: str | None


def content_type(request: Request) -> tuple[str, str]:
    """The media type in lower case, and its boundary."""
    message = Message()
    message["content-type"] = request.headers.get("content-type", "")
    boundary = message.get_param("boundary", "")
    return message.get_content_type() if message["content-type"] else "", str(boundary)


async def multipart_events(
    body: AsyncIterator[bytes], boundary: str, boundary_length_max: int = _BOUNDARY_LENGTH_MAX
) -> AsyncIterator[PartStart | bytes]:
    """A PartStart for each part, followed by its bytes in pieces.

    boundary_length_max: for bodies of programs that do not keep to RFC 2046.
    Raises InvalidRequest for a boundary that none can have, a malformed body and one that ends too early.
    """
    if not boundary or len(boundary) > boundary_length_max:
        message = "the multipart boundary is missing or too long"
        raise InvalidRequest(message, InvalidField("header", "/Content-Type", "invalid_boundary", message))
    collected = _Collected()
    callbacks: MultipartCallbacks = {
        "on_header_field": collected.on_header_field,
        "on_header_value": collected.on_header_value,
        "on_header_end": collected.on_header_end,
        "on_headers_finished": collected.on_headers_finished,
        "on_part_data": collected.on_part_data,
        "on_end": collected.on_end,
    }
    try:
        parser = MultipartParser(boundary.encode("latin-1"), callbacks)
        async for chunk in _from_first_boundary(body, boundary.encode("latin-1")):
            parser.write(chunk)
            for event in collected.take():
                yield event
    except (MultipartParseError, UnicodeEncodeError) as error:
        raise _invalid_body("the multipart body is malformed") from error
    if not collected.complete:
        raise _invalid_body("the multipart body ends too early")


@dataclass
class _Collected:
    """Callbacks of the push parser: what the last chunk completed."""

    complete: bool = False
    _events: list[PartStart | bytes] = field(default_factory=list)
    _part_name: str | None = None
    _name: bytearray = field(default_factory=bytearray)
    _value: bytearray = field(default_factory=bytearray)

    def take(self) -> list[PartStart | bytes]:
        events, self._events = self._events, []
        return events

    def on_header_field(self, chunk: bytes, start: int, end: int) -> None:
        self._name += chunk[start:end]

    def on_header_value(self, chunk: bytes, start: int, end: int) -> None:
        self._value += chunk[start:end]

    def on_header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            message = Message()
            message["content-disposition"] = self._value.decode("latin-1")
            name = message.get_param("name", header="content-disposition")
            self._part_name = name if isinstance(name, str) else None
        self._name.clear()
        self._value.clear()

    def on_headers_finished(self) -> None:
        self._events.append(PartStart(self._part_name))
        self._part_name = None

    def on_part_data(self, chunk: bytes, start: int, end: int) -> None:
        self._events.append(chunk[start:end])

    def on_end(self) -> None:
        self.complete = True


def _invalid_body(message: str) -> InvalidRequest:
    return InvalidRequest(message, InvalidField("body", "", "invalid_multipart", message))


async def _from_first_boundary(body: AsyncIterator[bytes], boundary: bytes) -> AsyncIterator[bytes]:
    """Without the text that may come before it (RFC 2046, section 5.1.1)."""
    delimiter = b"\n--" + boundary
    held = b"\n"
    async for chunk in body:
        held += chunk
        start = held.find(delimiter)
        if start >= 0:
            yield held[start + 1 :]
            break
        held = held[-len(delimiter) :]
    async for chunk in body:
        yield chunk
