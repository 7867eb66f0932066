"""The longest callback on the event loop of a model service while it answers a request with a 64-megapixel image."""

from __future__ import annotations

import asyncio.events
import io
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvicorn
from fastapi import FastAPI
from PIL import Image

from bench.measurement import IMAGE, MeasurementFailed, RunningStack
from classify_service.app import create_app as create_classify
from classify_service.settings import ClassifySettings
from detect_service.app import create_app as create_detect
from detect_service.settings import DetectSettings

SIDE_PX = 8_000
_TIMEOUT_S = 120.0
_TARGETS: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("classifications", {}),
    ("classifications", {"explain": "true", "explain_models": "true"}),
    ("detections", {}),
    ("detections", {"annotate": "true"}),
)
_POST = """
import sys, pathlib, httpx
url, file, timeout_s, token = sys.argv[1:]
content = pathlib.Path(file).read_bytes()
headers = {"content-type": "image/png", "authorization": f"Bearer {token}"}
answer = httpx.post(url, content=content, headers=headers, timeout=float(timeout_s), trust_env=False)
sys.exit(0 if answer.status_code == 200 else answer.text)
"""


@dataclass
class Longest:
    """Of all callbacks of a request, in milliseconds.

    cpu_ms: CPU time of the loop's thread, independent of other processes.  wall_ms: wall-clock time.
    """

    request: str
    cpu_ms: float = 0.0
    wall_ms: float = 0.0

    def add(self, cpu_ms: float, wall_ms: float) -> None:
        self.cpu_ms, self.wall_ms = max(self.cpu_ms, cpu_ms), max(self.wall_ms, wall_ms)


def longest_callbacks(stack: RunningStack, folder: Path) -> Iterator[Longest]:
    """One per kind of request, to services in this process, which use the stack's Triton and its access tokens."""
    sample = Image.open(IMAGE).convert("L")
    small, large = folder / "small.png", folder / "large.png"
    small.write_bytes(_png(sample))
    large.write_bytes(_png(sample.resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC)))
    token = stack.token(stack.sign_up())
    service = {
        "triton": f"127.0.0.1:{stack.settings.triton_grpc_port}",
        "auth_url": f"http://127.0.0.1:{stack.settings.auth_port}",
        "model_repository": stack.settings.triton_model_repository,
    }
    apps = {
        "classifications": create_classify(ClassifySettings.model_validate(service)),
        "detections": create_detect(DetectSettings.model_validate(service)),
    }
    for path, parameters in _TARGETS:
        with _served(apps[path]) as address:
            url = str(httpx.URL(f"{address}/v1/{path}", params=dict(parameters)))
            _post(url, small, token)  # imports and caches
            longest = Longest("&".join([path, *parameters]))
            with _measured(longest):
                _post(url, large, token)
        yield longest


@contextmanager
def _served(app: FastAPI) -> Iterator[str]:
    """The address of a server in a thread of its own, on asyncio's event loop."""
    config = uvicorn.Config(app, port=0, http="httptools", loop="asyncio", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise MeasurementFailed("the service did not start")
            time.sleep(0.05)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def _measured(longest: Longest) -> Iterator[None]:
    """Measures every callback of the process's event loops."""
    run = asyncio.events.Handle._run  # noqa: SLF001  asyncio has no hook for it

    def timed(handle: asyncio.events.Handle) -> None:
        cpu_s, wall_s = time.thread_time(), time.perf_counter()
        run(handle)
        longest.add((time.thread_time() - cpu_s) * 1000, (time.perf_counter() - wall_s) * 1000)

    asyncio.events.Handle._run = timed  # type: ignore[method-assign, assignment]  # noqa: SLF001
    try:
        yield
    finally:
        asyncio.events.Handle._run = run  # type: ignore[method-assign]  # noqa: SLF001


def _post(url: str, file: Path, token: str) -> None:
    """From a process of its own, so that the client does not share the service's interpreter lock."""
    command = [sys.executable, "-c", _POST, url, str(file), str(_TIMEOUT_S), token]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise MeasurementFailed(f"{url}: {done.stderr.strip()[-500:]}")


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
