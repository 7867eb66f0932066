"""Reading of uploads, one at a time, in a process with limits that stays for the next study."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from hepar.imaging.study import StudyHeaders
from hepar.imaging.volume import CtVolume
from hepar.serving.study_deidentification import DeidentificationRequest
from hepar.serving.study_reader import StudyReader

_Answer = TypeVar("_Answer")


class VolumeReader:
    """folder: for the voxels on their way from the process.  processor_s: that one study may use."""

    def __init__(self, folder: Path, processor_s: float) -> None:
        self._reader = StudyReader(folder, processor_s)
        self._timeout_s = 2 * processor_s
        self._turn = asyncio.Lock()

    async def volume(self, paths: Sequence[Path], series: str | None) -> tuple[StudyHeaders, CtVolume]:
        """Raises what `StudyReader.volume` does. Cancelled, it ends the process."""
        return await self._answer(partial(self._reader.volume, paths, series, self._timeout_s))

    async def deidentify(self, request: DeidentificationRequest) -> None:
        """Raises what `StudyReader.deidentify` does. Cancelled, it ends the process."""
        await self._answer(partial(self._reader.deidentify, request, self._timeout_s))

    async def _answer(self, read: Callable[[], _Answer]) -> _Answer:
        async with self._turn:
            reading = asyncio.create_task(asyncio.to_thread(read))
            try:
                return await asyncio.shield(reading)
            except asyncio.CancelledError:
                await asyncio.to_thread(self._reader.close)
                await asyncio.gather(reading, return_exceptions=True)
                raise

    def close(self) -> None:
        self._reader.close()
