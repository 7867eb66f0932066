"""Volumes from uploads, one at a time, in a process with limits that stays for the next study."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from hepar.imaging.study import StudyHeaders
from hepar.imaging.volume import CtVolume
from hepar.serving.study_reader import StudyReader


class VolumeReader:
    """folder: for the voxels on their way from the process.  processor_s: that one study may use."""

    def __init__(self, folder: Path, processor_s: float) -> None:
        self._reader = StudyReader(folder, processor_s)
        self._timeout_s = 2 * processor_s
        self._turn = asyncio.Lock()

    async def volume(self, paths: Sequence[Path], series: str | None) -> tuple[StudyHeaders, CtVolume]:
        """Raises what `StudyReader.volume` does. Cancelled, it ends the process."""
        async with self._turn:
            reading = asyncio.create_task(asyncio.to_thread(self._reader.volume, paths, series, self._timeout_s))
            try:
                return await asyncio.shield(reading)
            except asyncio.CancelledError:
                await asyncio.to_thread(self._reader.close)
                await asyncio.gather(reading, return_exceptions=True)
                raise

    def close(self) -> None:
        self._reader.close()
