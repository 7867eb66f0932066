"""Work whose cost depends on the size of the image never runs on the event loop's thread."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import httpx2
import numpy as np
import PIL
import pytest
from fastapi import FastAPI

import hepar.ensemble
import hepar.imaging
from classify_service.app import create_app as create_classify
from detect_service.app import create_app as create_detect
from hepar.contracts.slices import SEGMENTER_HEADER, SLICES_PATH
from hepar.imaging.letterbox import letterbox
from tests.support.model_services import ModelServices
from tests.support.pictures import encoded, gradient
from tests.support.slices import body, worker
from tests.support.tiny_models import write_mapped_classifier
from tests.support.triton import RunningTriton

LARGE = encoded(gradient(2_000, 2_000))
PNG = {"content-type": "image/png"}
SMALL_BYTES = 1_000_000
_PACKAGES = tuple(str(Path(package.__path__[0])) for package in (PIL, hepar.imaging, hepar.ensemble))
_SMALL_WORK = "drift.py"  # counts in a window; independent of the image


@contextmanager
def image_work_of_this_thread() -> Iterator[list[str]]:
    """The image functions that this thread calls: of Pillow, hepar.imaging, hepar.ensemble, and of large arrays."""
    calls: list[str] = []

    def profile(frame: FrameType, event: str, argument: Any) -> None:  # noqa: ANN401  a function, or a result
        file = frame.f_code.co_filename
        if event == "call" and file.startswith(_PACKAGES) and not file.endswith(_SMALL_WORK):
            calls.append(f"{file}: {frame.f_code.co_name}")
        owner = getattr(argument, "__self__", None)
        if event == "c_call" and isinstance(owner, np.ndarray) and owner.nbytes > SMALL_BYTES:
            calls.append(f"numpy: {argument.__name__}")

    sys.setprofile(profile)
    try:
        yield calls
    finally:
        sys.setprofile(None)


async def image_work_on_the_loop(
    app: FastAPI, path: str, headers: dict[str, str], parameters: dict[str, str], content: bytes = LARGE
) -> tuple[httpx2.Response, list[str]]:
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://127.0.0.1") as client,
    ):
        with image_work_of_this_thread() as calls:
            answer = await client.post(path, params=parameters, content=content, headers=PNG | headers)
        return answer, calls


def test_the_profiler_sees_image_work() -> None:
    pixels = gradient(2_000, 2_000)
    with image_work_of_this_thread() as calls:
        letterbox(pixels, 64, 64)
        pixels.mean()
    assert any("letterbox" in call for call in calls)
    assert "numpy: mean" in calls


@pytest.mark.parametrize("parameters", [{}, {"explain": "true", "explain_models": "true"}])
def test_classification_does_no_image_work_on_the_loop(
    triton: RunningTriton, tmp_path: Path, parameters: dict[str, str], services: ModelServices
) -> None:
    write_mapped_classifier(tmp_path, "mapped")
    shutil.copytree(triton.repository / "classify_steady", tmp_path / "classify_steady")
    app = create_classify(services.classify_settings(tmp_path))
    answer, calls = asyncio.run(
        image_work_on_the_loop(app, "/v1/classifications", services.authority.bearer(), parameters)
    )
    assert answer.status_code == 200, answer.text
    assert (answer.json()["explanation"] is not None) == bool(parameters)
    assert calls == []


@pytest.mark.parametrize("parameters", [{}, {"annotate": "true"}])
def test_detection_does_no_image_work_on_the_loop(
    triton: RunningTriton, parameters: dict[str, str], services: ModelServices
) -> None:
    app = create_detect(services.detect_settings(triton.repository))
    answer, calls = asyncio.run(image_work_on_the_loop(app, "/v1/detections", services.authority.bearer(), parameters))
    assert answer.status_code == 200, answer.text
    assert (answer.json()["annotated_png"] is not None) == bool(parameters)
    assert calls == []


def test_a_batch_of_slices_is_no_image_work_on_the_loop(triton: RunningTriton, services: ModelServices) -> None:
    slices = np.tile(gradient(500, 500), (20, 1, 1))
    masks = np.full((20, 2, 64, 64), 255, np.uint8)
    headers = worker(services.authority)
    app = create_classify(services.classify_settings(triton.repository))
    answer, calls = asyncio.run(image_work_on_the_loop(app, SLICES_PATH, headers, {}, body(slices)))
    assert (len(answer.json()["items"]), calls) == (20, [])
    app = create_detect(services.detect_settings(triton.repository))
    named = headers | {SEGMENTER_HEADER: "segment_grey/1"}
    answer, calls = asyncio.run(image_work_on_the_loop(app, SLICES_PATH, named, {}, body(slices, masks)))
    assert (len(answer.json()["items"]), calls) == (20, [])
