"""Whether the files of an upload belong to one patient and one study."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hepar.imaging.errors import SeveralPatients, UnreadableStudy
from hepar.imaging.study.headers import InstanceHeader, PatientHeader, StudyHeader


def check_one_patient(instances: Sequence[InstanceHeader]) -> None:
    """Raises SeveralPatients, or UnreadableStudy where there are several studies of one patient.

    Identifiers and birth dates that differ are different patients. Names are compared only where an identifier is
    missing: they change, and are written in different ways. A missing value agrees with every other.
    """
    patients = {instance.patient for instance in instances}
    ids = {_normalised(patient.id) for patient in patients} - {""}
    births = {patient.birth_date for patient in patients} - {None}
    names = {_normalised(patient.name) for patient in patients} - {""}
    some_without_id = any(not _normalised(patient.id) for patient in patients)
    if len(ids) > 1 or len(births) > 1 or (some_without_id and len(names) > 1):
        raise SeveralPatients("the files state more than one patient; send the study of one patient")
    if len({instance.study.uid for instance in instances} - {None}) > 1:
        raise UnreadableStudy("the files belong to more than one study (StudyInstanceUID); send one study at a time")


def fullest_patient(instances: Sequence[InstanceHeader]) -> PatientHeader:
    """The values that any file states."""
    patients = sorted({instance.patient for instance in instances}, key=str)
    return PatientHeader(
        next((patient.id for patient in patients if patient.id), None),
        next((patient.issuer for patient in patients if patient.issuer), None),
        next((patient.name for patient in patients if patient.name), None),
        next((patient.birth_date for patient in patients if patient.birth_date), None),
        next((patient.sex for patient in patients if patient.sex), None),
    )


def fullest_study(instances: Sequence[InstanceHeader]) -> StudyHeader:
    """The values that any file states."""
    studies = sorted({instance.study for instance in instances}, key=str)
    return StudyHeader(
        next((study.uid for study in studies if study.uid), None),
        next((study.accession_number for study in studies if study.accession_number), None),
        next((study.date for study in studies if study.date), None),
        next((study.description for study in studies if study.description), None),
    )


def _normalised(text: str | None) -> str:
    return " ".join(re.sub(r"[\^=,]", " ", text or "").casefold().split())
