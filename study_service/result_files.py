"""Files of a finished study: made when they are read or sent, for one reader after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from hepar.contracts.study_files import Language
from hepar.contracts.study_results import StudyResult
from hepar.storage.objects import ObjectStore
from study_service.analysed_volume import AnalysedVolume
from study_service.documents import AnalysedVersion
from study_service.output_context import OutputOptions, read_output_context
from study_service.outputs.registry import OUTPUTS


@dataclass(frozen=True)
class ResultFiles:
    """uid_root: of the installation.  turn: masks of a large study take hundreds of megabytes."""

    objects: ObjectStore
    uid_root: str
    turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))

    async def make(
        self,
        version: AnalysedVersion,
        result: StudyResult,
        names: Iterable[str],
        language: Language,
        key_slices: tuple[int, ...] = (),
    ) -> dict[str, bytes]:
        """Content by name, without the files that the study does not have.

        names: of OUTPUTS.  key_slices: chosen by a reader, for files with key images; those of the result where there
        are none.

        Raises NoSuchSlice and Unavailable.
        """
        volume = AnalysedVolume(self.objects, version.data_key, result.study_id, version.version)
        chosen = {name: key_slices if OUTPUTS[name].has_key_images else () for name in names}
        made: dict[str, bytes | None] = {}
        async with self.turn:
            for slices in dict.fromkeys(chosen.values()):
                options = OutputOptions(language, self.uid_root, slices)
                context = await read_output_context(volume, version, result, options)
                for name in (name for name, wanted in chosen.items() if wanted == slices):
                    made[name] = await asyncio.to_thread(OUTPUTS[name].make, context)
        return {name: content for name in chosen if (content := made[name]) is not None}
