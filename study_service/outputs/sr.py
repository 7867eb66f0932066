"""DICOM structured report of the measurements: TID 1500 (PS3.16), not verified and preliminary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np
from highdicom import sr
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as dicom_codes
from pydicom.sr.coding import Code

from hepar.contracts.lesions import Lesion

from . import codes
from .context import OutputContext, SourceSlice
from .equipment import MANUFACTURER, MODEL_NAME, file_bytes, series_of
from .reading import reading_sentences
from .seg import LIVER_TRACKING_ID, Segment, segmentation_identity, segments
from .source_headers import UTF_8, distinct_images, name_patient, source_headers, text_value
from .statements import finding_statement, presence_of_lesions
from .wording import WORDS

STUDY_TRACKING_ID = "Study"
_PRESENCE = {"present": codes.PRESENT, "absent": codes.ABSENT, "indeterminate": codes.INDETERMINATE}
_DECIMALS = 4

Group: TypeAlias = (
    sr.MeasurementsAndQualitativeEvaluations
    | sr.PlanarROIMeasurementsAndQualitativeEvaluations
    | sr.VolumetricROIMeasurementsAndQualitativeEvaluations
)


def structured_report_file(context: OutputContext, comprehensive_3d: bool = True) -> bytes | None:
    """DICOM file; None where `structured_report` is None."""
    report = structured_report(context, comprehensive_3d)
    return None if report is None else file_bytes(context, report)


def comprehensive_report_file(context: OutputContext) -> bytes | None:
    """As Comprehensive SR, for archives that refuse Comprehensive 3D SR."""
    return structured_report_file(context, comprehensive_3d=False)


def structured_report(context: OutputContext, comprehensive_3d: bool = True) -> Dataset | None:
    """One group for the study, one for the liver, and one per lesion.

    Refers to the segments of `seg.segmentation` where there is a mask, or else to the box in the source image.
    None for a study without DICOM files.
    """
    if not context.sources:
        return None
    headers = source_headers(context)
    masks = segmentation_identity(context)
    content = sr.MeasurementReport(
        observation_context=_observer(context),
        procedure_reported=codes.CT_PROCEDURE,
        imaging_measurements=_groups(context, headers, masks),
        title=codes.IMAGING_MEASUREMENT_REPORT,
    )
    report_class = sr.Comprehensive3DSR if comprehensive_3d else sr.ComprehensiveSR
    kind = "sr" if comprehensive_3d else "sr_2d"
    series: dict[str, Any] = {**series_of(context, kind), "sop_instance_uid": context.document_uid(kind)}
    report = report_class(
        evidence=distinct_images(headers) + ([] if masks is None else [masks]),
        content=content[0],
        is_complete=True,
        is_final=False,
        is_verified=False,
        series_description="Hepar measurements (research)",
        specific_character_set=UTF_8,
        coding_schemes=[
            CodingSchemeIdentificationItem(
                designator=codes.PRIVATE_SCHEME,
                name=codes.PRIVATE_SCHEME_NAME,
                uid=codes.PRIVATE_SCHEME_UID,
                responsible_organization=MANUFACTURER,
            )
        ],
        **series,
    )
    name_patient(context, report)
    return report


def _observer(context: OutputContext) -> sr.ObservationContext:
    device = sr.DeviceObserverIdentifyingAttributes(
        uid=context.uid("device"), name="Hepar", manufacturer_name=MANUFACTURER, model_name=MODEL_NAME
    )
    return sr.ObservationContext(
        observer_device_context=sr.ObserverContext(
            observer_type=dicom_codes.DCM.Device, observer_identifying_attributes=device
        )
    )


def _groups(context: OutputContext, headers: list[Dataset], masks: Dataset | None) -> list[Group]:
    regions: dict[str | None, sr.ReferencedSegment] = {}
    if masks is not None:
        regions = {found.lesion_id: _region(found, context, headers, masks) for found in segments(context)}
    groups: list[Group] = [_study_group(context)]
    if None in regions:
        groups.append(_liver_group(context, regions[None]))
    for lesion in context.result.lesions:
        if lesion.id in regions:
            groups.append(_masked_lesion_group(context, lesion, regions[lesion.id]))
        else:
            groups.append(_boxed_lesion_group(context, lesion, _box_region(context, lesion, headers)))
    return groups


def _region(segment: Segment, context: OutputContext, headers: list[Dataset], masks: Dataset) -> sr.ReferencedSegment:
    images = [
        sr.SourceImageForSegmentation(header.SOPClassUID, header.SOPInstanceUID, _frame_numbers(source))
        for index, (source, header) in enumerate(zip(context.sources, headers, strict=True))
        if source.is_exact and segment.mask(context, index).any()
    ]
    return sr.ReferencedSegment(
        sop_class_uid=masks.SOPClassUID,
        sop_instance_uid=masks.SOPInstanceUID,
        segment_number=segment.number,
        source_images=images,
    )


def _frame_numbers(source: SourceSlice) -> list[int] | None:
    return None if source.frame is None else [source.frame + 1]


def _study_group(context: OutputContext) -> sr.MeasurementsAndQualitativeEvaluations:
    """What is known about the whole study, with a statement in words."""
    result = context.result
    values = {
        codes.LESION_COUNT: (len(result.lesions), codes.NO_UNITS),
        codes.TUMOUR_PROBABILITY: (result.tumour_probability, codes.NO_UNITS),
        codes.TUMOUR_BURDEN: (result.tumour_percent, codes.PERCENT),
    } | _type_probabilities(result.type_probabilities)
    evaluations = [sr.QualitativeEvaluation(codes.LESION_OF_LIVER, _PRESENCE[presence_of_lesions(result)])]
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(context.uid("study finding"), STUDY_TRACKING_ID),
        algorithm_id=_algorithm(context),
        finding_sites=[sr.FindingSite(codes.LIVER)],
        measurements=_measurements(values),
        qualitative_evaluations=[*evaluations, *_type(codes.TUMOUR_TYPE, result.label)],
    )
    text = " ".join([finding_statement(result, "en"), *reading_sentences(result, WORDS["en"]), result.notice])
    group[0].ContentSequence.append(sr.TextContentItem(codes.COMMENT, text, sr.RelationshipTypeValues.CONTAINS))
    return group


def _liver_group(
    context: OutputContext, segment: sr.ReferencedSegment
) -> sr.VolumetricROIMeasurementsAndQualitativeEvaluations:
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(context.uid("liver"), LIVER_TRACKING_ID),
        referenced_segment=segment,
        algorithm_id=_algorithm(context),
        finding_category=codes.ANATOMICAL_STRUCTURE,
        finding_type=codes.LIVER,
        measurements=_measurements({codes.VOLUME: (context.result.liver_ml, codes.MILLILITRE)}),
    )


def _masked_lesion_group(
    context: OutputContext, lesion: Lesion, segment: sr.ReferencedSegment
) -> sr.VolumetricROIMeasurementsAndQualitativeEvaluations:
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        referenced_segment=segment, **_lesion_facts(context, lesion)
    )


def _boxed_lesion_group(
    context: OutputContext, lesion: Lesion, region: sr.ImageRegion
) -> sr.PlanarROIMeasurementsAndQualitativeEvaluations:
    return sr.PlanarROIMeasurementsAndQualitativeEvaluations(referenced_region=region, **_lesion_facts(context, lesion))


def _lesion_facts(context: OutputContext, lesion: Lesion) -> dict[str, Any]:
    """What the group of a lesion states, whatever marks the lesion."""
    return {
        "tracking_identifier": sr.TrackingIdentifier(lesion.tracking_uid, lesion.id),
        "algorithm_id": _algorithm(context),
        "finding_category": codes.ABNORMAL_STRUCTURE,
        "finding_type": codes.LESION,
        "finding_sites": [sr.FindingSite(codes.LIVER)],
        "measurements": _lesion_measurements(lesion),
        "qualitative_evaluations": _type(codes.LESION_TYPE, lesion.label),
    }


def _box_region(context: OutputContext, lesion: Lesion, headers: list[Dataset]) -> sr.ImageRegion:
    """The box in the key slice, in pixels of the source image as stored."""
    box = next(box for box in lesion.boxes if box.slice == lesion.key_slice)
    display = np.array([[box.x_min, box.y_min, box.x_max, box.y_max]])
    x_min, y_min, x_max, y_max = context.sources[box.slice].geometry.boxes_to_sent(display)[0].tolist()
    corners = [[x_min, y_min], [x_max, y_min], [x_max, y_max], [x_min, y_max], [x_min, y_min]]
    image = headers[box.slice]
    return sr.ImageRegion(
        sr.GraphicTypeValues.POLYLINE,
        np.array(corners),
        sr.SourceImageForRegion(image.SOPClassUID, image.SOPInstanceUID, _frame_numbers(context.sources[box.slice])),
    )


def _lesion_measurements(lesion: Lesion) -> list[sr.Measurement]:
    """Sides of a box are not diameters and have names of their own."""
    masked = lesion.measured_on == "mask"
    long_axis, short_axis = (
        (codes.LONG_AXIS, codes.SHORT_AXIS) if masked else (codes.BOX_LONG_AXIS, codes.BOX_SHORT_AXIS)
    )
    values = {
        long_axis: (lesion.long_axis.length_mm, codes.MILLIMETRE),
        short_axis: (lesion.short_axis.length_mm, codes.MILLIMETRE),
        codes.VOLUME: (lesion.volume_ml, codes.MILLILITRE),
        codes.LESION_PROBABILITY: (lesion.probability, codes.NO_UNITS),
    }
    return _measurements(values | _type_probabilities(lesion.type_probabilities))


def _type_probabilities(probabilities: Mapping[str, float]) -> dict[Code, tuple[float | None, Code]]:
    known = codes.TYPE_PROBABILITIES
    return {known[label]: (value, codes.NO_UNITS) for label, value in probabilities.items() if label in known}


def _measurements(values: Mapping[Code, tuple[float | None, Code]]) -> list[sr.Measurement]:
    return [
        sr.Measurement(name, round(value, _DECIMALS), unit)
        for name, (value, unit) in values.items()
        if value is not None
    ]


def _type(name: Code, label: str | None) -> list[sr.QualitativeEvaluation]:
    return [sr.QualitativeEvaluation(name, codes.DISEASES[label])] if label in codes.DISEASES else []


def _algorithm(context: OutputContext) -> sr.AlgorithmIdentification:
    parameters: Iterable[str] = (f"{model.model} {model.version}" for model in context.result.models)
    return sr.AlgorithmIdentification(
        name="Hepar",
        version=text_value(context.result.software_version),
        parameters=[text_value(parameter) for parameter in parameters],
        family=codes.ARTIFICIAL_INTELLIGENCE,
        manufacturer=MANUFACTURER,
    )
