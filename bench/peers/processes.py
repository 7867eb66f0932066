"""The peers' processes: started together, and only the one that is measured is awake."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from bench.measurement import MeasurementFailed
from bench.peers.catalogue import Peer
from bench.processes import family

_START_TIMEOUT_S = 120.0
_STOP_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class RunningPeer:
    """A peer that answers."""

    peer: Peer
    url: str
    process: psutil.Process

    def post(self, image: bytes, path: str) -> bytes:
        """The body of the answer. Raises httpx.HTTPError."""
        body = self.peer.body(image)
        with httpx.Client(base_url=self.url, timeout=60, trust_env=False) as client:
            answer = client.post(path, content=body.content, headers={"Content-Type": body.content_type})
            return answer.raise_for_status().content


@contextmanager
def running_peers(peers: Sequence[Peer], models: Path, folder: Path, image: bytes) -> Iterator[list[RunningPeer]]:
    """All peers, each ready to classify `image`; their logs are in `folder`. Raises MeasurementFailed."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        started = [stack.enter_context(_process(peer, models, folder)) for peer in peers]
        for running in started:
            _wait_until_ready(running, image, folder)
        yield started


@contextmanager
def only_awake(root: psutil.Process | None, all_roots: Sequence[psutil.Process]) -> Iterator[None]:
    """Suspends the process trees of the other targets, so that what they do while idle costs this one nothing.

    A Triton server stays awake: its Python backend ends it when a lock in shared memory is held for too long.
    root: of the target that is measured; None for one that runs in no server.
    """
    others = [process for other in all_roots if other != root for process in _without_triton(other)]
    for process in others:
        with suppress(psutil.NoSuchProcess):  # a process may end at any time
            process.suspend()
    try:
        yield
    finally:
        for process in others:
            with suppress(psutil.NoSuchProcess):
                process.resume()


def _without_triton(root: psutil.Process) -> list[psutil.Process]:
    """The process tree of a target without Triton servers and what they started."""
    members = family(root)
    triton = {process for member in members if _name(member) == "tritonserver" for process in family(member)}
    return [member for member in members if member not in triton]


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.NoSuchProcess:
        return ""


@contextmanager
def _process(peer: Peer, models: Path, folder: Path) -> Iterator[RunningPeer]:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    # Each peer chooses its own threads, so OMP_NUM_THREADS of the caller does not reach it.
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    environment |= {"PYTHONPATH": str(Path.cwd()), "BENCH_MODELS": str(models), "BENTOML_DO_NOT_TRACK": "True"}
    with (folder / f"{peer.name}.log").open("wb") as log:
        process = psutil.Popen(
            peer.command_line(models, port),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield RunningPeer(peer, f"http://127.0.0.1:{port}", psutil.Process(process.pid))
    finally:
        _stop(psutil.Process(process.pid))


def _stop(root: psutil.Process) -> None:
    """Asks the whole tree to end, and kills what is left."""
    members = family(root)
    root.terminate()
    _, alive = psutil.wait_procs(members, _STOP_TIMEOUT_S)
    for process in alive:
        process.kill()
    psutil.wait_procs(alive, _STOP_TIMEOUT_S)


def _wait_until_ready(running: RunningPeer, image: bytes, folder: Path) -> None:
    end = time.monotonic() + _START_TIMEOUT_S
    while True:
        try:
            running.post(image, running.peer.paths["classification"])
        except httpx.HTTPError as error:
            if time.monotonic() > end or not running.process.is_running():
                log = (folder / f"{running.peer.name}.log").read_text(errors="replace")[-2000:]
                raise MeasurementFailed(f"{running.peer.name} does not answer: {error}\n{log}") from error
            time.sleep(0.5)
        else:
            return
