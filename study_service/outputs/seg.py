"""DICOM Segmentation of the liver and of each lesion that has a mask (PS3.3 A.51)."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass

import highdicom
import numpy as np
from highdicom.seg import Segmentation, SegmentDescription
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, SegmentationStorage

from hepar.contracts.lesions import Lesion

from . import codes
from .context import OutputContext, SourceSlice
from .equipment import file_bytes, series_of
from .source_headers import name_patient, source_headers, study_attributes, text_value

LIVER_TRACKING_ID = "Liver"
_LIVER_RGB, _LESION_RGB = (158, 199, 140), (242, 115, 26)

Position = tuple[float, ...]
Place = tuple[Dataset, list[int]]
"""The header of an image, and the indices of the slices at its position."""


@dataclass(frozen=True, eq=False)
class Segment:
    """number: in the segmentation, from 1.  lesion: None for the liver.  label: its value in the lesions' mask."""

    number: int
    lesion: Lesion | None
    label: int

    @property
    def lesion_id(self) -> str | None:
        return None if self.lesion is None else self.lesion.id

    def mask(self, context: OutputContext, index: int) -> NDArray[np.bool_]:
        """(rows, columns) of a slice in display orientation."""
        return context.liver[index] if self.lesion is None else np.asarray(context.lesions[index] == self.label)


def segmentation_file(context: OutputContext) -> bytes | None:
    """DICOM file; None where `segmentation` is None."""
    instance = segmentation(context)
    return None if instance is None else file_bytes(context, instance)


def segmentation(context: OutputContext) -> Segmentation | None:
    """BINARY, one segment per mask, without empty frames, on the source images as stored.

    Slices that were interpolated between images have no frame. None for a study without DICOM files, and where there
    is no mask: viewers hang on an empty segmentation.
    """
    found = segments(context)
    if not context.sources or not found:
        return None
    places = _distinct_places(context, source_headers(context))
    instance = Segmentation(
        source_images=[header for header, _ in places],
        pixel_array=_frames(context, found, places),
        segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_description(context, segment) for segment in found],
        content_description="Liver and liver lesions, found automatically",
        content_label="LIVER_LESIONS",
        series_description="Hepar segmentation (research)",
        omit_empty_frames=True,
        **series_of(context, "seg"),
    )
    instance.ContentCreatorName = ""  # type 2, which highdicom omits
    name_patient(context, instance)
    _name_dimensions(instance, context.uid("dimensions"))
    _refer_to_frames(instance, context, places)
    return instance


def segmentation_identity(context: OutputContext) -> Dataset | None:
    """The UIDs of `segmentation`, for references to it, without its pixels."""
    if not context.sources or not segments(context):
        return None
    identity = Dataset()
    identity.SOPClassUID, identity.SOPInstanceUID = SegmentationStorage, context.uid("seg")
    identity.StudyInstanceUID = study_attributes(context).StudyInstanceUID
    identity.SeriesInstanceUID = context.uid("seg series")
    return identity


def segments(context: OutputContext) -> list[Segment]:
    """The liver first, then the lesions in the order of the result; only what has a mask in an image."""
    exact = [index for index, source in enumerate(context.sources) if source.is_exact]
    labels = {int(value) for index in exact for value in np.flatnonzero(np.bincount(context.lesions[index].ravel()))}
    found: list[tuple[Lesion | None, int]] = [(None, 0)] if any(context.liver[index].any() for index in exact) else []
    found += [(lesion, label) for label, lesion in enumerate(context.result.lesions, start=1) if label in labels]
    return [Segment(number, lesion, label) for number, (lesion, label) in enumerate(found, start=1)]


def _name_dimensions(instance: Segmentation, uid: str) -> None:
    """Replaces the UID that highdicom draws, so that equal results give equal bytes."""
    for item in (*instance.DimensionOrganizationSequence, *instance.DimensionIndexSequence):
        item.DimensionOrganizationUID = uid


def _distinct_places(context: OutputContext, headers: list[Dataset]) -> list[Place]:
    """The images with a mask. Those at one position share a place: a segmentation has one frame per position."""
    groups: dict[Position, list[int]] = {}
    for index, (source, header) in enumerate(zip(context.sources, headers, strict=True)):
        if source.is_exact and (context.liver[index].any() or context.lesions[index].any()):
            groups.setdefault(_position(header), []).append(index)
    firsts = [indices[0] for indices in groups.values()]
    kept = [_as_single_frame(headers[index], context.sources[index]) for index in firsts]
    return list(zip(kept, groups.values(), strict=True))


def _position(item: Dataset) -> Position:
    return tuple(round(float(mm), 3) for mm in item.ImagePositionPatient)


def _frames(context: OutputContext, found: list[Segment], places: list[Place]) -> NDArray[np.bool_]:
    """(places, rows, columns, segments): a voxel is set where one of the slices at its place sets it."""
    header, _ = places[0]
    frames = np.zeros((len(places), header.Rows, header.Columns, len(found)), dtype=np.bool_)
    for place, (_, indices) in enumerate(places):
        for index in indices:
            for number, segment in enumerate(found):
                mask = segment.mask(context, index)
                if mask.any():
                    frames[place, ..., number] |= context.sources[index].mask_as_sent(mask)
    return frames


def _as_single_frame(header: Dataset, source: SourceSlice) -> Dataset:
    """Highdicom takes multi-frame images only as a whole; `_refer_to_frames` puts the references right."""
    if source.frame is None:
        return header
    single = copy(header)
    single.SOPClassUID = CTImageStorage
    return single


def _refer_to_frames(instance: Segmentation, context: OutputContext, places: list[Place]) -> None:
    """Adds the class and the number of the frame to references to multi-frame images."""
    sources = {_position(header): context.sources[indices[0]] for header, indices in places}
    if all(source.frame is None for source in sources.values()):
        return
    shared = instance.SharedFunctionalGroupsSequence[0]
    for groups in instance.PerFrameFunctionalGroupsSequence:
        position = groups.get("PlanePositionSequence") or shared.PlanePositionSequence
        source = sources[_position(position[0])]
        for derivation in groups.DerivationImageSequence:
            for image in derivation.SourceImageSequence:
                image.ReferencedSOPClassUID = source.header.SOPClassUID
                image.ReferencedFrameNumber = None if source.frame is None else source.frame + 1
    references = [_distinct(item.ReferencedInstanceSequence) for item in instance.ReferencedSeriesSequence]
    for series, items in zip(instance.ReferencedSeriesSequence, references, strict=True):
        series.ReferencedInstanceSequence = items
    instance.SourceImageSequence = _distinct(instance.SourceImageSequence)
    for item in (*instance.SourceImageSequence, *(item for items in references for item in items)):
        item.ReferencedSOPClassUID = context.sources[0].header.SOPClassUID


def _distinct(references: Iterable[Dataset]) -> list[Dataset]:
    return list({str(item.ReferencedSOPInstanceUID): item for item in references}.values())


def _description(context: OutputContext, segment: Segment) -> SegmentDescription:
    lesion = segment.lesion
    is_liver = lesion is None
    return SegmentDescription(
        segment_number=segment.number,
        segment_label=LIVER_TRACKING_ID if lesion is None else text_value(f"Lesion {lesion.id}"),
        segmented_property_category=codes.ANATOMICAL_STRUCTURE if is_liver else codes.ABNORMAL_STRUCTURE,
        segmented_property_type=codes.LIVER if is_liver else codes.LESION,
        algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=algorithm_identification(context),
        tracking_uid=context.uid("liver") if lesion is None else lesion.tracking_uid,
        tracking_id=LIVER_TRACKING_ID if lesion is None else lesion.id,
        anatomic_regions=None if is_liver else [codes.LIVER],
        display_color=highdicom.color.CIELabColor.from_rgb(*(_LIVER_RGB if is_liver else _LESION_RGB)),
    )


def algorithm_identification(context: OutputContext) -> highdicom.AlgorithmIdentificationSequence:
    """AlgorithmIdentificationSequence: the software, and the models that answered as parameters."""
    return highdicom.AlgorithmIdentificationSequence(
        name="Hepar",
        family=codes.ARTIFICIAL_INTELLIGENCE,
        version=text_value(context.result.software_version),
        source="Hepar",
        parameters={text_value(model.model): text_value(model.version) for model in context.result.models},
    )
