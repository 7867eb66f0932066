"""uvicorn with what it lacks: an end to headers that do not come, and a drain that begins with readiness."""

from __future__ import annotations

import asyncio
import threading
from types import FrameType

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADERS_S = 10.0


class HeaderTimeoutProtocol(HttpToolsProtocol):
    """Closes a connection whose request line and headers are not whole within HEADERS_S (slow loris)."""

    _impatience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_headers()

    def data_received(self, data: bytes) -> None:
        if self._impatience is None and (self.cycle is None or self.cycle.response_complete):
            self._wait_for_headers()
        super().data_received(data)

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait_for_headers(self) -> None:
        self._impatience = self.loop.call_later(HEADERS_S, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._impatience is not None:
            self._impatience.cancel()
            self._impatience = None


class DrainingServer(uvicorn.Server):
    """At the first SIGTERM or Ctrl-C `app.state.draining` turns true; the listener closes `delay_s` later."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, delay_s: float) -> None:
        super().__init__(config)
        self._app = app
        self._delay_s = delay_s

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        second = self._app.state.draining
        self._app.state.draining = True
        if second or self._delay_s <= 0:
            super().handle_exit(sig, frame)
        else:
            timer = threading.Timer(self._delay_s, super().handle_exit, (sig, frame))
            timer.daemon = True
            timer.start()
