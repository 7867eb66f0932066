"""Durable jobs on real databases: processes that die, are interrupted, or have a step that fails."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from hepar.storage.jobs import job_engine


class Processes:
    """Processes that run jobs, one after the other, and what they did."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self._log = folder / "steps"
        self._count = 0

    def run(self, job_id: str, fault: str = "none") -> str:
        """How the job ended; empty where the process was killed."""
        self._count += 1
        command = [sys.executable, "-m", "tests.support.durable_job", self._url, f"w{self._count}", job_id]
        done = subprocess.run([*command, str(self._log), fault], capture_output=True, text=True, check=False)
        return done.stdout.strip()

    def steps(self) -> list[str]:
        return self._log.read_text().splitlines()


@pytest.fixture
def processes(database_url: str, tmp_path: Path) -> Processes:
    return Processes(database_url, tmp_path)


def test_another_process_continues_after_the_last_recorded_step(processes: Processes) -> None:
    assert processes.run("job", "kill") == ""
    assert processes.run("job") == "finished"
    assert processes.run("job") == "finished"
    assert processes.steps() == ["w1 0", "w1 1", "w1 2", "w1 3", "w2 3", "w2 4", "w2 5"]


def test_an_interrupted_job_leaves_no_failure_behind(processes: Processes) -> None:
    assert processes.run("job", "interrupt") == "interrupted"
    assert processes.run("job") == "finished"
    assert processes.steps() == ["w1 0", "w1 1", "w1 2", "w2 2", "w2 3", "w2 4", "w2 5"]


def test_a_failed_job_needs_a_new_id_to_be_tried_again(processes: Processes) -> None:
    assert processes.run("job", "fail") == "ValueError"
    assert processes.run("job") == "JobFailedBefore"
    assert processes.run("job.1") == "finished"
    assert processes.steps() == ["w1 0", "w1 1", "w1 2", *(f"w3 {number}" for number in range(6))]


def test_records_are_json_and_sqlite_is_as_durable_as_the_services_own(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'studies.sqlite3'}"
    assert Processes(url, tmp_path).run("job") == "finished"
    file = tmp_path / "studies.jobs.sqlite3"
    assert file.stat().st_mode & 0o777 == 0o600
    with sqlite3.connect(file) as connection:
        outputs = [row[0] for row in connection.execute("SELECT output FROM operation_outputs ORDER BY function_id")]
    assert outputs == [f'{{"number":{number}}}' for number in range(6)]
    engine = job_engine(url)
    with engine.connect() as opened:
        assert opened.execute(sa.text("PRAGMA journal_mode")).scalar() == "wal"
        assert opened.execute(sa.text("PRAGMA synchronous")).scalar() == 2
    engine.dispose()
