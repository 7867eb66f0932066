"""The report for people: one page as PDF, set by Typst."""

from __future__ import annotations

from datetime import date

from hepar.contracts.lesions import Lesion

from .analysis_texts import in_language
from .context import OutputContext
from .drawings import caption, colour_of, drawing_data
from .key_images import key_image, key_slices
from .reading import reading_lines
from .source_headers import study_attributes
from .statements import finding_statement
from .typesetting import Data, typeset_pdf, typeset_png
from .wording import MISSING, WORDS, Wording

IMAGES_MAX = 3
ROWS_MAX = 8
REMARKS_MAX = 3
_PREVIEW_PX_PER_PT = 2.0
_TEXT_LENGTH_MAX, _SERIES_LENGTH_MAX = 160, 72


def report_pdf(context: OutputContext, pdf_a: bool = True) -> bytes:
    """pdf_a: as PDF/A-2b, for archives. The same result gives the same bytes."""
    return typeset_pdf("report.typ", _report(context), int(context.created_at.timestamp()), pdf_a)


def report_png(context: OutputContext) -> bytes:
    """The page of `report_pdf` as a picture, for browsers whose policy shows no PDF."""
    return typeset_png("report.typ", _report(context), _PREVIEW_PX_PER_PT)


def _report(context: OutputContext) -> Data:
    words, result = WORDS[context.language], context.result
    images = [key_image(context, index) for index in key_slices(context)[:IMAGES_MAX]]
    boxed = any(lesion.measured_on == "box" for lesion in result.lesions[:ROWS_MAX])
    left_out = len(result.lesions) - ROWS_MAX
    return {
        "language": context.language,
        "texts": dict(words.texts),
        "title": f"{words['title']} {result.study_id}",
        "footer": f"Hepar {result.software_version} · {words['study_id']} {result.study_id}, "
        f"{words['result_version']} {result.version} · {words.time(context.created_at)}",
        "identifiers": _pairs(_identifiers(context, words), words),
        "statement": finding_statement(result, context.language),
        "figures": _pairs(_figures(context, words), words),
        "images": [drawing_data(image) | {"caption": caption(image, words)} for image in images],
        "columns": [
            words[key] for key in ("lesion", "slices", "lobe", "axes", "volume", "probability", "type", "measurable")
        ],
        "rows": [
            {"colour": colour_of(lesion.label), "cells": _cells(lesion, words)} for lesion in result.lesions[:ROWS_MAX]
        ],
        "notes": ([words["box_axes"]] if boxed else []) + _more(words, left_out),
        "reading": reading_lines(result, words),
        "method": _pairs(_method(context, words), words),
    }


def _identifiers(context: OutputContext, words: Wording) -> dict[str, str]:
    attributes, result = study_attributes(context), context.result
    chosen = next((series for series in result.series if series.chosen), None)
    number = "" if chosen is None or chosen.number is None else f"{chosen.number}: "
    return {
        "patient": _name(str(attributes.PatientName)),
        "patient_id": attributes.PatientID,
        "birth_date": _date(attributes.PatientBirthDate, words),
        "sex": words.term("sex", attributes.PatientSex or None),
        "series": MISSING if chosen is None else _cut(number + (chosen.description or chosen.id), _SERIES_LENGTH_MAX),
        "accession": attributes.AccessionNumber,
        "study_date": _date(attributes.StudyDate, words),
        "created": words.time(context.created_at),
    }


def _figures(context: OutputContext, words: Wording) -> dict[str, str]:
    result = context.result
    types = result.type_probabilities
    share = f" ({words.percent(types[result.label])})" if result.label in types else ""
    burden = "" if result.tumour_percent is None else f" ({words.number(result.tumour_percent, 1)}{words.percent_sign})"
    return {
        "tumour_probability": words.percent(result.tumour_probability),
        "type": words.term("label", result.label) + share,
        "certainty": words.term("certainty", result.certainty),
        "liver_volume": MISSING if result.liver_ml is None else f"{words.number(result.liver_ml, 0)} ml",
        "tumour_volume": MISSING if result.tumour_ml is None else f"{words.number(result.tumour_ml, 1)} ml{burden}",
    }


def _cells(lesion: Lesion, words: Wording) -> list[str]:
    axes = " \N{MULTIPLICATION SIGN} ".join(
        words.number(axis.length_mm, 1) for axis in (lesion.long_axis, lesion.short_axis)
    )
    probability = lesion.type_probabilities.get(lesion.label or "")
    return [
        lesion.id,
        f"{lesion.first_slice + 1}\N{EN DASH}{lesion.last_slice + 1}",
        words.term("lobe", lesion.lobe),
        f"{axes} mm{'*' if lesion.measured_on == 'box' else ''}",
        MISSING if lesion.volume_ml is None else f"{words.number(lesion.volume_ml, 1)} ml",
        words.percent(lesion.probability),
        words.term("label", lesion.label) + ("" if probability is None else f" ({words.percent(probability)})"),
        words["yes" if lesion.measurable else "no"],
    ]


def _method(context: OutputContext, words: Wording) -> dict[str, str]:
    result = context.result
    chosen = next((series for series in result.series if series.chosen), None)
    remarks = [in_language(remark, context.language) for remark in result.warnings[:REMARKS_MAX]]
    remarks += _more(words, len(result.warnings) - REMARKS_MAX)
    lines = {
        "input": ""
        if chosen is None
        else words["chosen"].format(images=chosen.images, reason=_cut(in_language(chosen.reason, context.language))),
        "models": ", ".join(f"{model.model} {model.version}" for model in result.models),
        "missing_models": ", ".join(result.missing_models),
        "remarks": " ".join(_cut(remark) for remark in remarks),
    }
    return {key: value for key, value in lines.items() if value}


def _pairs(values: dict[str, str], words: Wording) -> list[Data]:
    return [{"label": words[key], "value": value or MISSING} for key, value in values.items()]


def _more(words: Wording, count: int) -> list[str]:
    return [words["more"].format(count=count)] if count > 0 else []


def _cut(text: str, length_max: int = _TEXT_LENGTH_MAX) -> str:
    return text if len(text) <= length_max else text[: length_max - 1] + "…"


def _name(person_name: str) -> str:
    """Family name, given names and affixes of the first group of a DICOM name."""
    alphabetic, _, _ = person_name.partition("=")
    parts = [part.strip() for part in alphabetic.split("^")]
    rest = " ".join(part for part in parts[1:] if part)
    return ", ".join(part for part in (parts[0], rest) if part)


def _date(value: str, words: Wording) -> str:
    return words.date(date.fromisoformat(value)) if value else MISSING
