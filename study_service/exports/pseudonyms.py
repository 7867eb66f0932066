"""The pseudonyms of a study's patient in exports: the same in all exports of an installation."""

from __future__ import annotations

import base64

from hepar.imaging.deidentification import Pseudonyms
from hepar.storage.encryption import KeyRing
from study_service.documents import PatientIdentifiers

_DAYS_MAX = 3650
_PATIENT_BYTES = 10


def export_pseudonyms(keys: KeyRing, uid_root: str, study_id: str, known: PatientIdentifiers) -> Pseudonyms:
    """Not those of the API: who may read a study there cannot find its export by them.

    A study without a patient id is a patient of its own. Dates go back by 1 to 3650 days, the same for all studies of
    a patient.
    """
    patient = (known.patient_id, known.issuer or "") if known.patient_id else (study_id,)
    digest = bytes.fromhex(keys.keyed_hash("deidentified patient", *patient))
    return Pseudonyms(
        patient=f"D-{base64.b32encode(digest[:_PATIENT_BYTES]).decode()}",
        days=-1 - int.from_bytes(digest[_PATIENT_BYTES:], "big") % _DAYS_MAX,
        key=bytes.fromhex(keys.keyed_hash("deidentified uids")),
        uid_root=uid_root,
    )
