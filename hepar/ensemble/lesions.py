"""Lesions of a volume in three dimensions, and the decision about the patient. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hepar.contracts.lesions import Lesion, Lobe, SliceBox
from hepar.contracts.study_results import SliceResult
from hepar.ensemble.lesion_linking import LinkedBoxes, link_boxes
from hepar.ensemble.lesion_masks import LesionMask, MaskGrid, OrganVolume, lesion_masks
from hepar.ensemble.lesion_measurements import Measurement, measure_boxes, measure_mask
from hepar.ensemble.lesion_probability import lesion_features, lesion_types, most_probable_type, share_in_liver
from hepar.ensemble.patient_decision import PatientDecision, decide
from hepar.ensemble.study_calibration import StudyCalibration, shipped_calibration
from hepar.imaging.volume import VolumeGeometry

RIGHT_LOBE_SHARE = 0.65
"""Share of a normal liver's volume that is the right lobe, segments 5 to 8 (Abdalla et al., Surgery 135, 2004)."""
_TRACKING = uuid.UUID("0d6f4a43-3f5e-5d0a-8c9e-6d5b1c0c8a6e")


@dataclass(frozen=True)
class VolumeEvidence:
    """What the networks answered about a volume.

    geometry: of the whole volume; all slice indices refer to it.
    boxes: fused boxes that pass the detection threshold, in pixels of the slices, maxima exclusive; in any order.
    slices: the classifiers' answers, one per slice of the liver.
    organ: the segmenter's masks; None where it did not answer.
    slice_thickness_mm: as the files state it; the distance between slices where None.
    """

    geometry: VolumeGeometry
    boxes: Sequence[SliceBox]
    slices: Sequence[SliceResult]
    organ: OrganVolume | None
    slice_thickness_mm: float | None = None


@dataclass(frozen=True)
class VolumeAnalysis:
    """lesions: largest first.  masks: by the id of the lesion, of those that were measured on a mask."""

    lesions: list[Lesion]
    masks: Mapping[str, LesionMask]
    decision: PatientDecision


@dataclass(frozen=True)
class Candidate:
    """Linked boxes with everything that is known about them. features: see `lesion_features`."""

    linked: LinkedBoxes
    mask: LesionMask | None
    measurement: Measurement
    liver_share: float | None
    features: Mapping[str, float] = field(repr=False)


def analyse_volume(
    evidence: VolumeEvidence, study_id: str, version: int, calibration: StudyCalibration | None = None
) -> VolumeAnalysis:
    """Links boxes to lesions, measures them, and decides about the patient.

    study_id, version: of the result; tracking UIDs are derived from them.  calibration: the shipped one where None.
    Without slices the volume is out of scope. Memory: `evidence.organ` and about half as much again.
    """
    used = calibration or shipped_calibration()
    if not evidence.slices:
        return VolumeAnalysis([], {}, PatientDecision.out_of_scope())
    liver_columns = None if evidence.organ is None else evidence.organ.liver_columns()
    middle = None if liver_columns is None else _lobe_border(liver_columns)
    found = find_candidates(evidence)
    probabilities = [used.lesion.probability(candidate.features) for candidate in found]
    reported = [
        (candidate, probability)
        for candidate, probability in zip(found, probabilities, strict=True)
        if probability >= used.lesion_threshold
    ]
    reported.sort(key=lambda pair: (-pair[0].measurement.long_axis.length_mm, pair[0].linked.first_slice))
    slices = {item.slice: item for item in evidence.slices}
    lesions, masks = [], {}
    for number, (candidate, probability) in enumerate(reported, 1):
        lesion_id = f"L{number}"
        uid = tracking_uid(study_id, version, lesion_id)
        lobe = _lobe(candidate, evidence, middle)
        lesions.append(_lesion(candidate, lesion_id, uid, probability, lobe, slices, evidence, used))
        if candidate.mask is not None:
            masks[lesion_id] = candidate.mask
    liver_ml = None
    if evidence.organ is not None and liver_columns is not None:
        liver_ml = _liver_ml(evidence.organ, evidence.geometry, int(liver_columns.sum()))
    return VolumeAnalysis(lesions, masks, decide(lesions, probabilities, evidence.slices, liver_ml, used))


def find_candidates(evidence: VolumeEvidence) -> list[Candidate]:
    """All linked boxes, whatever their probability, by first slice."""
    geometry, organ = evidence.geometry, evidence.organ
    linked = link_boxes(evidence.boxes, geometry.spacing_mm[0])
    masks: list[LesionMask | None] = [None] * len(linked)
    if organ is not None:
        masks = lesion_masks(linked, organ, geometry)
    candidates = []
    for boxes, mask in zip(linked, masks, strict=True):
        liver_share = None if organ is None else share_in_liver(boxes, organ, geometry)
        features = lesion_features(boxes, mask, liver_share, geometry, masks=organ is not None)
        measurement = measure_boxes(boxes.boxes, geometry) if mask is None else measure_mask(mask, geometry)
        candidates.append(Candidate(boxes, mask, measurement, liver_share, features))
    return candidates


def tracking_uid(study_id: str, version: int, lesion_id: str) -> str:
    """The same for the same result, and different for each lesion of each result (PS3.5, B.2: UUID-derived UIDs)."""
    return f"2.25.{uuid.uuid5(_TRACKING, f'{study_id}/{version}/{lesion_id}').int}"


def _lesion(
    candidate: Candidate,
    lesion_id: str,
    uid: str,
    probability: float,
    lobe: Lobe | None,
    slices: Mapping[int, SliceResult],
    evidence: VolumeEvidence,
    calibration: StudyCalibration,
) -> Lesion:
    linked, measured = candidate.linked, candidate.measurement
    types = lesion_types(linked, slices, calibration)
    thickness_mm = evidence.slice_thickness_mm or evidence.geometry.spacing_mm[0]
    return Lesion(
        id=lesion_id,
        tracking_uid=uid,
        first_slice=min(linked.first_slice, measured.first_slice),
        last_slice=max(linked.last_slice, measured.last_slice),
        key_slice=measured.long_axis.slice,
        centre_mm=measured.centre_mm,
        measured_on=measured.measured_on,
        long_axis=measured.long_axis,
        short_axis=measured.short_axis,
        volume_ml=measured.volume_ml,
        measurable=measured.measurable(thickness_mm),
        probability=round(probability, 4),
        label=most_probable_type(types, calibration.type_threshold),
        type_probabilities={label: round(share, 4) for label, share in types.items()},
        detectors=linked.detectors,
        agreement=len(linked.detectors),
        liver_share=None if candidate.liver_share is None else round(candidate.liver_share, 4),
        lobe=lobe,
        boxes=list(linked.boxes),
    )


def _lobe_border(liver_columns: NDArray[np.int64]) -> float | None:
    """Column of the input that divides the liver's volume as RIGHT_LOBE_SHARE states; None without a liver."""
    total = liver_columns.sum()
    if not total:
        return None
    share = np.cumsum(liver_columns) / total
    return float(np.searchsorted(share, RIGHT_LOBE_SHARE)) + 0.5


def _lobe(candidate: Candidate, evidence: VolumeEvidence, border: float | None) -> Lobe | None:
    """An estimate: the plane between the lobes (Cantlie's) is oblique, this one is sagittal.

    Columns grow to the patient's left in standard radiological display.
    """
    if border is None or evidence.organ is None:
        return None
    areas = [(box.x_max - box.x_min) * (box.y_max - box.y_min) for box in candidate.linked.boxes]
    centres = [(box.x_min + box.x_max) / 2 for box in candidate.linked.boxes]
    centre = np.array([np.average(centres, weights=areas), 0.0])
    column = MaskGrid.of(evidence.organ.transform, evidence.geometry).to_grid(centre)[0]
    return "left" if column > border else "right"


def _liver_ml(organ: OrganVolume, geometry: VolumeGeometry, liver_px: int) -> float:
    """liver_px: voxels of the network's input."""
    grid = MaskGrid.of(organ.transform, geometry)
    return liver_px / (grid.scale_x * grid.scale_y) * geometry.voxel_ml
