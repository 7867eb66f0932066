"""The stored volume and masks of one version of a study: what was analysed, for slices, masks and documents later."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from hepar.contracts.studies import Series, UnreadableFile
from hepar.contracts.study_results import ModelVersion
from hepar.core.errors import NotFound
from hepar.imaging.body import BodyBox
from hepar.imaging.letterbox import InputFrame
from hepar.imaging.volume import SliceSource, VolumeGeometry
from hepar.storage.encryption import DataKey
from hepar.storage.objects import ObjectStore
from study_service.errors import NoSuchSlice
from study_service.slice_arrays import SliceArray, read_slices

Stored = TypeVar("Stored", bound=BaseModel)
LIVER_LABEL = 1
"""In masks; 0 is the background, LIVER_LABEL + n the lesion Ln."""
MODEL_ANSWERS = "model_answers"
"""The document with what each model said, a StudyModelAnswers."""


class StoredVolume(BaseModel):
    """slices: int16 Hounsfield units.  sources: of each slice.

    thickness_mm, frame_of_reference_uid: as the files state them.  bodies: see `bodies_of_volume`.
    """

    model_config = ConfigDict(frozen=True)

    slices: SliceArray
    geometry: VolumeGeometry
    sources: tuple[SliceSource, ...]
    thickness_mm: float | None
    series: tuple[Series, ...]
    unreadable: tuple[UnreadableFile, ...]
    warnings: tuple[str, ...]
    frame_of_reference_uid: str | None = None
    bodies: dict[int, BodyBox] = {}


class StoredLiver(BaseModel):
    """What the segmenter found. extent: first and last slice; None without a liver.

    shares: uint8 (slices of the extent, 2, h, w) as rows of (2 h, w).  lesion_threshold: 0 to 1.
    frame: that the networks see of each slice; None for all of it.
    """

    model_config = ConfigDict(frozen=True)

    extent: tuple[int, int] | None
    segmenter: ModelVersion
    lesion_threshold: float
    shares: SliceArray | None
    frame: InputFrame | None = None


class StoredMasks(BaseModel):
    """labels: uint16 in pixels of the slices, of the liver's slices only; None without a liver. See LIVER_LABEL."""

    model_config = ConfigDict(frozen=True)

    labels: SliceArray | None


class AnalysedVolume:
    """Reads what the worker stored. All methods raise Unavailable, and NoSuchSlice for what is not there."""

    def __init__(self, objects: ObjectStore, data_key: DataKey, study_id: str, version: int) -> None:
        self._objects = objects
        self._data_key = data_key
        self.version = version
        self.prefix = f"studies/{study_id}/v{version}"

    async def volume(self) -> StoredVolume:
        return await self.document("volume", StoredVolume)

    async def masks(self) -> StoredMasks:
        return await self.document("masks", StoredMasks)

    async def hounsfield(self, volume: StoredVolume, start: int, stop: int) -> NDArray[np.int16]:
        """(stop - start, rows, columns) of the slices from `start` to before `stop`."""
        return (await self._read(volume.slices, start, stop)).astype(np.int16, copy=False)

    async def labels(self, masks: StoredMasks, volume: StoredVolume, index: int) -> NDArray[np.uint16]:
        """(rows, columns) of one slice; zeros outside of the liver's slices."""
        stored = masks.labels
        if not 0 <= index < volume.geometry.shape[0]:
            raise NoSuchSlice
        if stored is None or not stored.first <= index < stored.first + stored.count:
            return np.zeros(volume.geometry.shape[1:], dtype=np.uint16)
        return (await self._read(stored, index, index + 1)).astype(np.uint16, copy=False).reshape(stored.shape)

    async def shares(self, liver: StoredLiver, start: int, stop: int) -> NDArray[np.uint8]:
        """(stop - start, 2, h, w) as the segmenter gave them, of slices of the liver."""
        if liver.shares is None:
            raise NoSuchSlice
        rows = await self._read(liver.shares, start, stop)
        return rows.reshape(len(rows), 2, liver.shares.shape[0] // 2, liver.shares.shape[1]).astype(
            np.uint8, copy=False
        )

    async def document(self, name: str, kind: type[Stored]) -> Stored:
        found = await self.find(name, kind)
        if found is None:
            raise NoSuchSlice
        return found

    async def find(self, name: str, kind: type[Stored]) -> Stored | None:
        """A document of this version; None where it is not there yet."""
        key = f"{self.prefix}/{name}"
        try:
            sealed = await self._objects.read(key)
        except NotFound:
            return None
        return kind.model_validate_json(self._data_key.decrypt(sealed, key))

    async def create(self, name: str, document: BaseModel) -> bool:
        """False where there is one already, which stays."""
        key = f"{self.prefix}/{name}"
        return await self._objects.put(key, self._data_key.encrypt(document.model_dump_json().encode(), key))

    async def _read(self, stored: SliceArray, start: int, stop: int) -> NDArray[np.generic]:
        try:
            return await read_slices(self._objects, self._data_key, stored, start, stop)
        except (IndexError, NotFound) as error:
            raise NoSuchSlice from error
