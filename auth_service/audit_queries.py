"""Reading the audit log: pages, filters, and the export as a table."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import or_, select

from auth_service.dependencies import AuthDependencies, Caller
from auth_service.tables import StoredAuditEntry
from hepar.core.errors import InvalidField, InvalidRequest

EXPORT_ENTRIES_MAX = 50_000
COLUMNS = ("number", "at", "event", "actor", "subject", "origin", "details", "hash")


@dataclass(frozen=True)
class AuditFilter:
    """account: that acted or was affected.  at_from, at_to: at_from <= time < at_to.  newest_first: else oldest."""

    events: tuple[str, ...] = ()
    account: str | None = None
    at_from: datetime | None = None
    at_to: datetime | None = None
    newest_first: bool = False


async def audit_entries(
    dependencies: AuthDependencies, limit: int, after: int, wanted: AuditFilter
) -> list[StoredAuditEntry]:
    """Those that follow entry number `after` in the chosen order; 0: from the beginning."""
    number = StoredAuditEntry.number
    query = select(StoredAuditEntry)
    if after:
        query = query.where(number < after if wanted.newest_first else number > after)
    if wanted.events:
        query = query.where(StoredAuditEntry.event.in_(wanted.events))
    if wanted.account is not None:
        query = query.where(or_(StoredAuditEntry.actor == wanted.account, StoredAuditEntry.subject == wanted.account))
    if wanted.at_from is not None:
        query = query.where(StoredAuditEntry.at >= wanted.at_from)
    if wanted.at_to is not None:
        query = query.where(StoredAuditEntry.at < wanted.at_to)
    async with dependencies.database.reading() as session:
        ordered = query.order_by(number.desc() if wanted.newest_first else number)
        return list((await session.scalars(ordered.limit(limit))).all())


async def export_audit(dependencies: AuthDependencies, caller: Caller, wanted: AuditFilter) -> bytes:
    """CSV. The export is an entry itself, which it does not contain.

    Raises InvalidRequest for more than EXPORT_ENTRIES_MAX.
    """
    found = await audit_entries(dependencies, EXPORT_ENTRIES_MAX + 1, 0, wanted)
    if len(found) > EXPORT_ENTRIES_MAX:
        message = f"at most {EXPORT_ENTRIES_MAX} entries are exported at once: choose a shorter period"
        raise InvalidRequest(message, InvalidField("query", "/at_from", "too_many_entries", message))
    async with dependencies.audited_transaction() as session:
        await dependencies.audit.append(session, "audit_exported", caller.actor, entries=str(len(found)))
    return await asyncio.to_thread(_csv, found)


def _csv(entries: Sequence[StoredAuditEntry]) -> bytes:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for entry in entries:
        details = json.dumps(entry.details, sort_keys=True, ensure_ascii=False)
        writer.writerow(
            [
                entry.number, entry.at.astimezone(UTC).isoformat(), entry.event, entry.actor, entry.subject,
                entry.origin, details, entry.hash,
            ]
        )  # fmt: skip
    return buffer.getvalue().encode()
