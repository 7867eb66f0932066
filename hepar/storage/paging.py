"""Lists in pages, by a cursor that stays valid while rows are added and removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Select, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from hepar.core.errors import InvalidField, InvalidRequest
from hepar.storage.tables import PagedRow

Row = TypeVar("Row", bound=PagedRow)


@dataclass(frozen=True)
class PageRequest:
    """after: `next` of the previous page."""

    limit: int
    after: str | None = None


async def paged(
    session: AsyncSession,
    table: type[Row],
    page: PageRequest,
    query: Select[Row] | None = None,
    *,
    newest_first: bool = False,
) -> tuple[list[Row], str | None]:
    """Rows by time of creation, and the cursor of the next page. Raises InvalidRequest for an unknown cursor."""
    wanted: Select[Row] = select(table) if query is None else query
    if page.after is not None:
        last = await session.get(table, page.after)
        if last is None:
            raise unknown_cursor()
        position, cursor = tuple_(table.created_at, table.id), tuple_(last.created_at, last.id)
        wanted = wanted.where(position < cursor if newest_first else position > cursor)
    order = (table.created_at.desc(), table.id.desc()) if newest_first else (table.created_at, table.id)
    rows = list((await session.scalars(wanted.order_by(*order).limit(page.limit + 1))).all())
    following = rows[page.limit - 1].id if len(rows) > page.limit else None
    return rows[: page.limit], following


def unknown_cursor() -> InvalidRequest:
    """For `after` that names no row."""
    message = "there is no such row; start with the first page"
    return InvalidRequest(f"after: {message}", InvalidField("query", "/after", "unknown_cursor", message))
