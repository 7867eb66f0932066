"""QIDO-RS: searches for studies, series and instances (PS3.18, 10.6)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from hepar.contracts.studies import DICOMWEB_PATH
from hepar.imaging.dicom_json import JsonHeader
from study_service.api.dependencies import PRINCIPAL, CallerDep, Dependencies
from study_service.api.dicomweb_paths import SeriesUid, StudyUid
from study_service.dicomweb.accept import JSON, chosen
from study_service.dicomweb.addresses import instance_url, series_url, studies_url
from study_service.dicomweb.catalogue import Catalogue, NoSuchObject
from study_service.dicomweb.matching import Query, parsed_query
from study_service.dicomweb.search import (
    INSTANCE_UID,
    SERIES_UID,
    STUDY_TAGS,
    STUDY_UID,
    Page,
    instance_page,
    paged_matches,
    series_page,
    study_header,
    study_keys,
    uid_of,
    with_urls,
)
from study_service.dicomweb.studies import ListedStudy

router = APIRouter(prefix=DICOMWEB_PATH, dependencies=[PRINCIPAL], include_in_schema=False)
_JSON_TYPES = (JSON, "application/json")


def _query(request: Request) -> Query:
    """Raises NotAcceptable and InvalidDicomWebRequest."""
    chosen(request, _JSON_TYPES)
    return parsed_query(request.query_params.multi_items())


QueryDep = Annotated[Query, Depends(_query)]


@router.get("")
async def search_studies(request: Request, query: QueryDep, caller: CallerDep, dependencies: Dependencies) -> Response:
    def matches(study: ListedStudy) -> bool:
        return query.matches(study_header(study))

    keys, last = study_keys(query), query.offset + query.limit
    found = await dependencies.dicomweb.studies.search(caller, keys, matches, last + 1)
    page = paged_matches([study_header(study) for study in found[query.offset :]], query, STUDY_TAGS)
    base = studies_url(request)
    return _answer(request, query, page, lambda item: f"{base}/{uid_of(item, STUDY_UID)}")


@router.get("/{study_uid}/series")
async def search_series(
    request: Request, study_uid: StudyUid, query: QueryDep, caller: CallerDep, dependencies: Dependencies
) -> Response:
    catalogue = await _catalogue(caller, dependencies, study_uid)
    wanted = catalogue.objects()
    page = series_page(catalogue, wanted, await catalogue.headers(wanted), query)
    base = studies_url(request)
    return _answer(request, query, page, lambda item: series_url(base, study_uid, uid_of(item, SERIES_UID)))


@router.get("/{study_uid}/instances")
async def search_instances(
    request: Request, study_uid: StudyUid, query: QueryDep, caller: CallerDep, dependencies: Dependencies
) -> Response:
    return await _instances(request, study_uid, None, query, await _catalogue(caller, dependencies, study_uid))


@router.get("/{study_uid}/series/{series_uid}/instances")
async def search_series_instances(
    request: Request,
    study_uid: StudyUid,
    series_uid: SeriesUid,
    query: QueryDep,
    caller: CallerDep,
    dependencies: Dependencies,
) -> Response:
    return await _instances(request, study_uid, series_uid, query, await _catalogue(caller, dependencies, study_uid))


async def _catalogue(caller: CallerDep, dependencies: Dependencies, study_uid: str) -> Catalogue:
    web = dependencies.dicomweb
    return await web.catalogues.of(await web.studies.find(caller, study_uid, "read"))


async def _instances(
    request: Request, study_uid: str, series_uid: str | None, query: Query, catalogue: Catalogue
) -> Response:
    try:
        wanted = catalogue.objects(series_uid)
    except NoSuchObject:
        wanted = []
    page = instance_page(await catalogue.headers(wanted), query)
    base = studies_url(request)

    def url(item: JsonHeader) -> str:
        return instance_url(base, study_uid, uid_of(item, SERIES_UID), uid_of(item, INSTANCE_UID))

    return _answer(request, query, page, url)


def _answer(request: Request, query: Query, page: Page, url_of: Callable[[JsonHeader], str]) -> Response:
    """204 where nothing matches (PS3.18, table 10.6.3-6)."""
    warnings = []
    if page.has_more:
        warnings.append('299 hepar "There are additional results that can be requested"')
    if query.is_fuzzy:
        warnings.append(
            '299 hepar "The fuzzymatching parameter is not supported. Only literal matching has been performed."'
        )
    headers = {"Warning": ", ".join(warnings)} if warnings else {}
    if not page.items:
        return Response(status_code=204, headers=headers)
    content = json.dumps(with_urls(page.items, url_of), ensure_ascii=False, separators=(",", ":"))
    return Response(content, media_type=chosen(request, _JSON_TYPES), headers=headers)
