"""Sends of one study."""

from __future__ import annotations

from fastapi import APIRouter

from hepar.contracts.destinations import Send, SendList, SendRequest
from hepar.contracts.studies import STUDIES_PATH
from hepar.web.openapi import problems
from study_service.api.dependencies import PRINCIPAL, CallerDep, Dependencies, PageDep, StudyId
from study_service.output_context import require_slices

router = APIRouter(
    prefix=STUDIES_PATH, tags=["studies"], dependencies=[PRINCIPAL], responses=problems("unavailable", "no-such-study")
)


@router.post(
    "/{study_id}/sends",
    summary="Send a study's result to a destination",
    status_code=202,
    response_model=Send,
    responses=problems("no-such-study", "no-such-destination", "no-such-slice", "study-not-finished"),
)
async def send_study(study_id: StudyId, form: SendRequest, caller: CallerDep, dependencies: Dependencies) -> Send:
    """Queued; attempted until the destination has taken it, for about three days. The same send is queued once only."""
    dependencies.destinations.find(form.destination)
    version = await dependencies.repository.newest_version(caller, study_id, form.version)
    if form.key_slices:
        result = await dependencies.repository.result(caller, study_id, version)
        require_slices(result, form.key_slices)
    return await dependencies.sends.request(caller, study_id, version, form)


@router.get("/{study_id}/sends", summary="List sends of a study")
async def list_study_sends(study_id: StudyId, page: PageDep, caller: CallerDep, dependencies: Dependencies) -> SendList:
    """Newest first: to which destinations its results were sent or are to be sent."""
    await dependencies.repository.peek(caller, study_id)
    found, following = await dependencies.sends.page(page, study_id=study_id)
    return SendList(items=found, next=following)
