"""The files of a result, made as for the identified study but from mapped UIDs, dates and names."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pydicom

from hepar.contracts.base import RESEARCH_USE_NOTICE
from hepar.contracts.study_results import StudyResult
from hepar.imaging.deidentification import Options, Pseudonyms, deidentified_header, mark_deidentified
from study_service.outputs.context import OutputContext
from study_service.outputs.registry import DICOM, OUTPUTS

OUTPUT_NAMES = ("segmentation.dcm", "measurements.dcm", "lesions.csv", "result.json")
_KEPT = (
    "version", "outcome", "tumour", "tumour_probability", "label", "type_probabilities", "certainty", "liver_ml",
    "tumour_ml", "tumour_percent", "key_slices", "slices", "volume", "warnings", "models", "missing_models",
    "software_version", "notice",
)  # fmt: skip
"""Fields of StudyResult that say nothing about who was examined, where and when."""
_NO_DATE = datetime(1900, 1, 1, tzinfo=UTC)
_NOT_CHECKED = (
    "Pixels are not searched for burned-in text; only what the files state about it is checked. "
    "Faces are not removed: an image of the head may be recognised."
)


@dataclass(frozen=True)
class Deidentification:
    """How a study is de-identified."""

    pseudonyms: Pseudonyms
    options: Options


def deidentified_outputs(context: OutputContext, how: Deidentification) -> Iterator[tuple[str, bytes]]:
    """Name and content of OUTPUT_NAMES, as far as the study has them."""
    mapped = deidentified_context(context, how)
    for name in OUTPUT_NAMES:
        content = OUTPUTS[name].make(mapped)
        if content is not None:
            yield name, _marked(content, how.options) if OUTPUTS[name].media_type == DICOM else content


def deidentified_context(context: OutputContext, how: Deidentification) -> OutputContext:
    created_at = _created_at(context, how)
    sources = tuple(
        replace(source, header=deidentified_header(source.header, how.pseudonyms, how.options))
        for source in context.sources
    )
    return replace(context, result=_result(context.result, how, created_at), sources=sources, created_at=created_at)


def export_document(context: OutputContext, how: Deidentification, images: int) -> bytes:
    """export.json: what was done, and what was not."""
    document = {
        "patient": how.pseudonyms.patient,
        "study_instance_uid": str(deidentified_context(context, how).sources[0].header.StudyInstanceUID),
        "images": images,
        "profile": "DICOM PS3.15 2026c, Annex E, Basic Application Level Confidentiality Profile",
        "dates": "shifted" if how.options.shifted_dates else "removed",
        "characteristics": "retained" if how.options.characteristics else "removed",
        "not_checked": _NOT_CHECKED,
        "software_version": context.result.software_version,
        "notice": RESEARCH_USE_NOTICE,
    }
    return json.dumps(document, indent=2).encode()


def _created_at(context: OutputContext, how: Deidentification) -> datetime:
    """The analysis follows the examination, so its date would tell that one."""
    if how.options.shifted_dates:
        return how.pseudonyms.shifted_time(context.created_at)
    return _NO_DATE


def _result(result: StudyResult, how: Deidentification, created_at: datetime) -> StudyResult:
    """Of the analysed series alone; texts of the files stay out, and so does each field that is not named here."""
    uid = how.pseudonyms.uid
    kept = {name: getattr(result, name) for name in _KEPT}
    return StudyResult(
        study_id=how.pseudonyms.study_id(result.study_id),
        created_at=created_at,
        lesions=[lesion.model_copy(update={"tracking_uid": uid(lesion.tracking_uid)}) for lesion in result.lesions],
        series=[
            series.model_copy(update={"uid": uid(series.uid) if series.uid else None, "description": None})
            for series in result.series
            if series.chosen
        ],
        unreadable_files=[],
        **kept,
    )


def _marked(content: bytes, options: Options) -> bytes:
    """The DICOM object with the statement that it was de-identified."""
    instance = pydicom.dcmread(io.BytesIO(content))
    mark_deidentified(instance, options)
    buffer = io.BytesIO()
    instance.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
