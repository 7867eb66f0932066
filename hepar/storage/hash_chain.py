"""Append-only logs whose entries are chained by an HMAC: a change, an insertion or a gap is found."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped

from hepar.storage.database import Database

START = "0" * 64
"""`previous_hash` of the first entry."""
_BATCH = 500


class ChainedRow:
    """A mixin. hash: HMAC over the entry and the hash of the previous one."""

    previous_hash: Mapped[str]
    hash: Mapped[str]


class ChainHead:
    """A mixin: one row, which every writer locks. number, hash: of the last entry."""

    number: Mapped[int]
    hash: Mapped[str]


class BrokenChain(Exception):
    """The message names the first entry that does not follow from the previous one."""


def parsed_anchor(text: str | None) -> tuple[int, str] | None:
    """NUMBER:HASH, as the service log has it. Raises BrokenChain for anything else."""
    if text is None:
        return None
    number, _, digest = text.partition(":")
    if not number.isdigit() or not digest:
        raise BrokenChain(f"{text!r} is not NUMBER:HASH")
    return int(number), digest


Entry = TypeVar("Entry", bound=ChainedRow)


@dataclass(frozen=True)
class HashChain(Generic[Entry]):
    """entries, head: the tables.  fields: the columns that the hash covers.  digest: a keyed hash, in hexadecimal.

    place: the column that numbers the entries of the chain, from 1 without gaps.
    """

    entries: type[Entry]
    head: type[ChainHead]
    fields: tuple[str, ...]
    digest: Callable[[str], str]
    place: str = "number"

    async def lock(self, session: AsyncSession) -> ChainHead:
        """Serialises writers: a second one waits for the commit of the first."""
        return (await session.scalars(select(self.head).with_for_update())).one()

    async def append(self, session: AsyncSession, entry: Entry) -> None:
        """Adds a new entry at the end, in the caller's transaction."""
        self.link(await self.lock(session), entry)
        session.add(entry)
        await session.flush()

    def link(self, head: ChainHead, entry: Entry) -> None:
        """Makes it the last entry. head: locked."""
        setattr(entry, self.place, head.number + 1)
        entry.previous_hash = head.hash
        entry.hash = self._hash(entry)
        head.number, head.hash = head.number + 1, entry.hash

    async def verify(self, database: Database, anchor: tuple[int, str] | None = None) -> tuple[int, str]:
        """Reads the whole chain; returns the number and hash of its last entry.

        anchor: a number and its hash as logged. Raises BrokenChain naming the first broken entry.
        """
        expected, previous = 1, START
        place = getattr(self.entries, self.place)
        async with database.reading() as session:
            head = (await session.scalars(select(self.head))).one()
            while True:
                of_batch = select(self.entries).where(place >= expected)
                entries = (await session.scalars(of_batch.order_by(place).limit(_BATCH))).all()
                for entry in entries:
                    self._require_next(entry, expected, previous, anchor)
                    expected, previous = expected + 1, entry.hash
                if len(entries) < _BATCH:
                    break
        if (head.number, head.hash) != (expected - 1, previous):
            raise BrokenChain(f"the head names entry {head.number}, but the chain ends with {expected - 1}")
        if anchor is not None and anchor[0] >= expected:
            raise BrokenChain(f"entry {anchor[0]} is missing: the chain ends with {expected - 1}")
        return expected - 1, previous

    def _require_next(self, entry: Entry, expected: int, previous: str, anchor: tuple[int, str] | None) -> None:
        number = getattr(entry, self.place)
        if number != expected:
            raise BrokenChain(f"entry {expected} is missing")
        if entry.previous_hash != previous or not hmac.compare_digest(entry.hash, self._hash(entry)):
            raise BrokenChain(f"entry {number} was changed")
        if anchor is not None and anchor[0] == number and anchor[1] != entry.hash:
            raise BrokenChain(f"entry {number} is not the one that was logged")

    def _hash(self, entry: Entry) -> str:
        values = [_plain(getattr(entry, name)) for name in (self.place, *self.fields, "previous_hash")]
        return self.digest(json.dumps(values, sort_keys=True, separators=(",", ":")))


def _plain(value: object) -> object:
    return value.astimezone(UTC).isoformat(timespec="microseconds") if isinstance(value, datetime) else value
