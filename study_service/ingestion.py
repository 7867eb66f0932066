"""From a received file to a stored study: checked in a limited process, encrypted, stored, and only then recorded."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from hepar.contracts.studies import Priority, Study
from hepar.imaging.study import StudyHeaders
from hepar.serving.study_reader import UnreadableStudyUpload
from hepar.storage.objects import ObjectStore, file_pieces
from study_service.documents import Caller, NewStudy, ObjectKind, PatientIdentifiers, Upload, UploadedObject
from study_service.upload_reader import UploadReader
from study_service.uploads import Uploads

INGESTION_PROBLEMS = ("unreadable-study", "unsafe-archive", "insufficient-storage")
_PIECE_BYTES = 1024 * 1024
_ZIP_SIGNATURE = b"PK"


@dataclass(frozen=True)
class UploadOptions:
    """As the sender gives them. group: whose members may read the study, too.

    quiet_s: how long the study waits for further images before it is analysed; None where this is all of it, and must
    be a study that can be analysed.
    """

    name: str | None = None
    series: str | None = None
    priority: Priority = "normal"
    group: str | None = None
    quiet_s: float | None = None


class Ingestion:
    """Stores what `UploadReader` accepts."""

    def __init__(self, uploads: Uploads, objects: ObjectStore, reader: UploadReader) -> None:
        self._uploads = uploads
        self._objects = objects
        self._reader = reader

    async def store(self, caller: Caller, path: Path, size_bytes: int, options: UploadOptions) -> Study:
        """Nothing is stored of an upload that is refused.

        Raises UnreadableStudyUpload, UnsafeArchiveUpload, TooLarge, QuotaExceeded, InsufficientStorage and Unavailable.
        """
        headers = await self._reader.headers(path, options.series)
        may_continue = options.quiet_s is not None or await self._uploads.is_known(caller, headers.study.uid)
        if headers.problem is not None and not may_continue:
            raise UnreadableStudyUpload(headers.problem)  # of a known study these may be late images
        await self._uploads.require_room(caller, size_bytes)
        upload = self._uploads.new_upload()
        kept = False
        try:
            item = await self._store_object(upload, path, size_bytes, headers)
            received = await self._uploads.receive(caller, _new_study(upload, item, headers, options))
            kept = received.state != "known"
        finally:
            if not kept:
                await self._objects.delete_prefix(upload.prefix)
        return received.study

    async def _store_object(self, upload: Upload, path: Path, size_bytes: int, headers: StudyHeaders) -> UploadedObject:
        key = f"{upload.prefix}/0"
        sealed = upload.data_key.encrypt_stream(file_pieces(path), key)
        await self._objects.write(key, sealed, 2 * size_bytes + _PIECE_BYTES)
        return UploadedObject(key, await asyncio.to_thread(_kind, path, headers), size_bytes)


def _kind(path: Path, headers: StudyHeaders) -> ObjectKind:
    if headers.kind == "nifti":
        return "nifti"
    with path.open("rb") as file:
        return "archive" if file.read(len(_ZIP_SIGNATURE)) == _ZIP_SIGNATURE else "dicom"


def _new_study(upload: Upload, item: UploadedObject, headers: StudyHeaders, options: UploadOptions) -> NewStudy:
    patient, study = headers.patient, headers.study
    return NewStudy(
        upload=upload,
        objects=(item,),
        instances=headers.instances,
        identifiers=PatientIdentifiers(
            patient_name=patient.name,
            patient_id=patient.id,
            issuer=patient.issuer,
            birth_date=patient.birth_date,
            sex=patient.sex,
            accession_number=study.accession_number,
            study_uid=study.uid,
            name_given=options.name,
        ),
        images=headers.images,
        size_bytes=item.size_bytes,
        study_date=date.fromisoformat(study.date) if study.date else None,
        priority=options.priority,
        series=options.series,
        group=options.group,
        quiet_s=options.quiet_s or 0.0,
    )
