"""Dependencies of the routes: the service's parts, the caller, and paging."""

from __future__ import annotations

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
from hepar.web.client_address import client_address
from hepar.web.token_verifier import TokenVerifier
from hepar.web.upstream import Upstream
from study_service.author_roles import role_of
from study_service.destinations.registry import Destinations
from study_service.destinations.sends import Sends
from study_service.dicomweb.service import DicomWeb
from study_service.documents import Caller
from study_service.exports.deidentified import DeidentifiedExports
from study_service.fhir.results import ResultStore
from study_service.findings.export import CorrectionExport
from study_service.findings.store import Findings
from study_service.ingestion import Ingestion
from study_service.repository import StudyRepository
from study_service.result_files import ResultFiles
from study_service.settings import StudySettings
from study_service.system_state import SystemReport
from study_service.uploads import Uploads
from study_service.webhooks.registry import Webhooks

UUID_PATTERN = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"


@dataclass(frozen=True)
class StudyDependencies:
    """The parts that routes work with; made by the app's lifespan."""

    settings: StudySettings
    verifier: TokenVerifier
    database: Database
    repository: StudyRepository
    uploads: Uploads
    objects: ObjectStore
    ingestion: Ingestion
    findings: Findings
    correction_export: CorrectionExport
    webhooks: Webhooks
    destinations: Destinations
    sends: Sends
    files: ResultFiles
    exports: DeidentifiedExports
    fhir: ResultStore
    auth: Upstream
    dicomweb: DicomWeb
    system: SystemReport


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
ADMINISTRATOR = Security(_principal, scopes=[STUDY_SCOPE, ALL_STUDIES_SCOPE])
"""For routes of administrators."""
PrincipalDep = Annotated[Principal, PRINCIPAL]


async def _caller(request: Request, principal: PrincipalDep, dependencies: Dependencies) -> Caller:
    groups = frozenset({principal.group}) if principal.group else frozenset()
    origin = client_address(request, dependencies.settings.proxy_networks)
    administrator = ALL_STUDIES_SCOPE in principal.scopes
    return Caller(principal.subject, groups, administrator=administrator, origin=origin, role=role_of(principal))


CallerDep = Annotated[Caller, Depends(_caller)]
StudyId = Annotated[str, Path(pattern=UUID_PATTERN, description="`id` of the study")]
SLICES_MAX = 100_000
SliceIndex = Annotated[
    int, Path(ge=0, lt=SLICES_MAX, description="index of the slice in the analysed volume, from 0 at the feet")
]
VersionDep = Annotated[
    int | None, Query(ge=1, lt=2**31, description="version of the result; the newest that is finished by default")
]


def _page(
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX, description="items of a page")] = 50,
    after: Annotated[
        str | None,
        Query(pattern=UUID_PATTERN, description="`next` of the previous page; the first page where it is missing"),
    ] = None,
) -> PageRequest:
    return PageRequest(limit, after)


PageDep = Annotated[PageRequest, Depends(_page)]
