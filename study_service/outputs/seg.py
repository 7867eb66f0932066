"""DICOM Segmentation of the liver and of each lesion that has a mask (PS3.3 A.51)."""

from __future__ import annotations

from dataclasses import dataclass

import highdicom
import numpy as np
from highdicom.seg import Segmentation, SegmentDescription
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from hepar.contracts.lesions import Lesion

from . import codes
from .context import OutputContext
from .equipment import file_bytes, series_of
from .source_headers import UTF_8, source_headers, text_value

LIVER_TRACKING_ID = "Liver"
_LIVER_RGB, _LESION_RGB = (158, 199, 140), (242, 115, 26)

Place = tuple[Dataset, list[int]]
"""The header of an image, and the indices of the slices at its position."""


@dataclass(frozen=True, eq=False)
class Segment:
    """lesion: None for the liver.  mask: (slices, rows, columns) bool in display orientation."""

    number: int
    lesion: Lesion | None
    mask: NDArray[np.bool_]

    @property
    def lesion_id(self) -> str | None:
        return None if self.lesion is None else self.lesion.id


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
        pixel_array=np.stack([_frames(context, segment, places) for segment in found], axis=-1),
        segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_description(context, segment) for segment in found],
        content_description="Liver and liver lesions, found automatically",
        content_label="LIVER_LESIONS",
        series_description="Hepar segmentation (research)",
        omit_empty_frames=True,
        **series_of(context, "seg"),
    )
    instance.SpecificCharacterSet = UTF_8
    _name_dimensions(instance, context.uid("dimensions"))
    return instance


def segments(context: OutputContext) -> list[Segment]:
    """The liver first, then the lesions in the order of the result; only what has a mask in an image."""
    exact = [source.is_exact for source in context.sources]
    masks: list[tuple[Lesion | None, NDArray[np.bool_]]] = [(None, context.liver)]
    masks += [(lesion, context.lesion_mask(lesion)) for lesion in context.result.lesions]
    present = [(lesion, mask) for lesion, mask in masks if mask[exact].any()]
    return [Segment(number, lesion, mask) for number, (lesion, mask) in enumerate(present, start=1)]


def _name_dimensions(instance: Segmentation, uid: str) -> None:
    """Replaces the UID that highdicom draws, so that equal results give equal bytes."""
    for item in (*instance.DimensionOrganizationSequence, *instance.DimensionIndexSequence):
        item.DimensionOrganizationUID = uid


def _distinct_places(context: OutputContext, headers: list[Dataset]) -> list[Place]:
    """Images at one position share a place: a segmentation has one frame per segment and position."""
    groups: dict[tuple[float, ...], list[int]] = {}
    for index, header in enumerate(headers):
        if context.sources[index].is_exact:
            groups.setdefault(tuple(round(float(mm), 3) for mm in header.ImagePositionPatient), []).append(index)
    return [(headers[indices[0]], indices) for indices in groups.values()]


def _frames(context: OutputContext, segment: Segment, places: list[Place]) -> NDArray[np.uint8]:
    """(places, rows, columns): a voxel is set where one of the slices at its place sets it."""
    return np.stack(
        [
            np.logical_or.reduce([context.sources[index].mask_as_sent(segment.mask[index]) for index in indices])
            for _, indices in places
        ]
    ).astype(np.uint8)


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
