"""The progress of a study as server-sent events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from sse_starlette import EventSourceResponse, ServerSentEvent

from hepar.contracts.base import example_of
from hepar.contracts.studies import STUDIES_PATH, Study
from hepar.contracts.study_events import StudyEnd
from hepar.core.errors import HeparError
from hepar.web.events import MEDIA_TYPE, PING_S
from hepar.web.guard import is_head
from hepar.web.openapi import problems
from study_service.api.dependencies import PRINCIPAL, CallerDep, Dependencies, PrincipalDep, StudyId
from study_service.documents import Caller
from study_service.repository import StudyRepository

router = APIRouter(prefix=STUDIES_PATH, tags=["studies"], dependencies=[PRINCIPAL], responses=problems("unavailable"))

_POLL_S = 0.5
_RETRY_MS = 1000
_STREAM_S = 900.0
_ENDED = ("finished", "failed", "cancelled")
_EXAMPLE = (
    f"event: study\nid: 1-1795340000000000\ndata: {Study.model_validate(example_of(Study)).model_dump_json()}\n\n"
    f"event: end\ndata: {StudyEnd.model_validate(example_of(StudyEnd)).model_dump_json()}\n\n"
)
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            MEDIA_TYPE: {
                "schema": {
                    "type": "string",
                    "description": "events `study`, each with a JSON document (Study), then one `end` (StudyEnd)",
                    "x-event-item": {"$ref": "#/components/schemas/Study"},
                    "x-event-end": StudyEnd.model_json_schema(),
                },
                "example": _EXAMPLE,
            }
        }
    }
}


@router.get(
    "/{study_id}/events",
    summary="Follow the progress of a study",
    response_class=Response,
    responses=problems("no-such-study") | _STREAM,
)
async def follow_study(
    request: Request,
    study_id: StudyId,
    principal: PrincipalDep,
    caller: CallerDep,
    dependencies: Dependencies,
    last_event_id: Annotated[
        str | None,
        Header(
            alias="Last-Event-ID",
            max_length=64,
            description="`id` of the last event that was received, after an interruption",
        ),
    ] = None,
) -> Response:
    """An event `study` at once, unless `Last-Event-ID` is still the newest, and at every step of the analysis; after
    the last an event `end`. The stream ends without it after fifteen minutes, or when the access token expires: connect
    again with `Last-Event-ID`.
    """
    await dependencies.repository.read(caller, study_id)
    if is_head(request.scope):
        return Response(media_type=MEDIA_TYPE)
    ends_at = min(time.time() + _STREAM_S, principal.expires_at)
    events = _events(request, dependencies.repository, caller, study_id, last_event_id, ends_at)
    return EventSourceResponse(events, ping=PING_S, sep="\n")


async def _events(
    request: Request, repository: StudyRepository, caller: Caller, study_id: str, last: str | None, ends_at: float
) -> AsyncIterator[ServerSentEvent]:
    """ends_at: seconds since 1970."""
    while time.time() < ends_at and not request.app.state.draining:
        try:
            study = await repository.peek(caller, study_id)
        except HeparError:  # it was deleted, or the database is away: whoever connects again gets to know
            return
        event_id = f"{study.version}-{int(study.updated_at.timestamp() * 1e6)}"
        if event_id != last:
            last = event_id
            yield ServerSentEvent(study.model_dump_json(), event="study", id=event_id, retry=_RETRY_MS, sep="\n")
        if study.status in _ENDED:
            end = StudyEnd(status=study.status, version=study.version)
            yield ServerSentEvent(end.model_dump_json(), event="end", sep="\n")
            return
        await asyncio.sleep(_POLL_S)
