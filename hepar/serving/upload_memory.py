"""How much memory uploads take in a model service, in all and by account."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

from fastapi import Request

from hepar.core.errors import Busy

UPLOADS_BYTES_MAX = 512 * 1024**2


class UploadMemory:
    """At most `bytes_max` of uploads at a time, and half of it of one account. Most of them wait for the decoder."""

    def __init__(self, bytes_max: int = UPLOADS_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._held_bytes: Counter[str] = Counter()

    @contextmanager
    def reading(self, request: Request, account: str) -> Iterator[Request]:
        """The request with a counted body, whose bytes are held until the context ends.

        Its stream raises Busy for the chunk that does not fit.
        """
        counted = _CountedRequest(request, self, account)
        try:
            yield counted
        finally:
            self._held_bytes[account] -= counted.held_bytes
            if not self._held_bytes[account]:
                del self._held_bytes[account]

    def hold(self, account: str, count: int) -> None:
        """Raises Busy."""
        if self._held_bytes[account] + count > self._bytes_max // 2:
            raise Busy("too many bytes of this account wait to be decoded; try again soon")
        if self._held_bytes.total() + count > self._bytes_max:
            raise Busy("too many bytes wait to be decoded; try again soon")
        self._held_bytes[account] += count


class _CountedRequest(Request):
    def __init__(self, request: Request, memory: UploadMemory, account: str) -> None:
        super().__init__(request.scope, request.receive)
        self._memory = memory
        self._account = account
        self.held_bytes = 0

    async def stream(self) -> AsyncGenerator[bytes, None]:
        async for chunk in super().stream():
            self._memory.hold(self._account, len(chunk))
            self.held_bytes += len(chunk)
            yield chunk
