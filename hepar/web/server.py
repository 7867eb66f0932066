"""uvicorn with a shutdown that first turns readiness off, and the open files that it needs."""

from __future__ import annotations

import gc
import resource
import socket
import threading
from types import FrameType

import uvicorn
from fastapi import FastAPI

from hepar.core.freed_memory import keep_freed_memory

_ALLOCATIONS_PER_COLLECTION = 10_000


class DrainingServer(uvicorn.Server):
    """At the first SIGTERM or Ctrl-C `app.state.draining` becomes true; the listener closes `delay_s` seconds later.

    What a service has made by its start lives as long as the process, so the garbage collector leaves it out. What it
    frees from then on, it keeps for the next request.
    """

    def __init__(self, config: uvicorn.Config, app: FastAPI, delay_s: float) -> None:
        super().__init__(config)
        self._app = app
        self._delay_s = delay_s

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        gc.collect()
        gc.freeze()
        gc.set_threshold(_ALLOCATIONS_PER_COLLECTION)
        keep_freed_memory()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        second = self._app.state.draining
        self._app.state.draining = True
        if second or self._delay_s <= 0:
            super().handle_exit(sig, frame)
        else:
            timer = threading.Timer(self._delay_s, super().handle_exit, (sig, frame))
            timer.daemon = True
            timer.start()


def allow_open_files(files: int) -> None:
    """Raises the soft limit on open files as far as the hard limit permits. Many systems start with 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < files:
        wanted = files if hard == resource.RLIM_INFINITY else min(files, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
