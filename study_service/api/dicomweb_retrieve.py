"""WADO-RS: objects, their metadata, frames, bulk data and pictures (PS3.18, 10.4)."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from hepar.contracts.studies import DICOMWEB_PATH
from hepar.imaging.ct_image import LIVER_WINDOW, Window
from hepar.imaging.dicom_json import JsonHeader
from study_service.api.dependencies import PRINCIPAL, CallerDep, Dependencies
from study_service.api.dicomweb_paths import FrameNumbers, InstanceUid, SeriesUid, StudyUid, Tag
from study_service.dicomweb.accept import JSON, chosen
from study_service.dicomweb.addresses import instance_url, studies_url
from study_service.dicomweb.catalogue import Catalogue, CataloguedObject
from study_service.dicomweb.matching import InvalidDicomWebRequest, invalid_query
from study_service.dicomweb.retrieval import Retrieval
from study_service.documents import AccessEvent

router = APIRouter(prefix=DICOMWEB_PATH, dependencies=[PRINCIPAL], include_in_schema=False)
_SERIES = "/{study_uid}/series/{series_uid}"
_INSTANCE = f"{_SERIES}/instances/{{instance_uid}}"


class _Reading:
    """A study that the caller may read. The dependency of all routes of this module."""

    def __init__(self, request: Request, study_uid: StudyUid, caller: CallerDep, dependencies: Dependencies) -> None:
        self.request = request
        self.study_uid = study_uid
        self._caller = caller
        self._dicomweb = dependencies.dicomweb

    async def catalogue(self, event: AccessEvent, **details: object) -> Catalogue:
        """Raises NoSuchStudy; the access is recorded."""
        study = await self._dicomweb.studies.find(self._caller, self.study_uid, event, **details)
        return await self._dicomweb.catalogues.of(study)

    async def objects(self, series_uid: str | None = None) -> Response:
        catalogue = await self.catalogue("downloaded")
        wanted = catalogue.objects(series_uid)
        return await Retrieval(catalogue, self._dicomweb.reader).objects(self.request, wanted)

    async def instance(self, series_uid: str, instance_uid: str) -> tuple[Retrieval, CataloguedObject]:
        catalogue = await self.catalogue("downloaded")
        item = catalogue.objects(series_uid, instance_uid)[0]
        return Retrieval(catalogue, self._dicomweb.reader), item

    async def metadata(self, series_uid: str | None = None, instance_uid: str | None = None) -> Response:
        media_type = chosen(self.request, (JSON, "application/json"))
        catalogue = await self.catalogue("read")
        wanted = catalogue.objects(series_uid, instance_uid)
        headers = await catalogue.headers(wanted)
        base = studies_url(self.request)
        content = await asyncio.to_thread(_metadata_json, base, self.study_uid, wanted, headers)
        return Response(content, media_type=media_type)


ReadingDep = Annotated[_Reading, Depends()]


def _metadata_json(
    base: str, study_uid: str, wanted: Sequence[CataloguedObject], headers: Sequence[JsonHeader]
) -> bytes:
    for item, header in zip(wanted, headers, strict=True):
        own_url = instance_url(base, study_uid, item.entry.series_uid, item.entry.sop_instance_uid)
        for element in header.values():
            if "BulkDataURI" in element:
                element["BulkDataURI"] = f"{own_url}/bulkdata/{element['BulkDataURI']}"
    return json.dumps(headers, ensure_ascii=False, separators=(",", ":")).encode()


@router.get("/{study_uid}")
async def retrieve_study(reading: ReadingDep) -> Response:
    return await reading.objects()


@router.get(_SERIES)
async def retrieve_series(reading: ReadingDep, series_uid: SeriesUid) -> Response:
    return await reading.objects(series_uid)


@router.get(_INSTANCE)
async def retrieve_instance(reading: ReadingDep, series_uid: SeriesUid, instance_uid: InstanceUid) -> Response:
    retrieval, item = await reading.instance(series_uid, instance_uid)
    return await retrieval.objects(reading.request, [item])


@router.get("/{study_uid}/metadata")
async def retrieve_study_metadata(reading: ReadingDep) -> Response:
    return await reading.metadata()


@router.get(f"{_SERIES}/metadata")
async def retrieve_series_metadata(reading: ReadingDep, series_uid: SeriesUid) -> Response:
    return await reading.metadata(series_uid)


@router.get(f"{_INSTANCE}/metadata")
async def retrieve_instance_metadata(reading: ReadingDep, series_uid: SeriesUid, instance_uid: InstanceUid) -> Response:
    return await reading.metadata(series_uid, instance_uid)


@router.get(f"{_INSTANCE}/frames/{{frames}}")
async def retrieve_frames(
    reading: ReadingDep, series_uid: SeriesUid, instance_uid: InstanceUid, frames: FrameNumbers
) -> Response:
    retrieval, item = await reading.instance(series_uid, instance_uid)
    return await retrieval.frames(reading.request, item, frames)


@router.get(f"{_INSTANCE}/bulkdata/{{tag}}")
async def retrieve_bulk_data(
    reading: ReadingDep, series_uid: SeriesUid, instance_uid: InstanceUid, tag: Tag
) -> Response:
    retrieval, item = await reading.instance(series_uid, instance_uid)
    return await retrieval.bulk_data(reading.request, item, tag)


@router.get(f"{_INSTANCE}/rendered")
async def retrieve_rendered_instance(reading: ReadingDep, series_uid: SeriesUid, instance_uid: InstanceUid) -> Response:
    window = _window(reading.request)
    retrieval, item = await reading.instance(series_uid, instance_uid)
    return await retrieval.rendered(reading.request, item, 1, window)


@router.get(f"{_INSTANCE}/frames/{{frames}}/rendered")
async def retrieve_rendered_frame(
    reading: ReadingDep, series_uid: SeriesUid, instance_uid: InstanceUid, frames: FrameNumbers
) -> Response:
    window = _window(reading.request)
    if len(frames) != 1:
        raise InvalidDicomWebRequest("frames: one frame is rendered at a time")
    retrieval, item = await reading.instance(series_uid, instance_uid)
    return await retrieval.rendered(reading.request, item, frames[0], window)


def _window(request: Request) -> Window:
    """`window=CENTER,WIDTH,FUNCTION` (PS3.18, 8.3.5.1.4); that of the liver where there is none.

    Raises InvalidDicomWebRequest, also for other parameters: a picture that ignores them would be another one.
    """
    for name in request.query_params:
        if name not in ("window", "accept"):
            raise invalid_query(name, "this is not supported for rendered pictures")
    stated = request.query_params.get("window")
    if stated is None:
        return LIVER_WINDOW
    try:
        center, width = (float(number) for number in stated.split(",")[:2])
    except ValueError:
        raise invalid_query("window", "send CENTER,WIDTH,FUNCTION") from None
    if not (math.isfinite(center) and abs(center) < 10_000 and 1 <= width < 20_000):
        raise invalid_query("window", "the width is at least 1, and both are within Hounsfield units")
    return Window(center - width / 2, center + width / 2)
