"""One HTTP connection: its share of all connections, the pace of its answers, and its end."""

from __future__ import annotations

import asyncio
import socket
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from hepar.core.errors import ClientError, HeparError
from hepar.core.request_context import REQUEST_ID_HEADER, begin_request
from hepar.web.access_log import record_refusal
from hepar.web.connection_limits import ConnectionLimits
from hepar.web.in_flight import CallerBusy
from hepar.web.problems import MEDIA_TYPE, problem_of

if TYPE_CHECKING:
    from asyncio import Transport

MIN_SENT_BYTES = 16 * 1024
SEND_CHECK_S = 10.0
"""An answer that waits for its reader moves on by MIN_SENT_BYTES in this time, or the connection is cut."""
MAX_KERNEL_UNSENT_BYTES = 128 * 1024
"""The kernel would buffer up to 4 MB of an answer that nobody reads, where no limit of ours applies."""
MAX_DISCARDED_BYTES = 66 * 1024 * 1024
MAX_DISCARD_PAUSE_S = 5.0
MAX_DISCARD_S = 30.0
"""After an early answer the rest of the request is read and dropped within these limits. TCP would otherwise discard
the answer: the kernel resets a connection that is closed with unread input."""
MAX_PIPELINED = 8


class TooManyPipelined(ClientError):
    """More requests than MAX_PIPELINED wait on one connection. It has no answer: those that wait are answered."""


class Connection(HttpToolsProtocol):
    """uvicorn's connection, with limits where it has none. Subclasses parse what `discard` does not take.

    An answer that comes before the end of its request ends the connection. A request is served until its reader has
    taken the answer, but for the last 64 KiB.
    """

    def __init__(self, *args: Any, limits: ConnectionLimits, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        self._limits = limits
        self._address = ""
        self._written_bytes = 0
        self._send_check: asyncio.TimerHandle | None = None
        self._discard_timer: asyncio.TimerHandle | None = None
        self._discard_ends_at = 0.0
        self._discarded_bytes = 0
        self._next_waits = False
        self._input_ended = False

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._address = self.client[0] if self.client else "unknown"
        connected: socket.socket = transport.get_extra_info("socket")
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MAX_KERNEL_UNSENT_BYTES)
        self._check_sending(was_waiting=False, sent_bytes=0)
        if not self._limits.add(self._address):
            if self._limits.exhausted():
                transport.abort()
            else:
                self.refuse(CallerBusy(f"at most {self._limits.address_max} connections from one address"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._limits.remove(self._address)
        for timer in (self._send_check, self._discard_timer):
            if timer is not None:
                timer.cancel()
        self.pipeline.clear()
        super().connection_lost(exc)

    def refuse(self, error: HeparError) -> None:
        """Answers a request that the application does not get, or not to its end, and ends the connection."""
        if self.cycle is None or self.cycle.response_complete:
            copy_context().run(self._send_refusal, error)
        elif not self.cycle.more_body:  # earlier requests are answered first
            self._end_input()
        elif self.cycle.response_started or self.pipeline:
            self.transport.abort()
        else:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            copy_context().run(self._send_refusal, error)

    def _send_refusal(self, error: HeparError) -> None:
        request_id = begin_request(None).request_id
        record_refusal(error.status)
        body = problem_of(error).model_dump_json(exclude_none=True).encode()
        headers = {
            "content-type": MEDIA_TYPE,
            "content-length": str(len(body)),
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
            REQUEST_ID_HEADER: request_id,
            "connection": "close",
            **error.response_headers(),
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
        self._write(STATUS_LINE[error.status] + lines + b"\r\n" + body)
        self._begin_to_discard()

    @property
    def discarding(self) -> bool:
        """Whatever arrives is dropped: the last answer was given."""
        return self._discard_timer is not None

    def discard(self, data: bytes) -> bool:
        """Drops the data where the last answer was given; False where they are still to be parsed."""
        if self._discard_timer is None:
            return self._input_ended
        self._discarded_bytes += len(data)
        if self._discarded_bytes > MAX_DISCARDED_BYTES or self.loop.time() > self._discard_ends_at:
            self.transport.abort()
        else:
            self._discard_timer.cancel()
            self._discard_timer = self.loop.call_later(MAX_DISCARD_PAUSE_S, self.transport.abort)
        return True

    def close_after_response(self) -> None:
        if self.cycle.more_body or self._input_ended or self.pipeline:
            self._begin_to_discard()
        else:
            self.transport.close()

    def _begin_to_discard(self) -> None:
        if self.discarding or self.transport.is_closing():
            return
        self._unset_keepalive_if_required()
        self.pipeline.clear()
        self._discard_ends_at = self.loop.time() + MAX_DISCARD_S
        self._discard_timer = self.loop.call_later(MAX_DISCARD_PAUSE_S, self.transport.abort)
        self.transport.write_eof()
        self.flow.resume_reading()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self.cycle.transport = _ResponseTransport(self)  # type: ignore[assignment]

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= MAX_PIPELINED:
            raise TooManyPipelined
        super().on_message_begin()

    def _end_input(self) -> None:
        """The answer to the newest request is the last one."""
        self._input_ended = True
        self.cycle.keep_alive = False

    def on_response_complete(self) -> None:
        """The next pipelined request starts when its reader has taken the answer to this one."""
        if self.discarding:
            return
        if self.flow.write_paused:
            self._next_waits = True
            self.flow.pause_reading()
        else:
            super().on_response_complete()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._next_waits:
            self._next_waits = False
            self.on_response_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGIApp) -> None:  # type: ignore[override]
        async def app_with_reader(scope: Scope, receive: Receive, send: Send) -> None:
            async def send_to_reader(message: Message) -> None:
                if message["type"] == "http.response.start" and cycle.more_body:
                    cycle.keep_alive = False
                await send(message)
                if self.flow.write_paused:
                    await self.flow.drain()

            await app(scope, receive, send_to_reader)

        super()._start_asgi_task(cycle, app_with_reader)  # type: ignore[arg-type]

    def _write(self, data: bytes) -> None:
        self._written_bytes += len(data)
        self.transport.write(data)

    def _check_sending(self, *, was_waiting: bool, sent_bytes: int) -> None:
        """Cuts a connection whose reader is too slow. Closing it would wait for the reader."""
        unsent_bytes = self.transport.get_write_buffer_size()
        sent_now_bytes = self._written_bytes - unsent_bytes
        if was_waiting and unsent_bytes and sent_now_bytes - sent_bytes < MIN_SENT_BYTES:
            self.transport.abort()
            return
        self._send_check = self.loop.call_later(
            SEND_CHECK_S, lambda: self._check_sending(was_waiting=unsent_bytes > 0, sent_bytes=sent_now_bytes)
        )


class _ResponseTransport:
    """The transport as a response sees it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def write(self, data: bytes) -> None:
        self._connection._write(data)  # noqa: SLF001  a part of it

    def close(self) -> None:
        self._connection.close_after_response()

    def is_closing(self) -> bool:
        return self._connection.discarding or self._connection.transport.is_closing()
