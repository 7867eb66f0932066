"""Third-party files, whole and damaged, as uploads: `make attack CORPORA=folder` sends every file of the folder."""

from __future__ import annotations

import random
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from tests.end_to_end.conftest import signed_in
from tests.support.stack import Stack, tiny_stack

SENDERS = 2
WARM_UP_FILES = 60
GROWTH_BYTES_MAX = 48 * 1024 * 1024
"""Per process, from the end of the warm-up to the end. A leak of one kilobyte a request is found with 50,000 files,
one of a megabyte with 50."""
RETRIES = 30
SERVICES = ("-m gateway", "-m auth_service", "-m classify_service", "-m detect_service", "bin/tritonserver")
VARIABLES = {
    "HEPAR_GATEWAY_ACCOUNT_PER_MINUTE": "1000000",
    "HEPAR_GATEWAY_ADDRESS_PER_MINUTE": "1000000",
    "HEPAR_AUTH_ACCESS_TOKEN_S": "3600",
}
Counts = Counter[int]


@pytest.fixture
def corpus(request: pytest.FixtureRequest) -> list[Path]:
    folder: str | None = request.config.getoption("--corpora", None)
    if not folder:
        pytest.skip("no third-party files: make attack CORPORA=folder")
    files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    assert files, f"{folder} is empty"
    return files


def variants(content: bytes, name: str) -> Iterator[bytes]:
    """The file, its first half, and two copies with a few bytes changed, the same in every run."""
    yield content
    yield content[: len(content) // 2]
    chance = random.Random(zlib.crc32(name.encode()))  # noqa: S311
    for _ in range(2):
        changed = bytearray(content)
        for _ in range(8 if content else 0):
            changed[chance.randrange(min(len(content), 4096))] = chance.randrange(256)
        yield bytes(changed)


def sent(client: httpx.Client, content: bytes, headers: dict[str, str]) -> int:
    """The status. A full decoder asks to wait; that is not the file's doing."""
    for _ in range(RETRIES):
        answer = client.post("/v1/analyses", content=content, headers=headers)
        if "retry-after" not in answer.headers:
            return answer.status_code
        time.sleep(float(answer.headers["retry-after"]))
    pytest.fail("the stack stays full")


def processes(stack: Stack) -> dict[str, psutil.Process]:
    """The long-lived processes, by what they run; decode workers are replaced by design."""
    running = psutil.Process(stack.pid).children(recursive=True)
    commands = {process: " ".join(process.cmdline()) for process in running}
    return {words: next(process for process in running if words in commands[process]) for words in SERVICES}


def memory_bytes(running: dict[str, psutil.Process]) -> dict[str, int]:
    return {words: process.memory_info().rss for words, process in running.items()}


@pytest.mark.timeout(3500)  # as long as the access token is valid
def test_no_file_breaks_anything(corpus: list[Path], tmp_path: Path) -> None:
    with tiny_stack(tmp_path, **VARIABLES) as stack:
        client = httpx.Client(base_url=stack.settings.gateway_url, timeout=120, trust_env=False)
        with client, ThreadPoolExecutor(SENDERS) as senders:
            headers = signed_in(client) | {"content-type": "application/octet-stream"}

            def statuses_of(path: Path) -> list[int]:
                return [sent(client, content, headers) for content in variants(path.read_bytes(), path.name)]

            def send(files: list[Path]) -> Counts:
                return Counter(status for statuses in senders.map(statuses_of, files) for status in statuses)

            counts = send(corpus[:: max(1, len(corpus) // WARM_UP_FILES)])
            before = processes(stack)
            memory_before = memory_bytes(before)
            counts += send(corpus)
            assert client.get("/readyz").status_code == 200
        after = processes(stack)
        growth = {words: used - memory_before[words] for words, used in memory_bytes(after).items()}
    print_counts(len(corpus), counts, memory_before, growth)
    assert {words: process.pid for words, process in after.items()} == {
        words: process.pid for words, process in before.items()
    }, "a process died"
    assert max(counts) < 500
    assert 401 not in counts, "the access token expired: send fewer files"
    assert {words: size for words, size in growth.items() if size > GROWTH_BYTES_MAX} == {}


def print_counts(files: int, counts: Counts, before: dict[str, int], growth: dict[str, int]) -> None:
    print(f"\n{files} files, {sum(counts.values())} uploads, by status: {dict(sorted(counts.items()))}")  # noqa: T201
    for words, size in before.items():
        print(f"{words}: {size / 2**20:.0f} MiB, {growth[words] / 2**20:+.1f} MiB in the end")  # noqa: T201
