"""The audit log: for administrators."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response

from auth_service.api.dependencies import AFTER, AuditorDep, Dependencies, LimitDep
from auth_service.audit import Event as AuditEvent
from auth_service.audit_queries import AuditFilter, audit_entries, export_audit
from hepar.contracts.accounts import AuditEntry, Page
from hepar.web.moments import Moment
from hepar.web.openapi import problems

router = APIRouter(prefix="/v1", tags=["administration"], responses=problems("unavailable"))

_CSV: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}, "example": "number,at,event,..."}}}
}


def _audit_filter(
    event: Annotated[list[AuditEvent] | None, Query(max_length=40, description="only entries of these events")] = None,
    account: Annotated[
        str | None,
        Query(pattern="^[0-9a-z-]{1,40}$", description="only entries whose `actor` or `subject` has this id"),
    ] = None,
    at_from: Annotated[Moment | None, Query(description="only entries from this time on")] = None,
    at_to: Annotated[Moment | None, Query(description="only entries before this time")] = None,
    order: Annotated[Literal["oldest", "newest"], Query(description="which entries come first")] = "oldest",
) -> AuditFilter:
    return AuditFilter(tuple(event or ()), account, at_from, at_to, newest_first=order == "newest")


FilterDep = Annotated[AuditFilter, Depends(_audit_filter)]


@router.get("/audit", summary="Read the audit log")
async def list_audit(
    _caller: AuditorDep,
    dependencies: Dependencies,
    wanted: FilterDep,
    limit: LimitDep = 50,
    after: Annotated[int, Query(ge=0, le=2**31 - 1, description=AFTER)] = 0,
) -> Page[AuditEntry]:
    """Oldest first, unless `order` is `newest`. Each entry carries the hash of the entry before it;
    `python -m auth_service verify-audit` checks the whole chain.
    """
    entries = await audit_entries(dependencies, limit + 1, after, wanted)
    items = [
        AuditEntry(
            number=entry.number,
            at=entry.at,
            event=entry.event,
            actor=entry.actor,
            subject=entry.subject,
            origin=entry.origin,
            details=entry.details,
            hash=entry.hash,
        )
        for entry in entries[:limit]
    ]
    return Page[AuditEntry](items=items, next=str(entries[limit - 1].number) if len(entries) > limit else None)


@router.get(
    "/audit.csv",
    summary="Export the audit log",
    response_class=Response,
    responses=_CSV,
)
async def export_audit_log(caller: AuditorDep, dependencies: Dependencies, wanted: FilterDep) -> Response:
    """As a table in UTF-8, with the filters of the list. At most 50,000 entries; the export is recorded."""
    return Response(await export_audit(dependencies, caller, wanted), media_type="text/csv")
