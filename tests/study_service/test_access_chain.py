"""The chain of the access log: what was changed, added or removed is found."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text

from hepar.storage.hash_chain import BrokenChain
from study_service.access_chain import AccessChain
from tests.support.study_rows import ANN, new_study, open_studies, repository_of, uploads_of


def test_a_changed_added_or_missing_entry_is_found(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_studies(database_url, tmp_path) as (database, keys):
            chain, repository, uploads = (
                AccessChain(database, keys),
                repository_of(database, keys),
                uploads_of(database, keys),
            )
            study = (await uploads.receive(ANN, new_study(uploads, {"1"}))).study
            await repository.read(ANN, study.id)
            assert (await chain.verify())[0::2] == (0, 2)
            sealed = await asyncio.gather(chain.seal(), chain.seal())
            assert sum(sealed) == 2
            await repository.delete(ANN, study.id)
            assert await chain.seal() == 1
            number, digest, open_entries = await chain.verify()
            assert (number, open_entries) == (3, 0)

            async def broken(change: str, undo: str, message: str, anchor: tuple[int, str] | None = None) -> None:
                async with database.writing() as session:
                    await session.execute(text(change))
                with pytest.raises(BrokenChain, match=message):
                    await chain.verify(anchor)
                async with database.writing() as session:
                    await session.execute(text(undo))

            actor = "UPDATE study_accesses SET actor = '{}' WHERE position = 2"
            await broken(actor.format("eve"), actor.format("ann"), "entry 2 was changed")
            at = "UPDATE study_accesses SET event = '{}' WHERE position = 2"
            await broken(at.format("listed"), at.format("read"), "entry 2 was changed")
            move = "UPDATE study_accesses SET position = {} WHERE position = {}"
            await broken(move.format(9, 2), move.format(2, 9), "entry 2 is missing")
            await broken(
                move.format("NULL", 3), "UPDATE study_accesses SET position = 3 WHERE position IS NULL", "the head"
            )
            assert await chain.verify((3, digest)) == (3, digest, 0)
            with pytest.raises(BrokenChain, match="not the one that was logged"):
                await chain.verify((3, "0" * 64))

    asyncio.run(scenario())
