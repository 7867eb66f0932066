"""One upload for several services: each chunk goes to every reader while it arrives, and is then dropped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from typing import Final

_END: Final = b""


class BodySplitter:
    """Splits a body between named readers; the slowest one holds the upload back.

    depth: chunks that wait for each reader at most, so that memory does not grow with the upload. A reader whose
    service answered before the end, or failed, must `leave`: it then holds nobody back.
    """

    def __init__(self, body: AsyncIterator[bytes], readers: Collection[str], depth: int = 4) -> None:
        self._body = body
        self._queues: dict[str, asyncio.Queue[bytes]] = {name: asyncio.Queue(depth) for name in readers}
        self._failure: BaseException | None = None

    async def pump(self) -> None:
        """Reads the body to its end. Its error (too large, client gone) reaches every reader."""
        try:
            async for chunk in self._body:
                await self._put(chunk)
        except BaseException as error:
            self._failure = error
            raise
        finally:
            await self._put(_END)

    async def reader(self, name: str) -> AsyncIterator[bytes]:
        """The chunks for one reader. Raises what ended the body early."""
        queue = self._queues.get(name)
        while queue is not None:
            chunk = await queue.get()
            if chunk == _END:
                if self._failure is not None:
                    raise self._failure
                return
            yield chunk

    def leave(self, name: str) -> None:
        """Drops what waits for this reader; a waiting `pump` continues."""
        queue = self._queues.pop(name)
        while not queue.empty():
            queue.get_nowait()

    async def _put(self, chunk: bytes) -> None:
        for queue in list(self._queues.values()):
            await queue.put(chunk)
