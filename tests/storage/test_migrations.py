"""Alembic is imported only where a database is to be migrated: it would stay in memory as long as the process runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from auth_service.migrations import MIGRATIONS as AUTH
from gateway.migrations import MIGRATIONS as GATEWAY
from gateway.migrations import VERSION_TABLE
from hepar.storage.database import newest_revision
from study_service.migrations import MIGRATIONS as STUDIES

_PROGRAM = """
import asyncio, sys
from pathlib import Path
from hepar.storage.database import open_database

async def migrate(revisions):
    async with open_database(sys.argv[1], Path(sys.argv[2]), "a test", sys.argv[3]) as database:
        for revision in revisions:
            await database.migrate(revision)

asyncio.run(migrate(sys.argv[4:]))
print("alembic" in sys.modules)
"""


@pytest.mark.parametrize("migrations", [AUTH, GATEWAY, STUDIES])
def test_the_newest_revision_is_alembics_head(migrations: Path) -> None:
    configuration = Config()
    configuration.set_main_option("script_location", str(migrations))
    assert newest_revision(migrations) == ScriptDirectory.from_config(configuration).get_current_head()


def test_a_database_at_the_newest_revision_needs_no_alembic(database_url: str) -> None:
    def imported(*revisions: str) -> bool:
        command = [sys.executable, "-c", _PROGRAM, database_url, str(GATEWAY), VERSION_TABLE, *revisions]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        return done.stdout.strip() == "True"

    assert imported("0001", "head"), "a new database, and then an older one"
    assert not imported("head")
