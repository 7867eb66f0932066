"""A real HTTP server for an app, in a thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp


@contextmanager
def serving(app: ASGIApp, *, proxy_headers: bool = True) -> Iterator[str]:
    """Yields the address, http://127.0.0.1:PORT. proxy_headers: whether the server itself reads X-Forwarded-For."""
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            port=0,
            http="httptools",
            log_config=None,
            timeout_graceful_shutdown=2,
            proxy_headers=proxy_headers,
        )
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
