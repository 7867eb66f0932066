"""A real HTTP server for an app, in a thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import uvicorn
from starlette.types import ASGIApp

# anyio imports its modules when they are first used. pytest rewrites them then, and the parser of Python 3.11 fails
# where two threads use it: the test's and the server's (SystemError: AST constructor recursion depth mismatch).
for _name in dir(anyio):
    getattr(anyio, _name)


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """Yields the address, http://127.0.0.1:PORT."""
    config = uvicorn.Config(
        app, port=0, http="httptools", log_config=None, timeout_graceful_shutdown=2, proxy_headers=False
    )
    server = uvicorn.Server(config)
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
