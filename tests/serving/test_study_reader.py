"""The process that reads studies: what it returns, and that a hostile study ends nothing but this process."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from hepar.core.errors import DeadlineExceeded, HeparError, InsufficientStorage, TooLarge, Unavailable
from hepar.imaging.study import load_study, read_headers
from hepar.serving import study_worker
from hepar.serving.decode_worker import limit_processor_time
from hepar.serving.study_reader import StudyReader, UnreadableStudyUpload, UnsafeArchiveUpload
from hepar.serving.study_worker import StudyRequest
from tests.support.studies import as_members, ct_series, stored, stored_series, zip_bytes

LONG_S = 120.0


@pytest.fixture(scope="module")
def reader() -> Iterator[StudyReader]:
    reader = StudyReader()
    yield reader
    reader.close()


def test_headers_and_volume_are_those_of_the_library(reader: StudyReader, tmp_path: Path) -> None:
    paths = stored(tmp_path, zip_bytes(as_members(ct_series())))
    headers, volume = reader.volume(paths, None, LONG_S)
    _, expected = load_study(paths)
    assert headers == read_headers(paths) == reader.headers(paths, None, LONG_S)
    assert np.array_equal(volume.hu, expected.hu)
    assert (volume.geometry, volume.sources, volume.warnings) == (
        expected.geometry,
        expected.sources,
        expected.warnings,
    )


def test_voxels_leave_no_file(tmp_path: Path) -> None:
    folder = tmp_path / "voxels"
    folder.mkdir()
    reader = StudyReader(folder)
    try:
        _, volume = reader.volume(stored_series(tmp_path, ct_series()), None, LONG_S)
    finally:
        reader.close()
    assert list(folder.iterdir()) == []
    assert volume.hu.max() > 0, "still readable"


@pytest.mark.parametrize(
    ("content", "problem", "words"),
    [
        (zip_bytes({"../out": b""}), UnsafeArchiveUpload, "leaves its folder"),
        (zip_bytes({"note": b"text"}), UnreadableStudyUpload, "no uploaded file is DICOM"),
        (zip_bytes({f"{number}": b"" for number in range(20_001)}), TooLarge, "20001 members"),
    ],
)
def test_refused_studies_become_problems(
    reader: StudyReader, tmp_path: Path, content: bytes, problem: type[HeparError], words: str
) -> None:
    with pytest.raises(problem, match=words):
        reader.headers(stored(tmp_path, content), None, LONG_S)


def _allocate(_request: StudyRequest) -> None:
    try:
        bytearray(study_worker.ADDRESS_SPACE_BYTES)
    except MemoryError:
        return


def _crash(_request: StudyRequest) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def _end(_request: StudyRequest) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _compute(request: StudyRequest) -> None:
    limit_processor_time(0.1)
    end = time.monotonic() + LONG_S
    while time.monotonic() < end:
        pass
    del request


@pytest.mark.parametrize(
    ("work", "problem"),
    [
        (_allocate, UnreadableStudyUpload),
        (_crash, UnreadableStudyUpload),
        (_compute, UnreadableStudyUpload),
        (_end, Unavailable),
    ],
)
def test_a_study_that_ends_its_process_is_refused_and_the_next_is_read(
    reader: StudyReader,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    work: Callable[[StudyRequest], None],
    problem: type[HeparError],
) -> None:
    paths = stored_series(tmp_path, ct_series())
    with monkeypatch.context() as patch:
        patch.setattr(study_worker, "read_study", work)
        with pytest.raises(problem):
            reader.headers(paths, None, LONG_S)
    assert reader.headers(paths, None, LONG_S).images == 40


def _sleep(_request: StudyRequest) -> None:
    time.sleep(LONG_S)


def test_a_deadline_ends_the_process(reader: StudyReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = stored_series(tmp_path, ct_series())
    with monkeypatch.context() as patch:
        patch.setattr(study_worker, "read_study", _sleep)
        with pytest.raises(DeadlineExceeded):
            reader.headers(paths, None, 0.2)
    assert reader.headers(paths, None, LONG_S).images == 40


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """/dev/full fails every write as a full disk does."""
    voxels = tmp_path / "voxels.npy"
    voxels.symlink_to("/dev/full")
    paths = tuple(stored_series(tmp_path, ct_series()))
    with monkeypatch.context() as patch:
        patch.setattr(study_worker, "limit_processor_time", lambda _processor_s: None)
        answer = study_worker.read_study(StudyRequest(paths, None, voxels, LONG_S))
    assert isinstance(answer, study_worker.NoSpace)


def test_no_space_becomes_a_problem(reader: StudyReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(study_worker, "read_study", _no_space)
        with pytest.raises(InsufficientStorage):
            reader.volume(stored_series(tmp_path, ct_series()), None, LONG_S)


def _no_space(_request: StudyRequest) -> study_worker.NoSpace:
    return study_worker.NoSpace()
