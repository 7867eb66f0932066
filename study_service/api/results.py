"""Results of studies: the document, slices and masks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from numpy.typing import NDArray

from hepar.contracts.studies import STUDIES_PATH
from hepar.contracts.study_results import StudyModelAnswers, StudyResult
from hepar.core.errors import InvalidField, InvalidRequest
from hepar.imaging.ct_image import LIVER_WINDOW, Window
from hepar.web.openapi import problems
from study_service.analysed_volume import MODEL_ANSWERS, AnalysedVolume, StoredMasks, StoredVolume
from study_service.api.dependencies import PRINCIPAL, CallerDep, Dependencies, SliceIndex, StudyId, VersionDep
from study_service.api.files import FILE_CONTENT, accepted_file, file_response
from study_service.api.versions import NOT_MODIFIED, VersionRequest, VersionRequestDep
from study_service.errors import NoSuchSlice
from study_service.pictures import mask_png, nifti_gz, slice_png

router = APIRouter(
    prefix=STUDIES_PATH,
    tags=["studies"],
    dependencies=[PRINCIPAL],
    responses=problems("unavailable", "no-such-study", "study-not-finished"),
)

SLICES_MAX = 16
"""Of one answer: 8 MiB at 512 x 512."""
_PNG, _GZIP, _RAW = "image/png", "application/gzip", "application/octet-stream"
_BINARY: dict[str, Any] = {"type": "string", "format": "binary"}


def _file(media_type: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {media_type: {"schema": _BINARY, "example": "(the bytes of the file)"}}}} | NOT_MODIFIED


def _window(
    center: Annotated[
        float | None, Query(ge=-2000, le=4000, description="middle of the grey levels in HU; needs `width`")
    ] = None,
    width: Annotated[
        float | None, Query(ge=1, le=8000, description="range of the grey levels in HU; needs `center`")
    ] = None,
    low: Annotated[float | None, Query(ge=-6000, le=8000, description="HU shown black; needs `high`")] = None,
    high: Annotated[float | None, Query(ge=-6000, le=8000, description="HU shown white, above `low`")] = None,
) -> Window:
    """The liver window where none is given. Raises InvalidRequest for a half window, two of them, or an empty one."""
    if center is not None and width is not None and low is None and high is None:
        return Window(center - width / 2, center + width / 2)
    if low is not None and high is not None and low < high and center is None and width is None:
        return Window(low, high)
    given = {"center": center, "width": width, "low": low, "high": high}
    named = [name for name, value in given.items() if value is not None]
    if not named:
        return LIVER_WINDOW
    message = "give `center` and `width`, or `low` and a `high` above it"
    raise InvalidRequest(message, *(InvalidField("query", f"/{name}", "invalid_window", message) for name in named))


WindowDep = Annotated[Window, Depends(_window)]


@router.get(
    "/{study_id}/result",
    summary="Read the result of a study",
    response_model=StudyResult,
    responses={200: {"content": FILE_CONTENT}},
)
async def get_study_result(
    study_id: StudyId, request: Request, caller: CallerDep, dependencies: Dependencies, version: VersionDep = None
) -> StudyResult | Response:
    """The decision about the patient, and every lesion with its axes, volume and type. With `Accept: application/pdf`,
    `application/fhir+json` or `text/csv`, the file of this type in English.
    """
    name = accepted_file(request.headers.get("accept"))
    if name is None:
        return await dependencies.repository.result(caller, study_id, version)
    answer = await file_response(VersionRequest(study_id, version, caller, dependencies), name)
    answer.headers["Vary"] = "Accept"
    return answer


@router.get(
    "/{study_id}/model-answers",
    summary="Read what each model said about a study",
    response_model=StudyModelAnswers,
    responses=NOT_MODIFIED,
)
async def get_study_model_answers(request: VersionRequestDep) -> Response:
    """For each slice of the liver, the boxes of each detector before they were fused, and the probabilities of each
    classifier.
    """

    async def make(volume: AnalysedVolume) -> Response:
        found = await volume.find(MODEL_ANSWERS, StudyModelAnswers)
        said = found or StudyModelAnswers(study_id=request.study_id, version=volume.version, slices=[])
        return Response(said.model_dump_json(), media_type="application/json")

    return await request.picture("result_read", None, "model answers", make)


@router.get(
    "/{study_id}/slices/{index}.png",
    summary="Read a slice of a study",
    response_class=Response,
    responses=problems("no-such-slice", "no-such-study") | _file(_PNG),
)
async def get_study_slice(request: VersionRequestDep, index: SliceIndex, window: WindowDep) -> Response:
    """In standard radiological display with the grey levels of a window in Hounsfield units: that of the liver, 0 to
    250, where none is given. Coordinates of a result are pixels of this picture.
    """

    async def make(volume: AnalysedVolume) -> Response:
        hu = await _slice_hu(volume, index)
        return Response(await asyncio.to_thread(slice_png, hu, window), media_type=_PNG)

    return await request.picture("slice_read", index, f"slice {window.low_hu} {window.high_hu}", make)


@router.get(
    "/{study_id}/slices/{index}.hu",
    summary="Read the Hounsfield units of a slice",
    response_class=Response,
    responses=problems("no-such-slice", "no-such-study") | _file(_RAW),
)
async def get_study_slice_values(request: VersionRequestDep, index: SliceIndex) -> Response:
    """Row by row, 16 bits with sign for each pixel, least significant byte first: for viewers that set the window
    themselves.
    """

    async def make(volume: AnalysedVolume) -> Response:
        hu = await _slice_hu(volume, index)
        return Response(hu.astype("<i2").tobytes(), media_type=_RAW)

    return await request.picture("slice_read", index, "values", make)


@router.get(
    "/{study_id}/slices.hu",
    summary="Read the Hounsfield units of several slices",
    response_class=Response,
    responses=problems("no-such-slice", "no-such-study") | _file(_RAW),
)
async def get_study_slices_values(
    request: VersionRequestDep,
    first: Annotated[int, Query(ge=0, lt=100_000, description="index of the first slice, from 0 at the feet")] = 0,
    count: Annotated[
        int, Query(ge=1, le=SLICES_MAX, description="number of slices; fewer come where the volume ends")
    ] = SLICES_MAX,
) -> Response:
    """One slice after the other, each as `slices/{index}.hu` gives it: for viewers that load a whole volume."""

    async def make(volume: AnalysedVolume) -> Response:
        described = await volume.volume()
        stop = min(first + count, described.geometry.shape[0])
        hu = await volume.hounsfield(described, first, stop)
        return Response(await asyncio.to_thread(hu.astype("<i2", copy=False).tobytes), media_type=_RAW)

    return await request.picture("slice_read", first, f"values of {count}", make)


@router.get(
    "/{study_id}/masks/{index}.png",
    summary="Read the masks of a slice",
    response_class=Response,
    responses=problems("no-such-slice", "no-such-study") | _file(_PNG),
)
async def get_study_mask(request: VersionRequestDep, index: SliceIndex) -> Response:
    """A palette image of the size of the slice, to be laid over it: index 0 is transparent, 1 the liver, 2 the lesion
    L1, 3 the lesion L2 and so on.
    """

    async def make(volume: AnalysedVolume) -> Response:
        labels = await volume.labels(await volume.masks(), await volume.volume(), index)
        return Response(await asyncio.to_thread(mask_png, labels), media_type=_PNG)

    return await request.picture("mask_read", index, "mask", make)


@router.get(
    "/{study_id}/masks.nii.gz",
    summary="Read the masks of a study",
    response_class=Response,
    responses=_file(_GZIP),
)
async def get_study_masks(request: VersionRequestDep) -> Response:
    """A label map of the analysed volume in NIfTI: 1 is the liver, 2 the lesion L1, 3 the lesion L2 and so on."""

    async def make(volume: AnalysedVolume) -> Response:
        described, masks = await volume.volume(), await volume.masks()
        content = nifti_gz(described.geometry, _label_slices(volume, described, masks))
        headers = {"Content-Disposition": 'attachment; filename="masks.nii.gz"'}
        return StreamingResponse(content, media_type=_GZIP, headers=headers)

    return await request.picture("mask_read", None, "masks", make)


async def _slice_hu(volume: AnalysedVolume, index: int) -> NDArray[np.int16]:
    """(rows, columns). Raises NoSuchSlice."""
    described = await volume.volume()
    if index >= described.geometry.shape[0]:
        raise NoSuchSlice
    return np.asarray((await volume.hounsfield(described, index, index + 1))[0])


async def _label_slices(
    volume: AnalysedVolume, described: StoredVolume, masks: StoredMasks
) -> AsyncIterator[NDArray[np.uint16]]:
    for index in range(described.geometry.shape[0]):
        yield await volume.labels(masks, described, index)
