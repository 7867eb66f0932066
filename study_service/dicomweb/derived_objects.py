"""The DICOM objects of a result: made at their first use and stored, so that a UID always has the same content."""

from __future__ import annotations

import asyncio
import io
import json
from dataclasses import dataclass

import pydicom

from hepar.contracts.study_results import StudyResult
from hepar.imaging.dicom_json import json_header
from study_service.analysed_volume import AnalysedVolume
from study_service.dicomweb.objects import DicomEntry, DicomObjectStore, ObjectGroup
from study_service.documents import AnalysedVersion
from study_service.outputs.key_images import key_slice_indices
from study_service.outputs.registry import DICOM_NAMES
from study_service.result_files import ResultFiles

_OTHER_FORM = "measurements-2d.dcm"
"""The same content as measurements.dcm: viewers would show each measurement twice."""
NAMES = tuple(name for name in DICOM_NAMES if name != _OTHER_FORM)


@dataclass(frozen=True)
class DerivedObjects:
    store: DicomObjectStore
    files: ResultFiles

    async def group(self, study_id: str, version: AnalysedVersion, result: StudyResult) -> ObjectGroup:
        """Of one version and what readers made of it. Empty for a study without DICOM files."""
        corrections = result.reading.summary.corrections if result.reading else 0
        volume = AnalysedVolume(self.store.objects, version.data_key, study_id, version.version)
        prefix = f"{volume.prefix}/dicom-{corrections}"
        found = await self.store.find_group(prefix, version.data_key)
        return found or await self._made(prefix, version, result)

    async def _made(self, prefix: str, version: AnalysedVersion, result: StudyResult) -> ObjectGroup:
        entries, headers = [], []
        for name, made in (await self.files.make(version, result, NAMES, "en")).items():
            content = await self.store.store_file(f"{prefix}/{name}", version.data_key, made)
            entry, header = await asyncio.to_thread(_described, f"{prefix}/{name}", content)
            entries.append(entry)
            headers.append(header)
        group = ObjectGroup(prefix, version.data_key, tuple(entries))
        await self.store.create_group(group, headers)
        return group


def modalities_of(result: StudyResult) -> list[str]:
    """Of each object that `DerivedObjects` makes of a DICOM study, without its masks: for lists of studies."""
    has_masks = bool(result.liver_ml) or any(lesion.measured_on == "mask" for lesion in result.lesions)
    key_images = len(key_slice_indices(result, result.volume.slices))
    return [*(["SEG"] if has_masks else []), "SR", "DOC", *["OT"] * key_images]


def _described(key: str, content: bytes) -> tuple[DicomEntry, str]:
    file = pydicom.dcmread(io.BytesIO(content))
    pixels_vr = None
    if "PixelData" in file:
        pixels_vr = str(file["PixelData"].VR)
        del file.PixelData
    entry = DicomEntry(
        sop_instance_uid=file.SOPInstanceUID,
        sop_class_uid=file.SOPClassUID,
        study_uid=file.StudyInstanceUID,
        series_uid=file.SeriesInstanceUID,
        transfer_syntax=file.file_meta.TransferSyntaxUID,
        frames=int(file.get("NumberOfFrames") or 1),
        key=key,
        key_bytes=len(content),
        start=0,
        stored_bytes=len(content),
        size_bytes=len(content),
    )
    header = json_header(file, pixels_vr=pixels_vr)
    return entry, json.dumps(header, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
