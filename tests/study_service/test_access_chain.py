"""The chain of the access log: what was changed, added or removed is found."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import pytest
from sqlalchemy import LargeBinary, bindparam, select, text

from hepar.storage.database import open_database
from hepar.storage.encryption import load_key_ring
from hepar.storage.hash_chain import BrokenChain
from hepar.storage.tables import UtcDateTime
from study_service.access_chain import AccessChain
from study_service.command_line import run_command
from study_service.migrations import MIGRATIONS
from study_service.tables import StoredAccess
from tests.support.gateway_client import NOWHERE
from tests.support.study_api import study_settings
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


def test_the_command_verifies_the_chain(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = study_settings(tmp_path, NOWHERE)

    async def sealed() -> None:
        async with open_studies(settings.database_url, tmp_path) as (database, _):
            keys = load_key_ring(settings.key_file)
            await uploads_of(database, keys).receive(ANN, new_study(uploads_of(database, keys), {"1"}))
            await AccessChain(database, keys).seal()

    asyncio.run(sealed())
    assert run_command(lambda: settings, ["verify-accesses"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("1 entries, chain intact; the last one is 1:")
    assert printed.endswith("; 0 are not sealed yet\n")
    assert run_command(lambda: settings, ["verify-accesses", "--anchor", f"1:{'0' * 64}"]) == 1
    assert capsys.readouterr().err == "entry 1 is not the one that was logged\n"
    assert run_command(lambda: settings, ["verify-accesses", "--anchor", "x"]) == 1


STUDY = text(
    "INSERT INTO studies (id, owner, created_at, updated_at, due_at, status, priority, version, data_key, identifiers,"
    " study_key, patient_pseudonym, images, size_bytes, stage, slices_done, tries, outages, run)"
    " VALUES (:id, 'ann', :at, :at, :at, 'queued', 'normal', 1, :key, :key, 'k', 'P-7KQ2M9XA', 1, 1, 'queued', 0, 0,"
    " 0, 0)"
).bindparams(bindparam("at", type_=UtcDateTime()), bindparam("key", type_=LargeBinary()))
ACCESS = text(
    "INSERT INTO study_accesses (at, event, actor, study_id, details) VALUES (:at, :event, 'ann', :id, '{}')"
).bindparams(bindparam("at", type_=UtcDateTime()))


def test_an_older_log_gets_patients_and_a_chain(database_url: str, tmp_path: Path) -> None:
    before = import_module("study_service.migrations.versions.0005_fhir").down_revision
    at = datetime(2026, 11, 20, tzinfo=UTC)

    async def scenario() -> None:
        async with open_database(database_url, MIGRATIONS, "studies") as database:
            await database.migrate(before)
            async with database.writing() as session:
                await session.execute(STUDY, {"id": "s1", "at": at, "key": b"x"})
                for study_id, event in (("s1", "created"), ("gone", "deleted")):
                    await session.execute(ACCESS, {"id": study_id, "event": event, "at": at})
            await database.migrate()
            async with database.reading() as session:
                rows = (await session.scalars(select(StoredAccess).order_by(StoredAccess.number))).all()
            assert [(row.event, row.patient, row.at) for row in rows] == [
                ("created", "P-7KQ2M9XA", at),
                ("deleted", None, at),
            ]
            chain = AccessChain(database, load_key_ring(tmp_path / "keys"))
            assert await chain.seal() == 2
            assert (await chain.verify())[0::2] == (2, 0)

    asyncio.run(scenario())
