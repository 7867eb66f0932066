"""The result as JSON and its lesions as a table."""

from __future__ import annotations

import csv
import io

from hepar.contracts.findings import FindingMeasurement, ReadFinding
from hepar.contracts.lesions import Lesion

from .context import OutputContext

LABELS = ("cholangiocarcinoma", "metastasis")
_READER_COLUMNS = (
    "reader_status",
    "reader_label",
    "reader_changed",
    "reader_long_axis_mm",
    "reader_short_axis_mm",
    "reader_volume_ml",
    "reader_role",
    "reader_at",
)
COLUMNS = (
    "study_id",
    "result_version",
    "lesion",
    "tracking_uid",
    "first_slice",
    "last_slice",
    "key_slice",
    "centre_x_mm",
    "centre_y_mm",
    "centre_z_mm",
    "measured_on",
    "long_axis_mm",
    "short_axis_mm",
    "volume_ml",
    "measurable",
    "probability",
    "label",
    *(f"probability_{label}" for label in LABELS),
    "liver_share",
    "lobe",
    "detectors",
    "source",
    *_READER_COLUMNS,
)


def result_json(context: OutputContext) -> bytes:
    """The StudyResult as the API returns it."""
    return context.result.model_dump_json(indent=2).encode()


def lesions_csv(context: OutputContext) -> bytes:
    """RFC 4180 in UTF-8, one row per lesion, empty where a value is unknown. Slices count from 0 at the feet.

    The models' answer, what readers made of it in columns of their own, and rows for lesions that readers added.
    """
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, COLUMNS)
    writer.writeheader()
    result = context.result
    read = {finding.id: finding for finding in result.reading.findings} if result.reading else {}
    common = {"study_id": result.study_id, "result_version": result.version}
    for lesion in result.lesions:
        finding = read.get(lesion.id)
        own = _geometry(lesion) | _answer(lesion) | {"key_slice": lesion.key_slice, "source": "models"}
        writer.writerow(common | own | (_reader(finding) if finding else {}))
    for finding in read.values():
        if finding.source == "reader":
            writer.writerow(common | {"lesion": finding.id} | _geometry(finding.measurement) | _reader(finding))
    return buffer.getvalue().encode()


def _geometry(measured: Lesion | FindingMeasurement) -> dict[str, object]:
    x_mm, y_mm, z_mm = (round(value, 2) for value in measured.centre_mm)
    return {
        "first_slice": measured.first_slice,
        "last_slice": measured.last_slice,
        "key_slice": measured.long_axis.slice,
        "centre_x_mm": x_mm,
        "centre_y_mm": y_mm,
        "centre_z_mm": z_mm,
        "measured_on": measured.measured_on,
        "long_axis_mm": round(measured.long_axis.length_mm, 2),
        "short_axis_mm": round(measured.short_axis.length_mm, 2),
        "volume_ml": _volume_ml(measured),
        "measurable": str(measured.measurable).lower(),
    }


def _answer(lesion: Lesion) -> dict[str, object]:
    types: dict[str, object] = {f"probability_{label}": lesion.type_probabilities.get(label) for label in LABELS}
    return types | {
        "lesion": lesion.id,
        "tracking_uid": lesion.tracking_uid,
        "probability": round(lesion.probability, 4),
        "label": lesion.label,
        "liver_share": lesion.liver_share,
        "lobe": lesion.lobe,
        "detectors": " ".join(lesion.detectors),
    }


def _reader(finding: ReadFinding) -> dict[str, object]:
    measured = finding.measurement
    return {
        "source": finding.source,
        "reader_status": finding.status,
        "reader_label": finding.label,
        "reader_changed": " ".join(finding.changed),
        "reader_long_axis_mm": round(measured.long_axis.length_mm, 2),
        "reader_short_axis_mm": round(measured.short_axis.length_mm, 2),
        "reader_volume_ml": _volume_ml(measured),
        "reader_role": finding.last_role,
        "reader_at": finding.last_at.isoformat(),
    }


def _volume_ml(measured: Lesion | FindingMeasurement) -> float | None:
    return None if measured.volume_ml is None else round(measured.volume_ml, 3)
