"""The result of a study as a document, and in one line for lists."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

from hepar import __version__
from hepar.contracts.images import NetworkScale
from hepar.contracts.studies import StudySummary
from hepar.contracts.study_results import ModelVersion, StudyResult, VolumeFacts
from hepar.ensemble.lesions import VolumeAnalysis
from hepar.ensemble.voting import NO_TUMOUR
from hepar.imaging.input_frame import shrunk_warning
from study_service.job_queue import Job
from study_service.lesion_step import LesionInput, scale_of


def result_of(
    job: Job, given: LesionInput, analysis: VolumeAnalysis, models: list[ModelVersion], missing: list[str]
) -> StudyResult:
    decision, volume, geometry = analysis.decision, given.volume, given.volume.geometry
    scale = scale_of(given)
    return StudyResult(
        study_id=job.study_id,
        version=job.version,
        created_at=datetime.now(UTC),
        outcome=decision.outcome,
        tumour=decision.tumour,
        tumour_probability=decision.tumour_probability,
        label=decision.label,
        type_probabilities=decision.type_probabilities,
        certainty=decision.certainty,
        lesions=analysis.lesions,
        liver_ml=decision.liver_ml,
        tumour_ml=decision.tumour_ml,
        tumour_percent=decision.tumour_percent,
        key_slices=decision.key_slices,
        slices=given.slice_results(),
        volume=VolumeFacts(
            slices=geometry.shape[0],
            rows=geometry.shape[1],
            columns=geometry.shape[2],
            spacing_mm=geometry.spacing_mm,
            origin_mm=geometry.origin_mm,
            slice_direction=geometry.slice_direction,
            row_direction=geometry.row_direction,
            column_direction=geometry.column_direction,
            liver_slices=given.liver.extent,
            scale=None if scale is None else NetworkScale.model_validate(asdict(scale)),
        ),
        series=list(volume.series),
        unreadable_files=list(volume.unreadable),
        warnings=[*volume.warnings, *(shrunk_warning(scale) if scale else ())],
        models=models,
        missing_models=missing,
        software_version=__version__,
    )


def summary_of(result: StudyResult) -> StudySummary:
    """probability: of the label where one was decided, of a tumour otherwise."""
    probability = result.tumour_probability
    if result.label == NO_TUMOUR and probability is not None:
        probability = round(1 - probability, 4)
    elif result.label is not None:
        probability = result.type_probabilities[result.label]
    return StudySummary(
        outcome=result.outcome,
        label=result.label,
        probability=probability,
        lesions=len(result.lesions),
        largest_mm=result.lesions[0].long_axis.length_mm if result.lesions else None,
        key_slice=result.key_slices[0].slice if result.key_slices else None,
    )
