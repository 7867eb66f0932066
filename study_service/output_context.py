"""What outputs of a study are made from, read from what the worker stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
from pydicom import Dataset

from hepar.contracts.study_files import Language
from hepar.contracts.study_results import StudyResult
from hepar.imaging.volume import SliceSource
from study_service.analysed_volume import LIVER_LABEL, AnalysedVolume, StoredVolume
from study_service.documents import AnalysedVersion, PatientIdentifiers
from study_service.errors import NoSuchSlice
from study_service.outputs.context import OutputContext, SourceSlice
from study_service.outputs.key_images import key_slice_indices


@dataclass(frozen=True)
class OutputOptions:
    """uid_root: of the installation.  key_slices: chosen by a reader; those of the result where there are none."""

    language: Language
    uid_root: str
    key_slices: tuple[int, ...] = ()


def require_slices(result: StudyResult, slices: Iterable[int]) -> None:
    """Raises NoSuchSlice."""
    if any(index >= result.volume.slices for index in slices):
        raise NoSuchSlice


async def read_output_context(
    volume: AnalysedVolume, version: AnalysedVersion, result: StudyResult, options: OutputOptions
) -> OutputContext:
    """Voxels are read of key slices only: the others are zeros. Raises NoSuchSlice and Unavailable."""
    stored, masks = await volume.volume(), await volume.masks()
    shape = stored.geometry.shape
    if any(index >= shape[0] for index in options.key_slices):
        raise NoSuchSlice
    hu, liver = np.zeros(shape, dtype=np.int16), np.zeros(shape, dtype=np.bool_)
    lesions = np.zeros(shape, dtype=np.uint16)
    for index in options.key_slices or key_slice_indices(result, shape[0]):
        hu[index] = (await volume.hounsfield(stored, index, index + 1))[0]
    if masks.labels is not None:
        for index in range(masks.labels.first, masks.labels.first + masks.labels.count):
            labels = await volume.labels(masks, stored, index)
            liver[index] = labels >= LIVER_LABEL
            lesions[index] = np.maximum(labels, LIVER_LABEL) - LIVER_LABEL
    return OutputContext(
        result=result,
        geometry=stored.geometry,
        hu=hu,
        liver=liver,
        lesions=lesions,
        sources=_sources(stored, version),
        created_at=result.created_at,
        language=options.language,
        uid_root=options.uid_root,
        chosen_slices=options.key_slices,
    )


def _sources(stored: StoredVolume, version: AnalysedVersion) -> tuple[SourceSlice, ...]:
    """Empty for NIfTI."""
    if any(source.sop_instance_uid is None for source in stored.sources):
        return ()
    shared = _shared_header(stored, version)
    return tuple(
        SourceSlice(_header(shared, source), source.geometry, source.frame, source.is_exact)
        for source in stored.sources
    )


def _shared_header(stored: StoredVolume, version: AnalysedVersion) -> Dataset:
    """What all images of the series state; `outputs.source_headers` checks the values."""
    header = patient_header(version.identifiers, version.study_date)
    series_uid = next((series.uid for series in stored.series if series.chosen), None)
    _state(header, {"SeriesInstanceUID": series_uid, "FrameOfReferenceUID": stored.frame_of_reference_uid})
    return header


def patient_header(known: PatientIdentifiers, study_date: date | None) -> Dataset:
    """What all images of a study state, as they did."""
    header = Dataset()
    values = {
        "PatientName": known.patient_name,
        "PatientID": known.patient_id,
        "IssuerOfPatientID": known.issuer,
        "PatientBirthDate": (known.birth_date or "").replace("-", ""),
        "PatientSex": known.sex,
        "AccessionNumber": known.accession_number,
        "StudyInstanceUID": known.study_uid,
        "StudyDate": study_date.strftime("%Y%m%d") if study_date else None,
    }
    _state(header, values)
    return header


def _state(header: Dataset, values: Mapping[str, str | None]) -> None:
    for keyword, value in values.items():
        if value:
            setattr(header, keyword, value)


def _header(shared: Dataset, source: SliceSource) -> Dataset:
    header = Dataset()
    header.update(shared)
    header.SOPInstanceUID, header.SOPClassUID = source.sop_instance_uid, source.sop_class_uid
    header.ImagePositionPatient = list(source.position_mm)
    return header
