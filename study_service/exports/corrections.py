"""Corrections without identifiers, which fit the de-identified export of their study."""

from __future__ import annotations

from hepar.contracts.correction_records import CorrectionRecord
from hepar.imaging.deidentification import Pseudonyms


def deidentified_record(record: CorrectionRecord, pseudonyms: Pseudonyms) -> CorrectionRecord:
    """With the ids of `result.json` and `lesions.csv`. Times are shifted like the patient's dates: a correction follows
    the examination by days.
    """
    answer = record.model_answer
    return record.model_copy(
        update={
            "study_id": pseudonyms.study_id(record.study_id),
            "at": pseudonyms.shifted_time(record.at),
            "author": pseudonyms.account_id(record.author),
            "model_answer": answer and answer.model_copy(update={"tracking_uid": pseudonyms.uid(answer.tracking_uid)}),
        }
    )
