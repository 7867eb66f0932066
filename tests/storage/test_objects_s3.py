"""Object storage in S3, by the moto server: the same promises as in a folder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import httpx
import pytest
from moto.server import ThreadedMotoServer

from hepar.core.errors import NotFound, TooLarge, Unavailable
from hepar.storage.objects import ObjectStore, open_objects

BUCKET = "hepar"
PART_BYTES = 6 * 1024 * 1024
"""More than one part of an upload to S3."""


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The URL of an S3 with an empty bucket."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    httpx.put(f"{url}/{BUCKET}", trust_env=False, timeout=30).raise_for_status()
    yield url
    server.stop()


@pytest.fixture
def environment(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {"ENDPOINT": s3, "ALLOW_HTTP": "true", "REGION": "us-east-1"}
    for name, value in (variables | {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test"}).items():
        monkeypatch.setenv(f"AWS_{name}", value)


async def pieces(*contents: bytes) -> AsyncIterator[bytes]:
    for content in contents:
        yield content


def with_bucket(work: Callable[[ObjectStore], Awaitable[None]], bucket: str = BUCKET) -> None:
    async def scenario() -> None:
        async with open_objects(f"s3://{bucket}/hepar") as objects:
            await work(objects)

    asyncio.run(scenario())


@pytest.mark.usefixtures("environment")
def test_an_object_is_created_once_read_in_parts_and_deleted() -> None:
    async def work(objects: ObjectStore) -> None:
        assert await objects.is_reachable()
        assert await objects.put("studies/a/v1/x", b"first")
        assert not await objects.put("studies/a/v1/x", b"second")
        assert await objects.read("studies/a/v1/x") == b"first"
        assert await objects.read_range("studies/a/v1/x", 1, 3) == b"irs"
        assert await objects.put("studies/ab/v1/x", b"another study")
        assert await objects.keys("studies/a") == ["studies/a/v1/x"]
        assert sorted(await objects.groups("studies")) == ["a", "ab"]
        assert set(await objects.last_changes("studies")) == {"a", "ab"}
        assert await objects.delete_prefix("studies/a") == 1
        await objects.delete("studies/a/v1/x")
        with pytest.raises(NotFound):
            await objects.read("studies/a/v1/x")
        assert await objects.read("studies/ab/v1/x") == b"another study"

    with_bucket(work)


@pytest.mark.usefixtures("environment")
def test_a_large_stream_is_stored_in_parts_and_one_over_the_limit_not_at_all() -> None:
    async def work(objects: ObjectStore) -> None:
        content = [bytes([number]) * PART_BYTES for number in range(2)]
        assert await objects.write("uploads/a/0", pieces(*content), 10**9) == 2 * PART_BYTES
        assert b"".join([piece async for piece in objects.stream("uploads/a/0")]) == b"".join(content)
        with pytest.raises(TooLarge):
            await objects.write("uploads/b/0", pieces(*content), PART_BYTES)
        assert await objects.keys("uploads/b") == []

    with_bucket(work)


@pytest.mark.usefixtures("environment")
def test_a_bucket_that_cannot_be_used_is_unavailable() -> None:
    async def work(objects: ObjectStore) -> None:
        assert not await objects.is_reachable()
        with pytest.raises(Unavailable):
            await objects.put("studies/a/v1/x", b"1")

    with_bucket(work, "missing")
