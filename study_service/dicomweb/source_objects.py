"""The DICOM objects that were sent: listed at their first use, because most uploads are never read by DICOMweb."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from hepar.imaging.study.instances import list_objects
from hepar.storage.encryption import DataKey
from study_service.dicomweb.objects import DicomEntry, DicomObjectStore, ObjectGroup
from study_service.documents import StudyFiles, UploadedObject
from study_service.upload_reader import UploadReader


@dataclass(frozen=True)
class SourceObjects:
    """folder: for decrypted uploads while they are listed."""

    store: DicomObjectStore
    reader: UploadReader
    folder: Path
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def groups(self, files: StudyFiles) -> list[ObjectGroup]:
        """One per upload, oldest first; none for NIfTI. Raises what UploadReader does."""
        groups = []
        for data_key, objects in files.uploads:
            if objects and objects[0].kind != "nifti":
                groups.append(await self._group(data_key, objects))
        return groups

    async def _group(self, data_key: DataKey, objects: Sequence[UploadedObject]) -> ObjectGroup:
        prefix = objects[0].key.rpartition("/")[0]
        found = await self.store.find_group(prefix, data_key)
        if found is None:
            async with self._turn:
                found = await self.store.find_group(prefix, data_key) or await self._listed(prefix, data_key, objects)
        return found

    async def _listed(self, prefix: str, data_key: DataKey, objects: Sequence[UploadedObject]) -> ObjectGroup:
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, dir=self.folder))
        try:
            paths = [folder / str(number) for number in range(len(objects))]
            for path, item in zip(paths, objects, strict=True):
                await self._decrypt(path, data_key, item.key)
            listed = await self.reader.call(partial(list_objects, paths))
        finally:
            await asyncio.to_thread(shutil.rmtree, folder)
        entries = tuple(
            DicomEntry(
                sop_instance_uid=item.sop_instance_uid,
                sop_class_uid=item.sop_class_uid,
                study_uid=item.study_uid,
                series_uid=item.series_uid,
                transfer_syntax=item.transfer_syntax,
                frames=item.frames,
                key=objects[item.file].key,
                key_bytes=objects[item.file].size_bytes,
                start=item.extent.start,
                stored_bytes=item.extent.stored_bytes,
                size_bytes=item.extent.size_bytes,
                is_deflated=item.extent.is_deflated,
            )
            for item in listed.objects
        )
        group = ObjectGroup(prefix, data_key, entries)
        await self.store.create_group(group, [item.header for item in listed.objects])
        return group

    async def _decrypt(self, path: Path, data_key: DataKey, key: str) -> None:
        with path.open("xb") as file:
            async for piece in data_key.decrypt_stream(self.store.objects.stream(key), key):
                await asyncio.to_thread(file.write, piece)
