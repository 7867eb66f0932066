"""Exports of studies for research and training: de-identified, as a ZIP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from hepar.contracts.studies import STUDIES_PATH
from hepar.imaging.deidentification import Options
from hepar.web.guard import is_head
from hepar.web.openapi import problems
from study_service.api.dependencies import PRINCIPAL, CallerDep, Dependencies, StudyId, VersionDep
from study_service.exports.deidentified import ExportRequest

router = APIRouter(
    prefix=STUDIES_PATH,
    tags=["studies"],
    dependencies=[PRINCIPAL],
    responses=problems("unavailable", "no-such-study", "study-not-finished", "insufficient-storage"),
)
_ZIP = "application/zip"


@router.get(
    "/{study_id}/deidentified.zip",
    summary="Export a study without identifiers",
    response_class=Response,
    responses=problems("not-deidentifiable", "study-not-finished")
    | {200: {"content": {_ZIP: {"schema": {"type": "string", "format": "binary"}, "example": "(the bytes)"}}}},
)
async def export_deidentified_study(
    request: Request,
    study_id: StudyId,
    caller: CallerDep,
    dependencies: Dependencies,
    version: VersionDep = None,
    dates: Annotated[
        Literal["removed", "shifted"],
        Query(description="shifted: by a number of days that is the same for all studies of the patient"),
    ] = "removed",
    characteristics: Annotated[
        Literal["removed", "retained"], Query(description="of the patient: sex, age up to 90 years, size, weight")
    ] = "removed",
) -> Response:
    """The images of the analysed series, de-identified by DICOM PS3.15 (Basic Application Level Confidentiality
    Profile), with the segmentation, the measurements, the lesions as a table and the result as JSON, all with mapped
    UIDs. Refused where the files state burned-in text; pixels are not searched for it. The export is recorded.
    """
    options = Options(shifted_dates=dates == "shifted", characteristics=characteristics == "retained")
    pieces = dependencies.exports.stream(ExportRequest(caller, study_id, version, options))
    first = await anext(pieces)
    headers = {"Content-Disposition": 'attachment; filename="deidentified.zip"', "Cache-Control": "no-store"}
    if is_head(request.scope):
        await pieces.aclose()
        return Response(media_type=_ZIP, headers=headers)
    return StreamingResponse(_continued(first, pieces), media_type=_ZIP, headers=headers)


async def _continued(first: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in pieces:
        yield piece
