"""Reading of uploads in a few processes with resource limits: the files come from outside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from hepar.imaging.study import StudyHeaders
from hepar.serving.study_reader import StudyReader

Answer = TypeVar("Answer")
PROCESSES = 2
_WAIT_PER_PROCESSOR_S = 3
"""On a busy machine a process gets a third of a processor at least."""


class ReaderCall(Protocol):
    """`UploadReader.call` in a turn."""

    async def __call__(self, work: Callable[[], Answer], /) -> Answer: ...


class UploadReader:
    """PROCESSES files are read at the same time, further ones wait. folder, processor_s: as for StudyReader.

    Methods raise UnreadableStudyUpload, UnsafeArchiveUpload, TooLarge, DeadlineExceeded and Unavailable.
    """

    def __init__(self, folder: Path, processor_s: float) -> None:
        self._timeout_s = processor_s * _WAIT_PER_PROCESSOR_S
        self._readers = [StudyReader(folder, processor_s) for _ in range(PROCESSES)]
        self._free: asyncio.LifoQueue[StudyReader] = asyncio.LifoQueue()
        for reader in self._readers:
            self._free.put_nowait(reader)

    async def headers(self, path: Path, series: str | None) -> StudyHeaders:
        """series: to be analysed; chosen by rules where it is None."""
        async with self._free_reader() as reader:
            return await asyncio.to_thread(reader.headers, [path], series, self._timeout_s)

    async def call(self, work: Callable[[], Answer]) -> Answer:
        """work: a `functools.partial` of a function of a module."""
        async with self.turn() as call:
            return await call(work)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[ReaderCall]:
        """A process for one file, which is best read into memory within the turn: files may be large."""
        async with self._free_reader() as reader:

            async def call(work: Callable[[], Answer]) -> Answer:
                return await asyncio.to_thread(reader.call, work, self._timeout_s)

            yield call

    @asynccontextmanager
    async def _free_reader(self) -> AsyncIterator[StudyReader]:
        reader = await self._free.get()
        try:
            yield reader
        finally:
            self._free.put_nowait(reader)

    def close(self) -> None:
        """Ends the processes, without waiting for their files."""
        for reader in self._readers:
            reader.close()
