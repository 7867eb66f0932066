"""Keeps one tritonserver running: starts it, restarts it after a crash, and cleans up after it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from types import FrameType

from triton_runtime.combined import CombinedRepository
from triton_runtime.command import ONNXRUNTIME, assemble_backends, server_command, server_environment
from triton_runtime.graph_check import CheckFailed, write_checked_graphs
from triton_runtime.machine import check_machine, find_package
from triton_runtime.settings import TritonSettings

_PR_SET_PDEATHSIG = 1
_LONGEST_DELAY_S = 30.0
_STABLE_AFTER_S = 60.0


class Keeper:
    """Runs in the main thread until SIGTERM or SIGINT.

    A server that dies (a crash, `kill -9`, out of memory) is restarted after `restart_delay_s`, which doubles up to
    30 s as long as the server dies within a minute. The services answer 503 in between.
    """

    def __init__(self, settings: TritonSettings) -> None:
        check_machine()
        self._settings = settings
        package = find_package(settings.environment)
        backends = assemble_backends(package, settings.state_folder / f"backends-{settings.grpc_port}")
        self._backend = backends / ONNXRUNTIME
        self._shm_prefix = f"hepar_triton_{os.getpid()}_"
        repositories = [settings.model_repository]
        self._combined: CombinedRepository | None = None
        if settings.combine and not settings.model_configuration:  # which the combined model does not have
            folder = settings.state_folder / f"combined-{settings.grpc_port}"
            self._combined = CombinedRepository(settings.model_repository, folder)
            repositories.append(folder)
        self._command = partial(server_command, settings, package, backends, repositories, self._shm_prefix)
        self._environment = server_environment(settings.environment, package)
        self._stopping = threading.Event()
        self._server: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        delay_s = self._settings.restart_delay_s
        while not self._stopping.is_set():
            started = time.monotonic()
            status = self._run_once()
            if self._stopping.is_set():
                break
            if time.monotonic() - started > _STABLE_AFTER_S:
                delay_s = self._settings.restart_delay_s
            _report(f"Triton ended with status {status}; restarting in {delay_s:g} s")
            self._stopping.wait(delay_s)
            delay_s = min(2 * delay_s, _LONGEST_DELAY_S)

    def _refresh_combined(self) -> None:
        """Without a combined model the services call the single ones, so an error here ends nothing."""
        if self._combined is None:
            return
        try:
            written = self._combined.refresh()
        except OSError as error:
            _report(f"The combined model was not written: {error}")
            return
        if written is not None:
            _report(f"Wrote {written}, which runs the input check and all classifiers")

    def _check_graphs(self) -> None:
        """Single models that the combined one stands for are loaded with their first request; otherwise at once."""
        try:
            parts = self._combined.parts if self._combined is not None else ()
            write_checked_graphs(self._settings.environment, parts, self._backend)
        except CheckFailed as error:
            _report(f"All models are loaded at once: {error}")

    def _run_once(self) -> int:
        self._refresh_combined()
        self._check_graphs()
        log_file = self._settings.log_file
        log_file.parent.mkdir(parents=True, exist_ok=True)
        with log_file.open("ab") as log:
            server = subprocess.Popen(
                self._command(),  # with a new key at each start
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509  one thread at this point
            )
        self._server = server
        _report(f"Triton started as process {server.pid}; its log is {log_file}")
        if self._stopping.is_set():
            self._request_stop(server)
        try:
            while True:
                try:
                    return server.wait(timeout=1)
                except subprocess.TimeoutExpired:
                    if self._stopping.is_set():
                        return self._wait_for_stop(server)
                    self._refresh_combined()
        finally:
            self._clean_up(server)

    def _wait_for_stop(self, server: subprocess.Popen[bytes]) -> int:
        try:
            return server.wait(timeout=self._settings.stop_timeout_s)
        except subprocess.TimeoutExpired:
            server.kill()
            return server.wait()

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        self._stopping.set()
        if self._server is not None:
            self._request_stop(self._server)

    @staticmethod
    def _request_stop(server: subprocess.Popen[bytes]) -> None:
        if server.poll() is None:
            server.terminate()

    def _clean_up(self, server: subprocess.Popen[bytes]) -> None:
        """Kills stub processes that outlived their server and removes its shared memory."""
        with contextlib.suppress(ProcessLookupError):  # the usual case: the whole process group has ended
            os.killpg(server.pid, signal.SIGKILL)
        for region in Path("/dev/shm").glob(f"{self._shm_prefix}*"):  # noqa: S108  the POSIX shared memory folder of Linux
            region.unlink(missing_ok=True)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201  the supervisor's log
