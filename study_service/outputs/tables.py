"""The result as JSON and its lesions as a table."""

from __future__ import annotations

import csv
import io

from .context import OutputContext

LABELS = ("cholangiocarcinoma", "metastasis")
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
)


def result_json(context: OutputContext) -> bytes:
    """The StudyResult as the API returns it."""
    return context.result.model_dump_json(indent=2).encode()


def lesions_csv(context: OutputContext) -> bytes:
    """RFC 4180 in UTF-8, one row per lesion, empty where a value is unknown. Slices count from 0 at the feet."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for lesion in context.result.lesions:
        writer.writerow(
            [
                context.result.study_id,
                context.result.version,
                lesion.id,
                lesion.tracking_uid,
                lesion.first_slice,
                lesion.last_slice,
                lesion.key_slice,
                *(round(value, 2) for value in lesion.centre_mm),
                lesion.measured_on,
                round(lesion.long_axis.length_mm, 2),
                round(lesion.short_axis.length_mm, 2),
                None if lesion.volume_ml is None else round(lesion.volume_ml, 3),
                str(lesion.measurable).lower(),
                round(lesion.probability, 4),
                lesion.label,
                *(lesion.type_probabilities.get(label) for label in LABELS),
                lesion.liver_share,
                lesion.lobe,
                " ".join(lesion.detectors),
            ]
        )
    return buffer.getvalue().encode()
