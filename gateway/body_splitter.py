"""One upload, two readers: each chunk goes to both services while it arrives, and is then forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

_END: Final = b""


class BodySplitter:
    """Splits a body between `readers`; the slower reader holds the upload back.

    A chunk waits in at most `depth` places a reader, so memory does not grow with the upload. A reader that stops
    early (its service answered before the end, or failed) is `leave`d and holds nobody back.
    """

    def __init__(self, body: AsyncIterator[bytes], readers: int = 2, depth: int = 4) -> None:
        self._body = body
        self._queues: list[asyncio.Queue[bytes] | None] = [asyncio.Queue(depth) for _ in range(readers)]
        self._failure: BaseException | None = None

    async def pump(self) -> None:
        """Reads the body to its end. Its error (too large, client gone) reaches every reader."""
        try:
            async for chunk in self._body:
                for index in range(len(self._queues)):
                    await self._put(index, chunk)
        except BaseException as error:
            self._failure = error
            raise
        finally:
            for index in range(len(self._queues)):
                await self._put(index, _END)

    async def reader(self, index: int) -> AsyncIterator[bytes]:
        """The chunks for one reader. Raises what ended the body early."""
        queue = self._queues[index]
        while queue is not None:
            chunk = await queue.get()
            if chunk == _END:
                if self._failure is not None:
                    raise self._failure
                return
            yield chunk

    def leave(self, index: int) -> None:
        """This reader wants no more; what waits for it is dropped, and a waiting `pump` goes on."""
        queue, self._queues[index] = self._queues[index], None
        while queue is not None and not queue.empty():
            queue.get_nowait()

    async def _put(self, index: int, chunk: bytes) -> None:
        queue = self._queues[index]
        if queue is not None:
            await queue.put(chunk)
