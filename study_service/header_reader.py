"""Reading of uploads' headers in a few processes with resource limits."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hepar.imaging.study import StudyHeaders
from hepar.serving.study_reader import StudyReader

PROCESSES = 2
_WAIT_PER_PROCESSOR_S = 3
"""On a busy machine a process gets a third of a processor at least."""


class HeaderReader:
    """PROCESSES uploads are read at the same time, further ones wait.

    folder: for temporary files.  processor_s: that one upload may use.
    """

    def __init__(self, folder: Path, processor_s: float) -> None:
        self._timeout_s = processor_s * _WAIT_PER_PROCESSOR_S
        self._readers = [StudyReader(folder, processor_s) for _ in range(PROCESSES)]
        self._free: asyncio.Queue[StudyReader] = asyncio.Queue()
        for reader in self._readers:
            self._free.put_nowait(reader)

    async def read(self, path: Path, series: str | None) -> StudyHeaders:
        """series: to be analysed; chosen by rules where it is None.

        Raises UnreadableStudyUpload, UnsafeArchiveUpload, TooLarge, DeadlineExceeded and Unavailable.
        """
        reader = await self._free.get()
        try:
            return await asyncio.to_thread(reader.headers, [path], series, self._timeout_s)
        finally:
            self._free.put_nowait(reader)

    def close(self) -> None:
        """Ends the processes, without waiting for their uploads."""
        for reader in self._readers:
            reader.close()
