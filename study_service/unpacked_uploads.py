"""The uploads of a study as files on disk, decrypted."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hepar.storage.objects import ObjectStore
from study_service.documents import StudyFiles


async def unpacked(objects: ObjectStore, files: StudyFiles, folder: Path) -> list[Path]:
    """The files of all uploads, under names of ours, in the order of arrival. Raises NotFound, Undecipherable."""
    paths: list[Path] = []
    for data_key, items in files.uploads:
        for item in items:
            path = folder / f"{len(paths):06d}"
            with path.open("wb") as file:
                async for piece in data_key.decrypt_stream(objects.stream(item.key), item.key):
                    await asyncio.to_thread(file.write, piece)
            paths.append(path)
    return paths
