"""The parts of DICOMweb, wired together."""

from __future__ import annotations

from dataclasses import dataclass

from study_service.dicomweb.catalogue import Catalogues
from study_service.dicomweb.derived_objects import DerivedObjects
from study_service.dicomweb.fetching import Archives
from study_service.dicomweb.objects import DicomObjectStore
from study_service.dicomweb.source_objects import SourceObjects
from study_service.dicomweb.storing import Storing
from study_service.dicomweb.studies import DicomWebStudies
from study_service.ingestion import Ingestion
from study_service.result_files import ResultFiles
from study_service.settings import StudySettings
from study_service.upload_reader import UploadReader


@dataclass(frozen=True)
class DicomWeb:
    studies: DicomWebStudies
    catalogues: Catalogues
    reader: UploadReader
    storing: Storing
    archives: Archives


def new_dicomweb(
    settings: StudySettings,
    studies: DicomWebStudies,
    store: DicomObjectStore,
    reader: UploadReader,
    ingestion: Ingestion,
    files: ResultFiles,
) -> DicomWeb:
    sources = SourceObjects(store, reader, settings.spool_folder)
    derived = DerivedObjects(store, files)
    storing = Storing(ingestion, reader, settings.quiet_s)
    catalogues, archives = Catalogues(store, sources, derived), Archives(settings.destinations, settings.upload_s)
    return DicomWeb(studies, catalogues, reader, storing, archives)
