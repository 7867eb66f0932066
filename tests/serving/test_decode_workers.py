"""Decode workers: a file that kills a worker is rejected, and the next file is read."""

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
    preview = asyncio.run(decoder.decode(content, frame, with_preview=True)).preview
    assert preview is not None
    return preview.pixels


def test_pictures_and_dicom_are_decoded_by_workers(decoder: ImageDecoder) -> None:
    assert np.array_equal(decoded(decoder, encoded(gradient())), gradient())
    assert decoded(decoder, dicom_bytes(ct_dataset(HU))).shape == (round(48 * 0.8 / 0.7), 64), "square pixels"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"text", UnsupportedMedia),
        (encoded(gradient())[:50], UnreadableUpload),
        (png_header_only(40_000, 64), TooLarge),
    ],
)
def test_rejected_files_become_problems(decoder: ImageDecoder, content: bytes, problem: type[HeparError]) -> None:
    with pytest.raises(problem):
        decoded(decoder, content)


def test_a_decompression_bomb_is_rejected_and_the_worker_goes_on(decoder: ImageDecoder) -> None:
    with pytest.raises(HeparError) as refused:
        decoded(decoder, hostile()["rle bomb"])
    assert refused.value.status in (413, 422)
    assert np.array_equal(decoded(decoder, encoded(gradient())), gradient())


def _sleep(*arguments: object) -> object:
    time.sleep(60)
    return arguments


def _allocate(*arguments: object) -> object:
    return [bytearray(64 * 1024**2) for _ in range(200)], arguments


def _crash(*arguments: object) -> object:
    import os
    import signal

    os.kill(os.getpid(), signal.SIGSEGV)
    return arguments


@pytest.mark.parametrize("fault", [_sleep, _allocate, _crash])
def test_a_worker_that_hangs_runs_out_of_memory_or_crashes_is_replaced(
    decoder: ImageDecoder, fault: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(images, "_decode_and_prepare", fault)
        began = time.monotonic()
        with pytest.raises(UnreadableUpload, match="it cannot be read within"):
            decoded(decoder, b"x")
        assert time.monotonic() - began < 20
    assert np.array_equal(decoded(decoder, encoded(gradient())), gradient())


def _loop_forever(content: bytes, frame: int | None, *_others: object) -> object:
    """Runs in the worker: `_decode_and_prepare` with a decoder that never ends."""

    def endless(_content: bytes, **_options: object) -> object:
        while True:
            len(content)

    patch = pytest.MonkeyPatch()
    patch.setattr(images, "CPU_S", 0.1)
    patch.setattr(images, "decode", endless)
    return images._decode_and_prepare(content, frame, (), with_preview=False)


def test_the_cpu_time_of_a_file_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel ends the worker long before the pool's timeout."""
    decoder = ImageDecoder(time_s=60)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(images, "_decode_and_prepare", _loop_forever)
            with pytest.raises(UnreadableUpload, match="the time and memory that a CT slice needs"):
                decoded(decoder, b"x")
        assert np.array_equal(decoded(decoder, encoded(gradient())), gradient())
    finally:
        decoder.close()


def test_many_files_at_once_are_all_decoded(decoder: ImageDecoder) -> None:
    async def all_at_once() -> list[object]:
        work: list[Awaitable[object]] = [decoder.decode(encoded(gradient())) for _ in range(20)]
        return await asyncio.gather(*work)

    assert len(asyncio.run(all_at_once())) == 20


def test_closing_stops_the_workers(tmp_path: Path) -> None:
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
