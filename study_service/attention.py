"""Which studies somebody should look at first."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Select, and_, case, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from hepar.ensemble.voting import NO_TUMOUR
from hepar.storage.paging import PageRequest, unknown_cursor
from study_service.tables import StoredStudy

_UNDECIDED = ("indeterminate", "type_undecided")


def attention_rank() -> ColumnElement[int]:
    """3: failed.  2: undecided, or classifiers and detectors contradict each other.  1: a tumour.  0: all others."""
    outcome = StoredStudy.summary["outcome"].as_string()
    lesions = StoredStudy.summary["lesions"].as_integer()
    has_tumour = and_(StoredStudy.label.is_not(None), StoredStudy.label != NO_TUMOUR)
    contradictory = or_(and_(StoredStudy.label == NO_TUMOUR, lesions > 0), and_(has_tumour, lesions == 0))
    finished = StoredStudy.status == "finished"
    return case(
        (StoredStudy.status == "failed", 3),
        (and_(finished, or_(outcome.in_(_UNDECIDED), contradictory)), 2),
        (and_(finished, has_tumour), 1),
        else_=0,
    )


async def attention_page(
    session: AsyncSession, wanted: Select[StoredStudy], page: PageRequest
) -> tuple[list[StoredStudy], str | None]:
    """By rank, within a rank the newest first, and the cursor of the next page.

    Raises InvalidRequest for an unknown cursor.
    """
    rank, position = attention_rank(), tuple_(StoredStudy.created_at, StoredStudy.id)
    if page.after is not None:
        found = (await session.execute(select(StoredStudy, rank).where(StoredStudy.id == page.after))).one_or_none()
        if found is None:
            raise unknown_cursor()
        last, last_rank = found
        later = and_(rank == last_rank, position < tuple_(last.created_at, last.id))
        wanted = wanted.where(or_(rank < last_rank, later))
    ordered = wanted.order_by(rank.desc(), StoredStudy.created_at.desc(), StoredStudy.id.desc())
    rows = list((await session.scalars(ordered.limit(page.limit + 1))).all())
    return rows[: page.limit], rows[page.limit - 1].id if len(rows) > page.limit else None
