"""Dependencies of the routes: the service's parts, the caller, and paging."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path, Query, Request, Security
from fastapi.security import SecurityScopes

from hepar.contracts.accounts import PAGE_MAX
from hepar.core.request_context import set_account
from hepar.storage.database import Database
from hepar.storage.objects import ObjectStore
from hepar.storage.paging import PageRequest
from hepar.web.access_tokens import Principal
from hepar.web.bearer import ALL_STUDIES_SCOPE, STUDY_SCOPE, bearer_token
from hepar.web.token_verifier import TokenVerifier
from study_service.dicomweb.service import DicomWeb
from study_service.documents import Caller
from study_service.ingestion import Ingestion
from study_service.repository import StudyRepository
from study_service.settings import StudySettings
from study_service.uploads import Uploads
from study_service.webhooks.registry import Webhooks

_UUID = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"


@dataclass(frozen=True)
class StudyDependencies:
    """The parts that routes work with; made by the app's lifespan.

    output_turn: of requests that make files; masks of a large study take hundreds of megabytes.
    """

    settings: StudySettings
    verifier: TokenVerifier
    database: Database
    repository: StudyRepository
    uploads: Uploads
    objects: ObjectStore
    ingestion: Ingestion
    webhooks: Webhooks
    output_turn: asyncio.Semaphore
    dicomweb: DicomWeb


async def _dependencies(request: Request) -> StudyDependencies:
    dependencies: StudyDependencies = request.app.state.dependencies
    return dependencies


Dependencies = Annotated[StudyDependencies, Depends(_dependencies)]


async def _principal(
    required: SecurityScopes, token: Annotated[str, Depends(bearer_token)], dependencies: Dependencies
) -> Principal:
    """Raises Unauthenticated, Unavailable, and Forbidden for a token without the scope that the route declares."""
    principal = await dependencies.verifier.principal(token)
    set_account(principal.subject)
    principal.require(required.scopes)
    return principal


PRINCIPAL = Security(_principal, scopes=[STUDY_SCOPE])
"""For routers: it is resolved before a route's own parameters, so nothing of a body is read without a valid token."""
PrincipalDep = Annotated[Principal, PRINCIPAL]


async def _caller(principal: PrincipalDep) -> Caller:
    groups = frozenset({principal.group}) if principal.group else frozenset()
    return Caller(principal.subject, groups, administrator=ALL_STUDIES_SCOPE in principal.scopes)


CallerDep = Annotated[Caller, Depends(_caller)]
StudyId = Annotated[str, Path(pattern=_UUID, description="`id` of the study")]
SliceIndex = Annotated[
    int, Path(ge=0, lt=100_000, description="index of the slice in the analysed volume, from 0 at the feet")
]
VersionDep = Annotated[
    int | None, Query(ge=1, lt=2**31, description="version of the result; the newest that is finished by default")
]


def _page(
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX, description="items of a page")] = 50,
    after: Annotated[
        str | None, Query(pattern=_UUID, description="`next` of the previous page; the first page where it is missing")
    ] = None,
) -> PageRequest:
    return PageRequest(limit, after)


PageDep = Annotated[PageRequest, Depends(_page)]
