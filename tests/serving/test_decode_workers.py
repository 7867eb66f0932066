"""Worker processes that decode: what kills one is a refusal, and the next file is read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from hepar.core.errors import HeparError, TooLarge, UnsupportedMedia
from hepar.serving import decode_workers as images
from hepar.serving.decode_workers import ImageDecoder, UnreadableUpload
from tests.support.broken_images import hostile
from tests.support.pictures import ct_dataset, dicom_bytes, encoded, gradient, png_header_only

HU = np.tile(np.linspace(-200, 400, 64).astype(np.int32), (48, 1))


@pytest.fixture(scope="module")
def decoder() -> Iterator[ImageDecoder]:
    decoder = ImageDecoder(time_s=3)
    yield decoder
    decoder.close()


def decoded(decoder: ImageDecoder, content: bytes, frame: int | None = None) -> np.ndarray:
    return asyncio.run(decoder.decode(content, frame)).pixels


def test_pictures_and_dicom_are_decoded_elsewhere(decoder: ImageDecoder) -> None:
    assert np.array_equal(decoded(decoder, encoded(gradient())), gradient())
    assert decoded(decoder, dicom_bytes(ct_dataset(HU))).shape == HU.shape


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"text", UnsupportedMedia),
        (encoded(gradient())[:50], UnreadableUpload),
        (png_header_only(40_000, 64), TooLarge),
    ],
)
def test_refusals_come_back_as_problems(decoder: ImageDecoder, content: bytes, problem: type[HeparError]) -> None:
    with pytest.raises(problem):
        decoded(decoder, content)


def test_a_bomb_is_refused_and_memory_is_given_back(decoder: ImageDecoder) -> None:
    with pytest.raises(HeparError) as refused:
        decoded(decoder, hostile()["rle bomb"])
    assert refused.value.status in (413, 422)
    assert np.array_equal(decoded(decoder, encoded(gradient())), gradient())


def _sleep(content: bytes, frame: int | None) -> object:
    time.sleep(60)
    return content, frame


def _eat(content: bytes, frame: int | None) -> object:
    return [bytearray(64 * 1024**2) for _ in range(200)], content, frame


def _die(content: bytes, frame: int | None) -> object:
    import os
    import signal

    os.kill(os.getpid(), signal.SIGSEGV)
    return content, frame


@pytest.mark.parametrize("deed", [_sleep, _eat, _die])
def test_a_worker_that_hangs_grows_or_dies_is_replaced(
    decoder: ImageDecoder, deed: Callable[[bytes, int | None], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(images, "_decoded", deed)
        began = time.monotonic()
        with pytest.raises(UnreadableUpload, match="it cannot be read within"):
            decoded(decoder, b"x")
        assert time.monotonic() - began < 20
    assert np.array_equal(decoded(decoder, encoded(gradient())), gradient())


def _spin(content: bytes, frame: int | None) -> object:
    """In the worker: the service's own `_decoded`, whose decoder never ends. The worker dies of it."""

    def endless(_content: bytes, **_options: object) -> object:
        while True:
            len(content)

    patch = pytest.MonkeyPatch()
    patch.setattr(images, "CPU_S", 0.1)
    patch.setattr(images, "decode", endless)
    return images._decoded(content, frame)


def test_a_file_has_only_so_much_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel ends it long before the pool's clock would."""
    decoder = ImageDecoder(time_s=60)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(images, "_decoded", _spin)
            with pytest.raises(UnreadableUpload, match="the time and memory that a CT slice needs"):
                decoded(decoder, b"x")
        assert np.array_equal(decoded(decoder, encoded(gradient())), gradient())
    finally:
        decoder.close()


def test_many_at_once_are_all_answered(decoder: ImageDecoder) -> None:
    async def all_at_once() -> list[object]:
        work: list[Awaitable[object]] = [decoder.decode(encoded(gradient())) for _ in range(20)]
        return await asyncio.gather(*work)

    assert len(asyncio.run(all_at_once())) == 20


def test_closing_ends_the_workers(tmp_path: Path) -> None:
    decoder = ImageDecoder()
    decoded(decoder, encoded(gradient()))
    workers = [
        child for child in psutil.Process().children(recursive=True) if "forkserver" in " ".join(child.cmdline())
    ]
    assert workers
    before = len(workers)
    decoder.close()
    time.sleep(0.2)
    left = [child for child in workers if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    assert len(left) < before
    assert list(tmp_path.iterdir()) == []
