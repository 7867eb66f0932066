"""Calls of the worker to the model services: slices of a volume in batches, a few requests at a time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import SecretStr

from hepar.contracts.slices import (
    BY_MODEL_HEADER,
    FRAME_HEADER,
    LESION_THRESHOLD_HEADER,
    LIVER_PATH,
    PIXEL_MM_HEADER,
    SEGMENTER_HEADER,
    SLICES_PATH,
    SliceClassifications,
    SliceDetections,
)
from hepar.contracts.study_results import ModelVersion
from hepar.core.deadlines import Deadline
from hepar.core.errors import BadUpstream, Unavailable
from hepar.imaging.ct_image import GreyImage
from hepar.imaging.letterbox import InputFrame
from hepar.imaging.npy import InvalidArray, npy_bytes, read_arrays
from hepar.web.upstream import Upstream, UpstreamAnswer, UpstreamProblem, open_upstream
from study_service.worker_token import WorkerToken

Answer = TypeVar("Answer")
_MEDIA_TYPE = {"content-type": "application/octet-stream"}
_UNAVAILABLE = 503
_FIRST_WAIT_S = 0.25
_LONGEST_WAIT_S = 30.0
_MASK_AXES = 4


@dataclass(frozen=True)
class LiverMasks:
    """Of the slices of a volume.

    shares: (slices, 2, height, width), the probabilities of liver and lesion in 255ths, in the segmenter's input: the
    place of a slice in it is that which `hepar.imaging.letterbox` gives for the frame.  lesion_threshold: 0 to 1.
    frame: that the networks see of each slice; None for all of it.
    """

    shares: NDArray[np.uint8]
    segmenter: ModelVersion
    lesion_threshold: float
    frame: InputFrame | None = None

    def of(self, indices: NDArray[np.intp] | slice) -> LiverMasks:
        """The masks of some of the slices."""
        return LiverMasks(self.shares[indices], self.segmenter, self.lesion_threshold, self.frame)


@dataclass(frozen=True)
class SliceLimits:
    """batch_slices: of one request.  in_flight: requests at a time.  tries: of a request, the first one included."""

    batch_slices: int = 16
    in_flight: int = 8
    tries: int = 4


class SliceModels:
    """Slices are (slices, rows, columns) in the liver window and in standard display; a pixel is square.

    Every method raises UpstreamProblem, Unavailable, DeadlineExceeded and BadUpstream. A service that is not available
    is asked again until the tries or the time are used up: the calls change nothing, so any of them can be repeated.
    """

    def __init__(
        self, classify: Upstream, detect: Upstream, token: WorkerToken, limits: SliceLimits | None = None
    ) -> None:
        self._classify = classify
        self._detect = detect
        self._token = token
        self._limits = limits or SliceLimits()
        self._slots = asyncio.Semaphore(self._limits.in_flight)

    async def liver(self, slices: GreyImage, deadline: Deadline, frame: InputFrame | None = None) -> LiverMasks:
        """The segmenter's masks of all slices. Raises BadUpstream where it changed its version between two batches."""

        async def call(part: slice) -> LiverMasks:
            response = await self._post(self._detect, LIVER_PATH, deadline, slices[part], frame=frame)
            return await asyncio.to_thread(_masks, response, len(slices[part]), frame)

        parts = await self._in_batches(len(slices), call)
        first = parts[0]
        if any((part.segmenter, part.shares.shape[1:]) != (first.segmenter, first.shares.shape[1:]) for part in parts):
            raise BadUpstream("the segmenter changed within a study")
        shares = np.concatenate([part.shares for part in parts])
        return LiverMasks(shares, first.segmenter, first.lesion_threshold, frame)

    async def classify(
        self, slices: GreyImage, deadline: Deadline, masks: LiverMasks | None = None
    ) -> SliceClassifications:
        """masks: of the same slices; without them the service computes its own."""

        async def call(part: slice) -> SliceClassifications:
            response = await self._post(self._classify, SLICES_PATH, deadline, slices[part], masks and masks.of(part))
            answer = self._classify.parsed(SliceClassifications, response.content)
            return _complete(answer, len(answer.items), slices[part])

        return joined_classifications(await self._in_batches(len(slices), call))

    async def detect(
        self, slices: GreyImage, deadline: Deadline, masks: LiverMasks | None = None, pixel_mm: float | None = None
    ) -> SliceDetections:
        """masks: of the same slices; without them the service computes its own.

        pixel_mm: side of a pixel; used where the masks have a frame.
        """

        async def call(part: slice) -> SliceDetections:
            own = masks and masks.of(part)
            response = await self._post(self._detect, SLICES_PATH, deadline, slices[part], own, pixel_mm=pixel_mm)
            answer = self._detect.parsed(SliceDetections, response.content)
            return _complete(answer, len(answer.items), slices[part])

        return joined_detections(await self._in_batches(len(slices), call))

    async def _in_batches(self, count: int, call: Callable[[slice], Awaitable[Answer]]) -> list[Answer]:
        """The answers in the order of the slices; where one fails, the others end."""
        if count == 0:
            raise ValueError("there are no slices")
        size = self._limits.batch_slices

        async def in_turn(start: int) -> Answer:
            async with self._slots:
                return await call(slice(start, start + size))

        tasks = [asyncio.create_task(in_turn(start)) for start in range(0, count, size)]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def _post(
        self,
        service: Upstream,
        path: str,
        deadline: Deadline,
        slices: GreyImage,
        masks: LiverMasks | None = None,
        frame: InputFrame | None = None,
        pixel_mm: float | None = None,
    ) -> UpstreamAnswer:
        content = await asyncio.to_thread(_body, slices, masks)
        told = {BY_MODEL_HEADER: "true"}
        if masks is not None:
            told[SEGMENTER_HEADER], frame = f"{masks.segmenter.model}/{masks.segmenter.version}", masks.frame
        if frame is not None:
            told[FRAME_HEADER] = frame.text
            if pixel_mm is not None:
                told[PIXEL_MM_HEADER] = f"{pixel_mm:.6f}"
        for attempt in range(1, self._limits.tries + 1):
            try:
                headers = _MEDIA_TYPE | told | await self._token.header(deadline)
                response = await service.request("POST", path, deadline, headers=headers, content=content)
                return _with_frame(response, frame)
            except (Unavailable, UpstreamProblem) as error:
                wait_s = _wait_s(error, attempt)
                if wait_s is None or attempt == self._limits.tries or wait_s >= deadline.remaining_s():
                    raise
                await asyncio.sleep(wait_s)
        raise AssertionError("the last try returns or raises")


@asynccontextmanager
async def slice_models(
    auth_url: str, classify_url: str, detect_url: str, secret: SecretStr, limits: SliceLimits | None = None
) -> AsyncIterator[SliceModels]:
    """Keeps its connections open while the context lasts. secret: of the study worker."""
    async with AsyncExitStack() as stack:

        async def upstream(url: str, purpose: str) -> Upstream:
            return await stack.enter_async_context(open_upstream(url, purpose))

        token = WorkerToken(await upstream(auth_url, "sign-in"), secret)
        classify, detect = await upstream(classify_url, "classification"), await upstream(detect_url, "detection")
        yield SliceModels(classify, detect, token, limits)


def _body(slices: GreyImage, masks: LiverMasks | None) -> bytes:
    return npy_bytes(slices) + (b"" if masks is None else npy_bytes(masks.shares))


def _with_frame(response: UpstreamAnswer, frame: InputFrame | None) -> UpstreamAnswer:
    """Raises Unavailable where a service of an earlier version answered, which shows the networks whole slices."""
    if frame is not None and response.headers.get(FRAME_HEADER) != frame.text:
        raise Unavailable("a model service of an earlier version answered")
    return response


def _masks(response: UpstreamAnswer, count: int, frame: InputFrame | None) -> LiverMasks:
    """Raises BadUpstream for anything but the masks of `count` slices."""
    model, _, version = response.headers.get(SEGMENTER_HEADER, "").partition("/")
    try:
        (shares,) = read_arrays(response.content)
        threshold = float(response.headers.get(LESION_THRESHOLD_HEADER, ""))
    except (InvalidArray, ValueError) as error:
        raise BadUpstream("detection gave a wrong answer") from error
    if shares.ndim != _MASK_AXES or shares.shape[:2] != (count, 2) or not 0 <= threshold <= 1 or not version:
        raise BadUpstream("detection gave a wrong answer")
    return LiverMasks(shares, ModelVersion(model=model, version=version), threshold, frame)


def _complete(answer: Answer, items: int, slices: GreyImage) -> Answer:
    if items != len(slices):
        raise BadUpstream(f"{items} answers for {len(slices)} slices")
    return answer


def joined_classifications(parts: Sequence[SliceClassifications]) -> SliceClassifications:
    """parts: of consecutive slices."""
    return SliceClassifications(
        items=[item for part in parts for item in part.items],
        models=_versions(part.models for part in parts),
        missing_models=sorted({name for part in parts for name in part.missing_models}),
    )


def joined_detections(parts: Sequence[SliceDetections]) -> SliceDetections:
    """parts: of consecutive slices. A part without the boxes of single detectors has none in each of its slices."""
    return SliceDetections(
        items=[boxes for part in parts for boxes in part.items],
        single=[boxes for part in parts for boxes in part.single or [[] for _ in part.items]],
        models=_versions(part.models for part in parts),
        missing_models=sorted({name for part in parts for name in part.missing_models}),
    )


def _versions(parts: Iterable[Sequence[ModelVersion]]) -> list[ModelVersion]:
    """Each once, sorted by name and version."""
    found = sorted({(version.model, version.version) for part in parts for version in part})
    return [ModelVersion(model=model, version=version) for model, version in found]


def _wait_s(error: Unavailable | UpstreamProblem, attempt: int) -> float | None:
    """How long to wait before the next try, None where there is none. attempt: that failed, from 1.

    As long as the service says; otherwise exponential backoff with full jitter (Brooker, "Exponential Backoff And
    Jitter", 2015).
    """
    if isinstance(error, UpstreamProblem):
        if error.problem.status != _UNAVAILABLE:
            return None
        if error.retry_after is not None and error.retry_after.isascii() and error.retry_after.isdigit():
            return min(float(error.retry_after), _LONGEST_WAIT_S)
    return random.uniform(0, min(_FIRST_WAIT_S * 2.0**attempt, _LONGEST_WAIT_S))  # noqa: S311
