"""A damaged or hostile image is a client error and has no lasting effect on the service."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import psutil
import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from hepar.imaging import decode
from tests.support.broken_images import flipped, hostile, truncated, whole_images
from tests.support.model_services import ModelServices
from tests.support.pictures import encoded, gradient
from tests.support.triton import RunningTriton

WHOLE = whole_images()
HOSTILE = hostile()


@pytest.fixture(scope="module")
def client(triton: RunningTriton, services: ModelServices) -> Iterator[TestClient]:
    with services.classify(triton.repository) as client:
        yield client


def post(client: TestClient, content: bytes) -> Response:
    """A result or a client error."""
    answer = client.post("/v1/classifications", content=content, headers={"content-type": "application/octet-stream"})
    assert answer.status_code == 200 or 400 <= answer.status_code < 500, answer.text
    if answer.status_code != 200:
        assert answer.headers["content-type"] == "application/problem+json"
        assert "Traceback" not in answer.text
    return answer


@pytest.mark.parametrize("name", WHOLE)
def test_intact_images_are_read(client: TestClient, name: str) -> None:
    assert post(client, WHOLE[name]).status_code == 200


@pytest.mark.parametrize("name", WHOLE)
def test_truncated_images_are_rejected_unless_every_pixel_is_present(client: TestClient, name: str) -> None:
    whole = decode(WHOLE[name]).pixels
    refused = 0
    for cut in truncated(WHOLE[name]):
        if post(client, cut).status_code == 200:
            assert np.array_equal(decode(cut).pixels, whole)
        else:
            refused += 1
    assert refused >= len(WHOLE[name]) // 64 - 2


@pytest.mark.parametrize("name", WHOLE)
def test_an_image_with_a_flipped_bit_is_read_or_rejected(client: TestClient, name: str) -> None:
    for changed in flipped(WHOLE[name], seed=len(name), count=40):
        post(client, changed)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_images_are_rejected(client: TestClient, name: str) -> None:
    assert 400 <= post(client, HOSTILE[name]).status_code < 500


def test_memory_is_released_after_decompression_bombs(client: TestClient) -> None:
    """Of the service and its workers."""

    def resident() -> int:
        here = psutil.Process()
        workers = [child for child in here.children(recursive=True) if "forkserver" in " ".join(child.cmdline())]
        return sum(process.memory_info().rss for process in (here, *workers))

    bombs = [content for name, content in HOSTILE.items() if "bomb" in name]
    for _ in range(4):
        post(client, encoded(gradient()))
    before = resident()
    for _ in range(3):
        for content in bombs:
            post(client, content)
    assert resident() < before + 50 * 1024**2, "at once, with no other file in between"


def test_an_image_is_never_written_to_disk_or_log(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    secret = b"Jane Doe 1961-03-04"
    content = bytearray(WHOLE["dicom"])
    content[-100:-100] = secret
    process = psutil.Process()
    before = process.io_counters().write_chars
    post(client, bytes(content))
    post(client, WHOLE["dicom"][:-200] + secret)
    assert process.io_counters().write_chars - before < 200_000
    assert secret.decode() not in caplog.text
