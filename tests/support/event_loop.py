"""One event loop for every TestClient of a test run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import anyio.from_thread
import pytest


@pytest.fixture(scope="session", autouse=True)
def one_event_loop() -> Iterator[None]:
    """Makes all clients share the portal of one thread; by default each starts its own thread.

    SQLAlchemy's greenlets leave a state behind with every thread that ends, and it is cleaned up in the main thread.
    """
    with anyio.from_thread.start_blocking_portal() as portal, pytest.MonkeyPatch.context() as patch:
        patch.setattr(anyio.from_thread, "start_blocking_portal", lambda **_: contextlib.nullcontext(portal))
        yield
