"""Studies as a weapon: bodies of hundreds of megabytes, and many slow ones."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import psutil

from tests.support.callers import sign_up
from tests.support.pictures import encoded, gradient
from tests.support.raw_http import connect, head, read_all
from tests.support.stack import Stack

MEBIBYTE = 1024**2
SENT_BYTES = 300 * MEBIBYTE
GROWTH_BYTES_MAX = 80 * MEBIBYTE
ACCOUNT_UPLOADS_MAX = 4
"""A quarter of HEPAR_GATEWAY_STUDY_UPLOADS_MAX."""


@contextmanager
def peak_memory(processes: list[psutil.Process]) -> Iterator[list[int]]:
    """The highest resident sizes, in bytes, as they are sampled."""
    peaks, stopping = [process.memory_info().rss for process in processes], threading.Event()

    def watch() -> None:
        while not stopping.wait(0.02):
            for place, process in enumerate(processes):
                peaks[place] = max(peaks[place], process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peaks
    finally:
        stopping.set()
        watcher.join()


def test_300_megabytes_pass_through_gateway_and_service_in_constant_memory(stack: Stack, client: httpx.Client) -> None:
    caller = sign_up(client) | {"content-type": "application/zip"}
    assert client.post("/v1/studies", content=b"PK no archive", headers=caller).status_code == 422
    processes = [stack.process("-m gateway"), stack.process("-m study_service api")]
    before = [process.memory_info().rss for process in processes]
    headers = caller | {"content-length": str(SENT_BYTES)}
    chunk = bytes(MEBIBYTE)
    with peak_memory(processes) as peaks:
        body = (chunk for _ in range(SENT_BYTES // MEBIBYTE))
        answer = client.post("/v1/studies", content=body, headers=headers, timeout=300)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/unreadable-study"), answer.text
    assert max(peak - size for peak, size in zip(peaks, before, strict=True)) < GROWTH_BYTES_MAX


def test_slow_studies_of_one_account_stop_neither_its_images_nor_the_studies_of_others(
    stack: Stack, client: httpx.Client
) -> None:
    greedy, other = sign_up(client), sign_up(client)

    def begun(caller: dict[str, str]) -> bytes:
        lines = (f"Authorization: {caller['authorization']}", "Content-Type: application/zip", "Content-Length: 900000")
        return head("POST", "/v1/studies", *lines) + b"PK"

    with ExitStack() as opened:
        slow = [opened.enter_context(connect(stack.settings.gateway_port)) for _ in range(ACCOUNT_UPLOADS_MAX + 1)]
        for connection in slow:
            connection.sendall(begun(greedy))
        deadline = time.monotonic() + 60
        while not (answered := select.select(slow, [], [], 0.5)[0]):
            assert time.monotonic() < deadline
            for connection in slow:
                connection.sendall(b"x")
        (refused,) = answered
        assert read_all(refused).startswith(b"HTTP/1.1 429 ")
        image = client.post("/v1/analyses", content=encoded(gradient()), headers=greedy | {"content-type": "image/png"})
        assert image.status_code == 200, image.text
        allowed = client.post("/v1/studies", content=b"PK", headers=other | {"content-type": "application/zip"})
        assert allowed.status_code == 422, allowed.text
