"""Stand-ins for sign-in and the model services, for tests of workers: instant, and with faults on demand."""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import uvicorn
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hepar.contracts.slices import (
    BY_MODEL_HEADER,
    FRAME_HEADER,
    LESION_THRESHOLD_HEADER,
    LIVER_PATH,
    SEGMENTER_HEADER,
    SLICES_PATH,
)
from hepar.imaging.npy import npy_bytes, read_arrays

SIDE_PX = 32
_LIVER = {"model": "segment_stand_in", "version": "1"}


@dataclass
class SliceServices:
    """delay_s: of each answer.  down: not ready, 503.  broken: answers 500.  version: of classifier and detector.
    by_model: whether they can say what each model said.  knows_frames: False for services of an earlier version.
    shows_liver: which slices, (rows, columns), show a liver.  frames: that each request named.
    holds: the segmenter's answer about slices waits while it is true.  holds_votes: the classifier's answers wait while
    it is true, until the services are down.

    classified, segmented: how often each slice was sent, by the digest of its pixels.
    """

    port: int = 0
    delay_s: float = 0.0
    down: bool = False
    broken: bool = False
    version: str = "1"
    by_model: bool = True
    knows_frames: bool = True
    shows_liver: Callable[[NDArray[np.uint8]], bool] = lambda _pixels: True
    holds: Callable[[NDArray[np.uint8]], bool] = lambda _slices: False
    holds_votes: bool = False
    frames: list[str | None] = field(default_factory=list)
    classified: Counter[str] = field(default_factory=Counter)
    segmented: Counter[str] = field(default_factory=Counter)

    @property
    def variables(self) -> dict[str, str]:
        base = f"http://127.0.0.1:{self.port}"
        urls = {f"HEPAR_STUDY_{name.upper()}_URL": f"{base}/{name}" for name in ("auth", "classify", "detect")}
        return urls | {"HEPAR_STUDY_WORKER_SECRET": "s" * 32}

    async def token(self, _request: Request) -> Response:
        return JSONResponse({"access_token": "t", "token_type": "bearer", "expires_in": 600, "scope": "slices"})

    async def ready(self, _request: Request) -> Response:
        return JSONResponse({}, 503 if self.down else 200)

    async def liver(self, request: Request) -> Response:
        slices = await self._slices(request, self.segmented)
        if isinstance(slices, Response):
            return slices
        while self.holds(slices):  # noqa: ASYNC110  changed in another thread
            await asyncio.sleep(0.01)
        shares = np.zeros((len(slices), 2, SIDE_PX, SIDE_PX), dtype=np.uint8)
        shown = [self.shows_liver(pixels) for pixels in slices]
        shares[shown, 0, 4:-4, 4:-4] = 255
        shares[shown, 1, 12:20, 12:20] = 255
        headers = {SEGMENTER_HEADER: f"{_LIVER['model']}/{_LIVER['version']}", LESION_THRESHOLD_HEADER: "0.5"}
        return Response(npy_bytes(shares), headers=headers | self._frame(request))

    async def classify(self, request: Request) -> Response:
        slices = await self._slices(request, self.classified)
        if isinstance(slices, Response):
            return slices
        while self.holds_votes and not self.down:  # noqa: ASYNC110  changed in another thread
            await asyncio.sleep(0.01)
        if self.down:
            return self._problem(503)
        item = {"outcome": "decided", "tumour_probability": 0.9, "type_probabilities": {"metastasis": 1.0}}
        if request.headers.get(BY_MODEL_HEADER) == "true" and self.by_model:
            item["votes"] = {"classify_stand_in": {"metastasis": 0.9, "no_tumour": 0.1}}
        return self._answer(request, "classify_stand_in", [item] * len(slices))

    async def detect(self, request: Request) -> Response:
        slices = await self._slices(request, Counter())
        if isinstance(slices, Response):
            return slices
        _, rows, columns = slices.shape
        box = {"x_min": columns * 0.4, "y_min": rows * 0.4, "x_max": columns * 0.6, "y_max": rows * 0.6}
        named = {"label": "metastasis", "score": 0.9, "detectors": ["detect_stand_in"]}
        more = {}
        if request.headers.get(BY_MODEL_HEADER) == "true" and self.by_model:
            more["single"] = [[box | named | {"score": 0.7}]] * len(slices)
        return self._answer(request, "detect_stand_in", [[box | named]] * len(slices), **more)

    async def _slices(self, request: Request, counted: Counter[str]) -> NDArray[np.uint8] | Response:
        """Counted when the answer is given."""
        content = await request.body()
        if self.down or self.broken:
            return self._problem(503 if self.down else 500)
        await asyncio.sleep(self.delay_s)
        slices = read_arrays(content, 2)[0]
        counted.update(hashlib.sha256(pixels.tobytes()).hexdigest() for pixels in slices)
        return slices

    def _problem(self, status: int) -> Response:
        problem = {"type": "/problems/x", "title": "t", "status": status, "detail": "d", "request_id": "r"}
        return JSONResponse(problem, status, media_type="application/problem+json")

    def _answer(self, request: Request, model: str, items: list[object], **more: object) -> Response:
        version = {"model": model, "version": self.version}
        document = {"items": items, "models": [version], "missing_models": [], **more}
        return JSONResponse(document, headers=self._frame(request))

    def _frame(self, request: Request) -> dict[str, str]:
        """Repeated, as the services do unless they are of an earlier version."""
        self.frames.append(sent := request.headers.get(FRAME_HEADER))
        return {FRAME_HEADER: sent} if sent is not None and self.knows_frames else {}


@contextmanager
def slice_services() -> Iterator[SliceServices]:
    """Serves on a free port while the block runs."""
    services = SliceServices()
    routes = [
        Route("/auth/v1/token", services.token, methods=["POST"]),
        Route("/classify/readyz", services.ready),
        Route("/detect/readyz", services.ready),
        Route(f"/detect{LIVER_PATH}", services.liver, methods=["POST"]),
        Route(f"/classify{SLICES_PATH}", services.classify, methods=["POST"]),
        Route(f"/detect{SLICES_PATH}", services.detect, methods=["POST"]),
    ]
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), port=0, log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    services.port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield services
    finally:
        server.should_exit = True
        thread.join()
