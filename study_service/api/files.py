"""Files of a study's result: DICOM objects, the report, FHIR, tables and key images."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from hepar.contracts.studies import STUDIES_PATH
from hepar.contracts.study_files import FileName, Language
from hepar.core.errors import NotFound
from hepar.web.openapi import problems
from study_service.api.dependencies import PRINCIPAL, SLICES_MAX
from study_service.api.versions import NOT_MODIFIED, VersionRequest, VersionRequestDep
from study_service.outputs.key_images import KEY_IMAGES_MAX
from study_service.outputs.registry import BY_MEDIA_TYPE, OUTPUTS

router = APIRouter(
    prefix=STUDIES_PATH,
    tags=["studies"],
    dependencies=[PRINCIPAL],
    responses=problems("unavailable", "no-such-study", "study-not-finished"),
)

KeySlices = Annotated[
    list[Annotated[int, Field(ge=0, lt=SLICES_MAX)]] | None,
    Query(
        max_length=KEY_IMAGES_MAX,
        description="slices to show in the report and in key images, most important first, instead of the result's key "
        "slices. The report shows the first three",
    ),
]
_MEDIA_TYPES = sorted({output.media_type for output in OUTPUTS.values()})
_EXAMPLE = "(the bytes of the file)"
_BINARY: Mapping[str, Any] = {"schema": {"type": "string", "format": "binary"}, "example": _EXAMPLE}
FILE_CONTENT = {kind: dict(_BINARY) for kind in BY_MEDIA_TYPE if kind != "application/json"}
"""Of an OpenAPI document: the media types that a result has besides JSON."""
_WEIGHT = re.compile(r"(?i)(?:^|;)\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*(?:;|$)")
_JSON = ("application/json", "application/*", "*/*")


def accepted_file(accept: str | None) -> str | None:
    """The name of the file that an `Accept` header asks for; None for JSON, and for what no file has.

    The media type of the highest weight counts (RFC 9110, 12.5.1). At equal weights JSON does: generated clients
    accept all types of a document alike, and read JSON.
    """
    weighted: list[tuple[float, str]] = []
    for part in (accept or "").split(","):
        media_type, _, parameters = part.partition(";")
        match = _WEIGHT.search(parameters)
        weighted.append((float(match[1]) if match else 1.0, media_type.strip().lower()))
    for weight, media_type in sorted(weighted, key=lambda item: (-item[0], item[1] not in _JSON)):
        if weight > 0 and media_type in _JSON:
            return None
        if weight > 0 and media_type in BY_MEDIA_TYPE:
            return BY_MEDIA_TYPE[media_type]
    return None


@router.get(
    "/{study_id}/files/{name}",
    summary="Read a file of a study's result",
    response_class=Response,
    responses=problems("http-404", "no-such-slice", "no-such-study")
    | {200: {"content": {media_type: dict(_BINARY) for media_type in _MEDIA_TYPES}}}
    | NOT_MODIFIED,
)
async def get_study_file(
    request: VersionRequestDep,
    name: Annotated[FileName, Path(description="which file")],
    language: Annotated[Language, Query(description="of the report and of key images")] = "en",
    key_slices: KeySlices = None,
) -> Response:
    """DICOM segmentation and structured reports, the report as PDF, picture and DICOM, a FHIR bundle, the lesions as a
    table, and key images. The same version has the same bytes until a reader corrects a finding. Studies sent as NIfTI
    have no DICOM objects, and there are as many key images as key slices.
    """
    return await file_response(request, name, language, tuple(key_slices or ()))


async def file_response(
    request: VersionRequest, name: str, language: Language = "en", key_slices: tuple[int, ...] = ()
) -> Response:
    """name: of OUTPUTS.  key_slices: for files with key images.

    Raises NotFound for a file that the study does not have, NoSuchSlice, and what the repository does.
    """
    dependencies, study_id = request.dependencies, request.study_id
    found = await dependencies.repository.analysed(request.caller, study_id, request.version, "downloaded", None)
    result = await dependencies.repository.result(request.caller, study_id, found.version)
    chosen = key_slices if OUTPUTS[name].has_key_images else ()

    async def make() -> Response:
        made = await dependencies.files.make(found, result, [name], language, chosen)
        if name not in made:
            raise NotFound("the study has no such file")
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(made[name], media_type=OUTPUTS[name].media_type, headers=headers)

    corrections = result.reading.summary.corrections if result.reading else 0
    made_from = f"{found.version} {corrections} {result.software_version} {name} {language} {chosen}"
    return await request.unchanging(made_from, make)
