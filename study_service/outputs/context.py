"""What every output is made from."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from hepar.contracts.study_files import Language
from hepar.contracts.study_results import StudyResult
from hepar.imaging.geometry import Geometry
from hepar.imaging.volume import SliceSource, VolumeGeometry

_UUID_ROOT = "2.25"
_UID_LENGTH_MAX = 64


@dataclass(frozen=True, eq=False)
class SourceSlice:
    """The image that a slice of the volume comes from (hepar.imaging.volume.SliceSource) with its header.

    header: the file without pixel data.  geometry: between its pixels as sent and the slice.
    frame: of a multi-frame object, from 0;
    None where there are none.  is_exact: False where the slice lies between images, of which this is the nearest.
    """

    header: Dataset
    geometry: Geometry
    frame: int | None = None
    is_exact: bool = True

    def mask_as_sent(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(rows, columns) of the slice to the raster of the image, by the centres of its pixels."""
        orientation, shape = self.geometry.orientation, (self.geometry.height, self.geometry.width)
        wanted = shape[::-1] if orientation.transposed else shape
        rows, columns = (
            ((np.arange(count) + 0.5) * side / count).astype(np.intp)
            for count, side in zip(wanted, mask.shape, strict=True)
        )
        return orientation.to_sent(mask[np.ix_(rows, columns)])


@dataclass(frozen=True, eq=False)
class OutputContext:
    """A study's result with the volume, the masks and the source files that it refers to.

    hu: (slices, rows, columns) int16.  liver: same shape, bool.  lesions: same shape, unsigned; value i marks
    `result.lesions[i - 1]`, and a lesion without a mask has no voxels.  All in the orientation of `geometry`.
    sources: one per slice, in the order of the volume; empty for a study without DICOM files (NIfTI).
    created_at: the date of all documents, so that equal input gives equal bytes.
    uid_root: the installation's UID root; `2.25` stands for UIDs derived from UUIDs (PS3.5 B.2).
    chosen_slices: key slices that a reader chose; the result's own where there are none.
    """

    result: StudyResult
    geometry: VolumeGeometry
    hu: NDArray[np.int16]
    liver: NDArray[np.bool_]
    lesions: NDArray[np.unsignedinteger[Any]]
    sources: tuple[SourceSlice, ...]
    created_at: datetime
    language: Language = "en"
    uid_root: str = _UUID_ROOT
    chosen_slices: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Raises ValueError where the arrays, the sources and the geometry do not belong together."""
        shapes = {self.geometry.shape, self.hu.shape, self.liver.shape, self.lesions.shape}
        if len(shapes) != 1:
            raise ValueError(f"volume, masks and geometry differ in shape: {sorted(shapes)}")
        if self.sources and len(self.sources) != self.geometry.shape[0]:
            raise ValueError(f"{len(self.sources)} source slices for {self.geometry.shape[0]} slices")
        if int(self.lesions.max(initial=0)) > len(self.result.lesions):
            raise ValueError("the masks have more lesions than the result")

    def uid(self, name: str) -> str:
        """A UID under the installation's root, the same for the same name and key slices of a version of a result."""
        return result_uid(self.result, self.uid_root, self._with_slices(name))

    def text_uid(self, name: str) -> str:
        """As uid, for objects with words of a language: in another language, they are other objects."""
        return self.uid(name if self.language == "en" else f"{name} in {self.language}")

    def document_uid(self, name: str) -> str:
        """As uid, for objects that state corrections of readers: with each correction, they are other objects."""
        return self.uid(self._as_corrected(name))

    def text_document_uid(self, name: str) -> str:
        """As text_uid and document_uid."""
        return self.text_uid(self._as_corrected(name))

    def _as_corrected(self, name: str) -> str:
        reading = self.result.reading
        return name if reading is None else f"{name} after {reading.summary.corrections} corrections"

    def uuid(self, name: str) -> uuid.UUID:
        """The same for the same name and chosen key slices in the same version of the same result."""
        return result_uuid(self.result, self._with_slices(name))

    def _with_slices(self, name: str) -> str:
        return "/".join((name, *map(str, self.chosen_slices)))


def result_uuid(result: StudyResult, name: str) -> uuid.UUID:
    """The same for the same name in the same version of the same result."""
    return uuid.uuid5(uuid.NAMESPACE_OID, f"{result.study_id}/{result.version}/{name}")


def result_uid(result: StudyResult, uid_root: str, name: str) -> str:
    """As OutputContext.uid."""
    room = _UID_LENGTH_MAX - len(uid_root) - 1
    return f"{uid_root}.{str(result_uuid(result, name).int)[:room]}"


def source_slices(headers: Iterable[Dataset], sources: Sequence[SliceSource]) -> tuple[SourceSlice, ...]:
    """For OutputContext; empty for NIfTI.

    headers: of hepar.imaging.study.source_headers, one per file in the order of the slices.  sources: of the volume.
    Raises ValueError where they do not belong together.
    """
    if any(source.sop_instance_uid is None for source in sources):
        return ()
    files = dict.fromkeys(source.file for source in sources)
    by_file = dict(zip(files, headers, strict=True))
    for source in sources:
        header = by_file[source.file]  # some files state who they are in their meta information only
        header.SOPInstanceUID, header.SOPClassUID = source.sop_instance_uid, source.sop_class_uid
    return tuple(SourceSlice(by_file[item.file], item.geometry, item.frame, item.is_exact) for item in sources)
