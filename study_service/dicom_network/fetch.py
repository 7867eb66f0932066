"""Fetches a study by its accession number, or the priors of a study, from an archive that is also a destination."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime

from hepar.core.errors import InvalidRequest, Unavailable
from hepar.storage.database import open_database
from hepar.storage.encryption import load_key_ring
from study_service.accesses import record_access
from study_service.destinations.configuration import DicomDestination
from study_service.dicom_network.association import peer_of
from study_service.dicom_network.query import DicomArchive, FoundStudy, QueryFailed, priors
from study_service.documents import PatientIdentifiers
from study_service.errors import NoSuchDestination, NoSuchStudy
from study_service.migrations import MIGRATIONS
from study_service.settings import StudySettings
from study_service.stored_studies import identifiers_of
from study_service.tables import StoredStudy

_Choice = Callable[[list[FoundStudy]], list[FoundStudy]]


async def fetch_by_accession(settings: StudySettings, archive: str, accession_number: str) -> int:
    """The archive sends it to the listener; returns the number of studies. Raises NoSuchDestination, Unavailable."""
    return await asyncio.to_thread(_fetch, settings, archive, lambda found: found, accession_number=accession_number)


async def fetch_priors(settings: StudySettings, archive: str, study_id: str, count: int) -> int:
    """As above, of the patient of a stored study: the newest CT studies that are not younger than it, at most `count`.

    Raises NoSuchStudy, and InvalidRequest for a study that names no patient.
    """
    known, day = await _identifiers(settings, archive, study_id)
    if not known.patient_id:
        raise InvalidRequest("the study names no patient")

    def chosen(found: list[FoundStudy]) -> list[FoundStudy]:
        return priors(found, known.study_uid or "", f"{day or date.max:%Y%m%d}", count)

    return await asyncio.to_thread(_fetch, settings, archive, chosen, patient_id=known.patient_id)


def _fetch(settings: StudySettings, name: str, chosen: _Choice, **keys: str) -> int:
    archive = DicomArchive(peer_of(_archive(settings, name)))
    try:
        studies = chosen(archive.find(**keys))
        archive.move(studies, settings.listen_ae_title)
    except QueryFailed as error:
        raise Unavailable(str(error)) from error
    return len(studies)


def _archive(settings: StudySettings, name: str) -> DicomDestination:
    for destination in settings.destinations:
        if destination.name == name and isinstance(destination, DicomDestination):
            return destination
    raise NoSuchDestination


async def _identifiers(settings: StudySettings, archive: str, study_id: str) -> tuple[PatientIdentifiers, date | None]:
    """The use is recorded."""
    keys = load_key_ring(settings.key_file)
    async with open_database(settings.database_url, MIGRATIONS, "studies") as database, database.writing() as session:
        study = await session.get(StoredStudy, study_id)
        if study is None:
            raise NoSuchStudy
        await record_access(session, "priors_fetched", None, study_id, datetime.now(UTC), archive=archive)
        return identifiers_of(keys, study), study.study_date
