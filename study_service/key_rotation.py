"""Replacing the key of the encryption at rest: data keys are encrypted again, the content itself is not touched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from sqlalchemy import select

from hepar.storage.database import Database
from hepar.storage.encryption import KeyRing
from study_service.tables import StoredStudy, StoredUpload
from study_service.webhooks.tables import StoredWebhook

_BATCH = 100
_Table = StoredStudy | StoredUpload | StoredWebhook


async def rotate_keys(database: Database, keys: KeyRing) -> int:
    """Encrypts with the current key what an older one encrypted; returns how many data keys that were.

    Services that run meanwhile need a file with both keys. Raises Unavailable, Undecipherable.
    """
    return sum([await _rotate_table(database, keys, table) for table in (StoredStudy, StoredUpload, StoredWebhook)])


async def _rotate_table(database: Database, keys: KeyRing, table: type[_Table]) -> int:
    after, changed = "", 0
    while True:
        async with database.writing() as session:
            wanted = select(table).where(table.id > after).order_by(table.id).limit(_BATCH).with_for_update()
            rows = cast("Sequence[_Table]", (await session.scalars(wanted)).all())
            for row in rows:
                if not keys.is_current(row.data_key):
                    row.data_key = keys.rewrapped(row.data_key)
                    changed += 1
        if len(rows) < _BATCH:
            return changed
        after = rows[-1].id
