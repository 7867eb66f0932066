"""The request body as it arrives: its pace, its size where it must be small, and the end of the connection after it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import ClassVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hepar.core.errors import ClientError, TooLarge

MAX_PAUSE_S = 10.0
MAX_UPLOAD_S = 120.0
MAX_SMALL_BODY_S = 10.0
MAX_SMALL_BODY_BYTES = 64 * 1024


class UploadTooSlow(ClientError):
    """The body paused for too long, or took too long in total."""

    status, title, slug = 408, "The upload did not arrive in time", "upload-too-slow"
    headers: ClassVar[dict[str, str]] = {"Connection": "close"}


def listed_path(path: str, listed: Iterable[str]) -> str | None:
    """The entry that a path is, or begins with where the entry ends in a slash."""
    return next((entry for entry in listed if path == entry or (entry.endswith("/") and path.startswith(entry))), None)


class TimedBody:
    """ASGI receive with time limits. After the body it watches for the disconnect and then cancels `task`.

    task: the task that serves the request; None where it must run to its end although the client is gone.
    upload_s: the longest time that the whole body may take.
    """

    def __init__(self, receive: Receive, task: asyncio.Task[object] | None, upload_s: float = MAX_UPLOAD_S) -> None:
        self._receive = receive
        self._task = task
        self._upload_s = upload_s
        self._ends_at = time.monotonic() + upload_s
        self._watcher: asyncio.Task[None] | None = None
        self._disconnected = asyncio.Event()

    async def receive(self) -> Message:
        """Raises UploadTooSlow."""
        if self._watcher is not None:  # only the disconnect can follow the body
            await self._disconnected.wait()
            return {"type": "http.disconnect"}
        try:
            async with asyncio.timeout(min(MAX_PAUSE_S, self._ends_at - time.monotonic())):
                message = await self._receive()
        except TimeoutError as error:
            detail = f"no byte for {MAX_PAUSE_S:g} s, or not complete after {self._upload_s:g} s"
            raise UploadTooSlow(detail) from error
        if message["type"] == "http.request" and not message.get("more_body", False):
            self._watcher = asyncio.create_task(self._watch())
        return message

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._disconnected.set()
        if self._task is not None:
            self._task.cancel()

    def absorb_cancellation(self) -> bool:
        """True where the cancellation came from the client's disconnect: it is then taken back."""
        if self._disconnected.is_set() and self._task is not None:
            self._task.uncancel()
            return True
        return False

    def stop_watching(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()


class SmallBodies:
    """ASGI middleware. Reads the bodies of ordinary routes before they start: at most MAX_SMALL_BODY_BYTES each.

    upload_paths: POST routes at these paths (`listed_path`) read their own bodies, with limits of their own.
    """

    def __init__(self, app: ASGIApp, upload_paths: frozenset[str]) -> None:
        self._app = app
        self._upload_paths = upload_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        uploads = scope["type"] == "http" and scope["method"] == "POST"
        uploads = uploads and listed_path(scope["path"], self._upload_paths) is not None
        if scope["type"] == "http" and not uploads:
            receive = await _read_small_body(receive)
        await self._app(scope, receive, send)


async def _read_small_body(receive: Receive) -> Receive:
    """Reads the whole body and returns a receive that replays it.

    Raises TooLarge as soon as it exceeds the limit, and UploadTooSlow when it is not complete in MAX_SMALL_BODY_S.
    """
    messages: list[Message] = []
    size_bytes = 0
    try:
        async with asyncio.timeout(MAX_SMALL_BODY_S):
            while True:
                message = await receive()
                messages.append(message)
                size_bytes += len(message.get("body", b""))
                if size_bytes > MAX_SMALL_BODY_BYTES:
                    raise TooLarge(f"at most {MAX_SMALL_BODY_BYTES} bytes")
                if message["type"] != "http.request" or not message.get("more_body", False):
                    break
    except TimeoutError as error:
        raise UploadTooSlow(f"not complete after {MAX_SMALL_BODY_S:g} s") from error
    messages.reverse()

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay
