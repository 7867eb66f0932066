"""A power cut at any moment: nothing that was acknowledged is lost, and nothing is there in part."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.support.power_cut import Disk, recorded, write_state

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="there is no strace: see .ci/install-debian")

_OBJECTS = """
import asyncio, os, sys
from hepar.storage.objects import open_objects
async def pieces():
    for number in range(3):
        yield bytes([number]) * 5000
async def main():
    async with open_objects(sys.argv[1]) as objects:
        for number in range(3):
            assert await objects.put(f"studies/a/v1/{number}", bytes([number]) * 9000)
            os.write(1, f"studies/a/v1/{number}\\n".encode())
        await objects.write("uploads/b/0", pieces(), 10**6)
        os.write(1, b"uploads/b/0\\n")
asyncio.run(main())
"""
_DATABASE = """
import asyncio, os, sys
from pathlib import Path
from sqlalchemy import text
from hepar.storage.database import open_database
async def main():
    async with open_database(f"sqlite+aiosqlite:///{sys.argv[1]}/studies.sqlite3", Path(), "studies") as database:
        async with database.writing() as session:
            await session.execute(text("PRAGMA wal_autocheckpoint=4"))
            await session.execute(text("CREATE TABLE studies (number INTEGER PRIMARY KEY, filling BLOB)"))
        os.write(1, b"0\\n")
        for number in range(1, 5):
            async with database.writing() as session:
                await session.execute(text(f"INSERT INTO studies VALUES ({number}, randomblob(3000))"))
                await session.execute(text(f"UPDATE studies SET filling = randomblob(2000) WHERE number < {number}"))
            os.write(1, f"{number}\\n".encode())
asyncio.run(main())
"""


def test_objects_after_a_power_cut_at_any_moment(tmp_path: Path) -> None:
    source, disk = tmp_path / "objects", Disk()
    contents = {f"studies/a/v1/{number}": bytes([number]) * 9000 for number in range(3)}
    contents["uploads/b/0"] = b"".join(bytes([number]) * 5000 for number in range(3))
    calls = recorded(_OBJECTS, source)
    for number, call in enumerate(calls):
        disk.apply(call)
        for state in disk.states(number):
            objects = {name.removeprefix(f"{source}/"): content for name, content in state.items() if "#" not in name}
            assert all(contents[key] == content for key, content in objects.items())
            assert objects.keys() >= set(disk.acknowledged)
    assert disk.acknowledged == list(contents)


def test_the_database_after_a_power_cut_at_any_moment(tmp_path: Path) -> None:
    source, disk, seen = tmp_path / "database", Disk(), set[tuple[int, ...]]()
    checked = set[int]()
    calls = recorded(_DATABASE, source)
    for number, call in enumerate(calls):
        disk.apply(call)
        for state in disk.states(number):
            key = hash((frozenset(state.items()), len(disk.acknowledged)))
            if key in checked:
                continue
            checked.add(key)
            folder = tmp_path / "after"
            folder.mkdir()
            write_state(state, folder, source)
            seen.add(rows := _rows(folder / "studies.sqlite3", must_exist=bool(disk.acknowledged)))
            assert rows == tuple(range(1, len(rows) + 1))
            assert len(rows) >= max(map(int, disk.acknowledged), default=0)
            shutil.rmtree(folder)
    assert disk.acknowledged == [str(number) for number in range(5)]
    assert len(seen) == 5


def _rows(file: Path, *, must_exist: bool) -> tuple[int, ...]:
    connection = sqlite3.connect(file)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        tables = connection.execute("SELECT name FROM sqlite_master WHERE name = 'studies'").fetchall()
        assert tables or not must_exist
        return tuple(row[0] for row in connection.execute("SELECT number FROM studies ORDER BY 1")) if tables else ()
    finally:
        connection.close()
