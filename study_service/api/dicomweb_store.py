"""STOW-RS: DICOM files in, in parts of one request (PS3.18, 10.5)."""

from __future__ import annotations

import json
from email.message import Message

from fastapi import APIRouter, Request, Response

from hepar.contracts.studies import DICOMWEB_PATH
from hepar.core.errors import UnsupportedMedia
from hepar.web.multipart import content_type
from hepar.web.uploads import check_announced_length
from study_service.api.body import announced_bytes, received_parts
from study_service.api.dependencies import PRINCIPAL, CallerDep, Dependencies
from study_service.api.dicomweb_paths import StudyUid
from study_service.dicomweb.accept import DICOM, JSON, MULTIPART, chosen
from study_service.dicomweb.addresses import studies_url

router = APIRouter(prefix=DICOMWEB_PATH, dependencies=[PRINCIPAL], include_in_schema=False)


@router.post("")
async def store_instances(request: Request, caller: CallerDep, dependencies: Dependencies) -> Response:
    return await _store(request, caller, dependencies, None)


@router.post("/{study_uid}")
async def store_instances_of_study(
    request: Request, study_uid: StudyUid, caller: CallerDep, dependencies: Dependencies
) -> Response:
    return await _store(request, caller, dependencies, study_uid)


async def _store(request: Request, caller: CallerDep, dependencies: Dependencies, study_uid: str | None) -> Response:
    """Limits and rules are those of `POST /v1/studies`."""
    media_type = chosen(request, (JSON, "application/json"))
    settings, web = dependencies.settings, dependencies.dicomweb
    check_announced_length(request, settings.upload_bytes_max)
    boundary = _boundary(request)
    await dependencies.uploads.require_room(caller, announced_bytes(request))
    async with received_parts(
        request.stream(), boundary, settings.spool_folder, settings.upload_bytes_max, settings.images_max
    ) as file:
        outcome = await web.storing.store(caller, file.path, next(iter(caller.groups), None), study_uid)
    document = outcome.document(studies_url(request))
    return Response(json.dumps(document), outcome.status, media_type=media_type)


def _boundary(request: Request) -> str:
    """Raises UnsupportedMedia for anything but parts of DICOM files."""
    kind, boundary = content_type(request)
    message = Message()
    message["content-type"] = request.headers.get("content-type", "")
    if kind != MULTIPART or str(message.get_param("type", "")).lower() != DICOM:
        raise UnsupportedMedia('send the objects as multipart/related; type="application/dicom"')
    return boundary
