"""Corrections in the database. Rows are added, never changed; what a reader said is encrypted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from hepar.contracts.findings import AuthorRole, FindingMeasurement, SliceOutline
from hepar.storage.encryption import DataKey, KeyRing
from study_service.findings.state import Entry, EntryAction, with_undone
from study_service.tables import StoredCorrection, StoredStudy


class _Content(BaseModel):
    """What is encrypted of an entry."""

    model_config = ConfigDict(frozen=True)

    label: str | None
    outlines: tuple[SliceOutline, ...]
    comment: str | None
    measurement: FindingMeasurement | None


async def stored_entries(session: AsyncSession, keys: KeyRing, study: StoredStudy, version: int) -> list[Entry]:
    """Of one version of a result, oldest first, with those that were undone marked."""
    of_version = (StoredCorrection.study_id == study.id) & (StoredCorrection.version == version)
    wanted: Select[StoredCorrection] = select(StoredCorrection).where(of_version)
    rows = (await session.scalars(wanted.order_by(StoredCorrection.number))).all()
    return with_undone(read_entries(keys.data_key(study.data_key), rows)) if rows else []


async def corrected_versions(session: AsyncSession, study_id: str, before: int) -> list[int]:
    """Earlier versions with corrections, newest first."""
    of_study = (StoredCorrection.study_id == study_id) & (StoredCorrection.version < before)
    wanted = select(StoredCorrection.version).where(of_study).distinct().order_by(StoredCorrection.version.desc())
    return list((await session.scalars(wanted)).all())


def read_entries(key: DataKey, rows: Iterable[StoredCorrection]) -> list[Entry]:
    """Without marks."""
    return [_entry(row, _Content.model_validate_json(key.decrypt(row.document, _context(row)))) for row in rows]


def add_entry(session: AsyncSession, key: DataKey, study_id: str, version: int, entry: Entry) -> None:
    """In the caller's transaction, which holds the lock of the study."""
    row = StoredCorrection(
        study_id=study_id,
        version=version,
        number=entry.number,
        finding_id=entry.finding_id,
        action=entry.action,
        at=entry.at,
        author=entry.author,
        author_role=entry.author_role,
    )
    content = _Content(label=entry.label, outlines=entry.outlines, comment=entry.comment, measurement=entry.measurement)
    row.document = key.encrypt(content.model_dump_json().encode(), _context(row))
    session.add(row)


def _entry(row: StoredCorrection, content: _Content) -> Entry:
    return Entry(
        number=row.number,
        finding_id=row.finding_id,
        action=cast("EntryAction", row.action),
        at=row.at,
        author=row.author,
        author_role=cast("AuthorRole", row.author_role),
        label=content.label,
        outlines=content.outlines,
        comment=content.comment,
        measurement=content.measurement,
    )


def _context(row: StoredCorrection) -> str:
    """It binds the content to its row: neither can be moved to another finding, author or time."""
    parts = (row.study_id, row.version, row.number, row.finding_id, row.action, row.author, row.author_role)
    return f"correction {' '.join(map(str, parts))} {row.at.timestamp():.6f}"
