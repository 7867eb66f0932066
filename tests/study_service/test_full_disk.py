"""A disk that is really full: a small file system in memory for objects, uploads, and the database."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.study_api import StudyApi, ct_files, parts, study_api
from tests.support.tokens import TokenAuthority

SIZE_BYTES = 4 * 1024 * 1024


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("small")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE_BYTES}", "none", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"mounting needs root and CAP_SYS_ADMIN: {mounted.stderr.decode()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def filler(small_disk: Path) -> Iterator[Path]:
    yield small_disk / "filler"
    (small_disk / "filler").unlink(missing_ok=True)


def fill(file: Path, free_bytes: int) -> None:
    """Leaves about `free_bytes` of the file system."""
    facts = os.statvfs(file.parent)
    file.write_bytes(bytes(max(facts.f_bavail * facts.f_frsize - free_bytes, 0)))


def is_full(api: StudyApi, files: list[bytes]) -> bool:
    """Whether the upload is refused, says why, and leaves nothing."""
    before = api.stored_files()
    answer = api.call("POST", "/v1/studies", files=parts(files))
    if answer.status_code == 202:
        return False
    assert (answer.status_code, answer.json()["type"]) == (507, "/problems/insufficient-storage")
    assert answer.headers["retry-after"] == "60"
    assert api.stored_files() == before
    return True


@pytest.mark.parametrize("free_bytes", [0, 400_000, 1_000_000])
def test_a_full_disk_of_objects_and_uploads(
    authority: TokenAuthority, tmp_path: Path, small_disk: Path, filler: Path, free_bytes: int
) -> None:
    """It becomes full while the upload arrives, while it is checked, or while it is stored encrypted."""
    own = {"objects_url": str(small_disk / "objects"), "spool_folder": small_disk / "spool"}
    with study_api(tmp_path, authority, **own) as api:
        files = ct_files(6, size=256)
        fill(filler, free_bytes)
        assert is_full(api, files)
        filler.unlink()
        assert not is_full(api, files)


def test_a_full_disk_of_the_database(authority: TokenAuthority, tmp_path: Path, small_disk: Path, filler: Path) -> None:
    url = f"sqlite+aiosqlite:///{small_disk / 'studies.sqlite3'}"
    with study_api(tmp_path, authority, database_url=url) as api:
        fill(filler, 0)
        files = ct_files(6)
        answers = [is_full(api, files) for _ in range(2)]
        assert answers == [True, True]
        filler.unlink()
        assert not is_full(api, files)
