"""Decode workers: a file that kills a worker is rejected, and the next file is read."""

from __future__ import annotations

import asyncio
import gc
import math
import os
import resource
import signal
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import psutil
import pytest

from hepar.core.deadlines import Deadline
from hepar.core.errors import DeadlineExceeded, HeparError, TooLarge, Unavailable, UnsupportedMedia
from hepar.serving import decode_worker
from hepar.serving.decode_workers import ImageDecoder, UnreadableUpload
from tests.support.broken_images import hostile
from tests.support.pictures import ct_dataset, dicom_bytes, encoded, gradient, png_header_only

LONG_S = 60.0
"""Far more than any file here needs, for a busy machine."""
HU = np.tile(np.linspace(-200, 400, 64).astype(np.int32), (48, 1))


@pytest.fixture(scope="module")
def decoder() -> Iterator[ImageDecoder]:
    decoder = ImageDecoder()
    yield decoder
    decoder.close()


def decoded(decoder: ImageDecoder, content: bytes, within_s: float = LONG_S) -> np.ndarray:
    work = decoder.decode(content, account="a", deadline=Deadline.after(within_s), with_preview=True)
    preview = asyncio.run(work).preview
    assert preview is not None
    return preview.pixels


def test_workers_share_what_their_fork_server_imported(decoder: ImageDecoder) -> None:
    """A collection leaves frozen objects alone, and with them the pages that they are on."""
    assert decoder._working_pool().schedule(gc.get_freeze_count).result(LONG_S) > 10_000


def _page_faults(content: bytes) -> float:
    """Of one slice, after the first ones."""
    faults = []
    for _ in range(15):
        decode_worker.decode_and_prepare(content, None, (), with_preview=False)
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
    return (faults[-1] - faults[4]) / 10


def test_the_memory_of_a_slice_is_used_again_for_the_next_one(decoder: ImageDecoder) -> None:
    """Memory that is returned to the kernel and mapped again has a page fault for each 4 KiB."""
    slice_of_a_study = dicom_bytes(ct_dataset(np.tile(np.linspace(-200, 400, 512).astype(np.int32), (512, 1))))
    pages_of_one_array = 512 * 512 * 4 / 4096
    assert decoder._working_pool().schedule(_page_faults, (slice_of_a_study,)).result(LONG_S) < pages_of_one_array


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


def _with_decoder(replacement: Callable[..., object]) -> object:
    """Runs in the worker: the real function around another decoder."""
    patch = pytest.MonkeyPatch()
    patch.setattr(decode_worker, "CPU_S", 0.1)
    patch.setattr(decode_worker, "decode", replacement)
    try:
        return decode_worker.decode_and_prepare(b"x", None, (), with_preview=False)
    finally:
        patch.undo()


def _allocate(*_arguments: object) -> object:
    def greedy(_content: bytes, **_options: object) -> object:
        return [bytearray(64 * 1024**2) for _ in range(200)]

    return _with_decoder(greedy)


def _crash(*arguments: object) -> object:
    os.kill(os.getpid(), signal.SIGSEGV)
    return arguments


def _end(*arguments: object) -> object:
    os.kill(os.getpid(), signal.SIGKILL)
    return arguments


def _compute(*_arguments: object) -> object:
    def endless(_content: bytes, **_options: object) -> object:
        while True:
            math.sqrt(2)

    return _with_decoder(endless)


def _quote(*_arguments: object) -> object:
    def talkative(content: bytes, **_options: object) -> object:
        raise KeyError(f"value of the file: {content!r}")

    return _with_decoder(talkative)


def test_a_fault_of_ours_does_not_quote_the_file(decoder: ImageDecoder, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(decode_worker, "decode_and_prepare", _quote)
        with pytest.raises(RuntimeError) as raised:
            decoded(decoder, b"x")
    text = "".join(traceback.format_exception(raised.value))
    assert "KeyError in a decode worker" in text
    assert "value of the file" not in text


@pytest.mark.parametrize(
    ("fault", "problem"),
    [(_allocate, UnreadableUpload), (_crash, UnreadableUpload), (_compute, UnreadableUpload), (_end, Unavailable)],
)
def test_a_worker_that_ends_is_replaced_and_only_limits_and_crashes_are_the_files_fault(
    decoder: ImageDecoder, fault: Callable[..., object], problem: type[HeparError], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that is killed from outside, as by the kernel without memory, says nothing about the file."""
    with monkeypatch.context() as patch:
        patch.setattr(decode_worker, "decode_and_prepare", fault)
        with pytest.raises(problem):
            decoded(decoder, b"x")
    assert np.array_equal(decoded(decoder, encoded(gradient())), gradient())


def test_time_that_passes_is_not_the_files_fault(decoder: ImageDecoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the caller's deadline the worker is ended, and the next file is read."""
    with monkeypatch.context() as patch:
        patch.setattr(decode_worker, "decode_and_prepare", _sleep)
        with pytest.raises(DeadlineExceeded):
            decoded(decoder, b"x", within_s=1)
    for _ in range(4):
        assert np.array_equal(decoded(decoder, encoded(gradient())), gradient())


def workers() -> list[psutil.Process]:
    """The decode workers of this process: the children of multiprocessing's fork server."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # another one that ends just now
            if "forkserver" in " ".join(child.cmdline()) and not child.children():
                found.append(child)
    return found


def test_workers_that_end_between_two_files_are_replaced(decoder: ImageDecoder) -> None:
    decoded(decoder, encoded(gradient()))
    for worker in workers():
        with suppress(psutil.NoSuchProcess):  # one of an earlier test, which ends just now
            worker.kill()
    deadline = time.monotonic() + LONG_S
    while True:
        try:
            assert np.array_equal(decoded(decoder, encoded(gradient())), gradient())
            break
        except Unavailable:
            assert time.monotonic() < deadline


def test_many_files_at_once_are_all_decoded() -> None:
    """By a decoder of its own: that of the test before may still find a worker that was killed there."""

    async def all_at_once(decoder: ImageDecoder) -> list[object]:
        content = encoded(gradient())
        work: list[Awaitable[object]] = [
            decoder.decode(content, account=f"a{index}", deadline=Deadline.after(LONG_S)) for index in range(20)
        ]
        return await asyncio.gather(*work)

    with closing(ImageDecoder()) as decoder:
        assert len(asyncio.run(all_at_once(decoder))) == 20


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
