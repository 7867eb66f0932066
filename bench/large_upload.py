"""Memory of study_service for a large study: the API does not grow with the upload, the worker stays below a limit."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

from bench.long_study import peak_bytes
from bench.measurement import MeasurementFailed, RunningStack
from bench.stored_study import analyse_study
from tests.support.study_api import ct_files

SMALL_SLICES, LARGE_SLICES = 60, 600
"""Of half a mebibyte each, stored without compression: archives of 30 and 300 MB."""
API_GROWTH_BYTES_MAX = 32 * 1024**2
WORKER_BYTES_MAX = 1000**3
_SIDE_PX = 512


@dataclass(frozen=True)
class UploadMemory:
    """The most memory until a study of this size was analysed."""

    upload_bytes: int
    api_bytes: int
    worker_bytes: int


def measure_uploads(stack: RunningStack, folder: Path) -> list[UploadMemory]:
    """Raises MeasurementFailed."""
    measured = []
    for slices in (SMALL_SLICES, LARGE_SLICES):
        upload = folder / f"{slices}.zip"
        with zipfile.ZipFile(upload, "w", zipfile.ZIP_STORED) as archive:
            for number, content in enumerate(ct_files(slices, size=_SIDE_PX)):
                archive.writestr(f"IM{number:04}", content)
        analyse_study(stack, upload, stack.token(stack.sign_up()))
        api, worker = peak_bytes(stack, "study_service api"), peak_bytes(stack, "study_service worker")
        measured.append(UploadMemory(upload.stat().st_size, api, worker))
    return measured


def check_uploads(measured: list[UploadMemory]) -> None:
    """Raises MeasurementFailed."""
    small, large = measured
    if large.api_bytes - small.api_bytes > API_GROWTH_BYTES_MAX:
        raise MeasurementFailed("the memory of the API grows with the upload")
    if large.worker_bytes > WORKER_BYTES_MAX:
        raise MeasurementFailed("the worker needs too much memory")


def upload_lines(measured: list[UploadMemory]) -> list[str]:
    return [
        f"upload of {one.upload_bytes / 1e6:.0f} MB: study_service api {one.api_bytes / 1e6:.0f} MB, "
        f"worker {one.worker_bytes / 1e6:.0f} MB at most"
        for one in measured
    ]
