"""Object storage in a folder: created once, durable before visible, within limits, gone as a whole."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from hepar.core.errors import InsufficientStorage, NotFound, TooLarge
from hepar.storage.objects import ObjectStore, open_objects

Work = Callable[[ObjectStore], Awaitable[None]]


def with_objects(folder: Path, work: Work) -> None:
    async def scenario() -> None:
        async with open_objects(str(folder)) as objects:
            await work(objects)

    asyncio.run(scenario())


async def pieces(*contents: bytes) -> AsyncIterator[bytes]:
    for content in contents:
        yield content


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_an_object_is_created_once_and_never_changed(tmp_path: Path) -> None:
    async def work(objects: ObjectStore) -> None:
        assert await objects.put("studies/a/v1/x", b"first")
        assert not await objects.put("studies/a/v1/x", b"second")
        assert await objects.read("studies/a/v1/x") == b"first"
        assert await objects.read_range("studies/a/v1/x", 1, 3) == b"irs"
        assert b"".join([piece async for piece in objects.stream("studies/a/v1/x")]) == b"first"
        with pytest.raises(NotFound):
            await objects.read("studies/a/v1/y")

    with_objects(tmp_path, work)
    assert files(tmp_path) == ["studies/a/v1/x"]
    assert (tmp_path / "studies/a/v1/x").stat().st_mode & 0o777 == 0o600


def test_a_stream_over_the_limit_or_one_that_breaks_leaves_nothing(tmp_path: Path) -> None:
    async def work(objects: ObjectStore) -> None:
        assert await objects.write("uploads/a/0", pieces(b"12345", b"67890"), 10) == 10
        with pytest.raises(TooLarge):
            await objects.write("uploads/b/0", pieces(b"12345", b"678901"), 10)

        async def broken() -> AsyncIterator[bytes]:
            yield b"1"
            raise RuntimeError("the client is gone")

        with pytest.raises(RuntimeError):
            await objects.write("uploads/c/0", broken(), 10)

    with_objects(tmp_path, work)
    assert files(tmp_path) == ["uploads/a/0"]


@pytest.mark.parametrize("key", ["../x", "/etc/passwd", "a//b", "a/../b", "A/b", "a b", "", ".hidden/x", "a/#draft"])
def test_only_keys_of_ours_are_accepted(tmp_path: Path, key: str) -> None:
    async def work(objects: ObjectStore) -> None:
        with pytest.raises(ValueError, match="not a key of ours"):
            await objects.put(key, b"x")

    with_objects(tmp_path, work)


def test_a_prefix_is_deleted_as_a_whole_and_nothing_else(tmp_path: Path) -> None:
    async def work(objects: ObjectStore) -> None:
        for key in ("studies/a/v1/x", "studies/a/v2/y", "studies/ab/v1/x"):
            await objects.put(key, b"x")
        (tmp_path / "studies/a/v1/z#17").write_bytes(b"of a process that died")
        assert await objects.groups("studies") == ["a", "ab"]
        assert await objects.delete_prefix("studies/a") == 2
        assert await objects.groups("studies") == ["ab"]
        assert await objects.delete_prefix("studies/a") == 0
        await objects.delete("studies/ab/v1/x")
        await objects.delete("studies/ab/v1/x")
        assert await objects.keys("studies") == []

    with_objects(tmp_path, work)
    assert files(tmp_path) == []


def test_content_is_synchronised_before_its_name_exists_and_the_name_before_the_answer(tmp_path: Path) -> None:
    """In the order of a power cut: nothing that was answered is lost, and no name has less than its whole content."""
    events: list[str] = []
    original_fsync, original_link = os.fsync, os.link

    def fsync(descriptor: int) -> None:
        target = Path(f"/proc/self/fd/{descriptor}").readlink()
        events.append("sync file" if "#" in target.name else f"sync {target.name}")
        original_fsync(descriptor)

    def link(source: Path, target: Path) -> None:
        events.append("link")
        original_link(source, target)

    async def work(objects: ObjectStore) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("os.fsync", fsync)
            patch.setattr("os.link", link)
            await objects.put("studies/a/x", b"1")

    with_objects(tmp_path, work)
    assert events == [f"sync {tmp_path.name}", "sync studies", "sync file", "link", "sync a"]


def test_a_full_disk_is_named_leaves_nothing_and_recovers(tmp_path: Path) -> None:
    """The limit on the size of files gives EFBIG where a full disk gives ENOSPC; tests/containers has no small disk."""

    async def work(objects: ObjectStore) -> None:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        try:
            with pytest.raises(InsufficientStorage):
                await objects.put("studies/a/x", b"1" * 2000)
            with pytest.raises(InsufficientStorage):
                await objects.write("uploads/a/0", pieces(b"1" * 800, b"1" * 800), 10_000)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, handler)
        assert await objects.put("studies/a/x", b"1" * 2000)

    with_objects(tmp_path, work)
    assert files(tmp_path) == ["studies/a/x"]


def test_a_process_killed_while_it_writes_leaves_no_object(tmp_path: Path) -> None:
    code = """
import asyncio, os, signal, sys
from hepar.storage.objects import open_objects
async def pieces():
    yield b"1" * 100_000
    os.kill(os.getpid(), signal.SIGKILL)
async def main():
    async with open_objects(sys.argv[1]) as objects:
        await objects.write("uploads/a/0", pieces(), 10**6)
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL

    async def work(objects: ObjectStore) -> None:
        assert await objects.keys("uploads") == []
        assert await objects.write("uploads/a/0", pieces(b"whole"), 10) == 5
        assert await objects.read("uploads/a/0") == b"whole"

    with_objects(tmp_path, work)
