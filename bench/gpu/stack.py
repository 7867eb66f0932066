"""Triton on the GPU, and Hepar's services in front of it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException

from bench.gpu.tools import GpuTools
from bench.measurement import MeasurementFailed
from bench.processes import cpu_s, family
from bench.stack_process import UNLIMITED
from local_stack.demo import state_variables
from local_stack.readiness import NotReady, wait_until_ready
from local_stack.settings import LOOPBACK, StackSettings
from local_stack.supervisor import PROCFILE, START_TIMEOUT_S, processes
from triton_runtime.command import assemble_backends, backend_options, server_environment
from triton_runtime.machine import find_package

_TRITON_TIMEOUT_S = 900.0
"""TensorRT builds its engines when a model is loaded for the first time."""
_STOP_TIMEOUT_S = 30.0
_TRITON_PROGRAM = "tritonserver"


@dataclass(frozen=True)
class RunningServices:
    """processes: the roots of Hepar's services by name, without Triton."""

    settings: StackSettings
    processes: dict[str, psutil.Process]

    def cpu_s(self) -> dict[str, float]:
        """Processor time by service; that of Triton is `tritonserver`, also where it runs in a container."""
        spent = {name: cpu_s(family(root)) for name, root in self.processes.items()}
        servers = [one for one in psutil.process_iter() if one.name() == _TRITON_PROGRAM]
        return spent | {_TRITON_PROGRAM: sum(cpu_s(family(server)) for server in servers)}


def triton_arguments(tools: GpuTools, repository: Path, port: int) -> list[str]:
    return [
        tools.tritonserver,
        f"--model-repository={repository}",
        "--disable-auto-complete-config",
        f"--grpc-address={LOOPBACK}",
        f"--grpc-port={port}",
        "--allow-http=false",
        "--allow-metrics=false",
    ]


@contextmanager
def running_triton(tools: GpuTools, repository: Path, folder: Path, port: int) -> Iterator[str]:
    """The address, once all models are loaded. folder: absolute, contains the repository and the log.

    Raises MeasurementFailed.
    """
    command, environment = tools.command(triton_arguments(tools, repository, port), folder), None
    if tools.environment is not None:
        command, environment = _from_pypi(tools.environment, command, folder)
    address, log_file = f"{LOOPBACK}:{port}", folder / "triton.log"
    with _logged(command, log_file, environment) as process:
        end = time.monotonic() + _TRITON_TIMEOUT_S
        while not _ready(address):
            if process.poll() is not None or time.monotonic() > end:
                raise MeasurementFailed(f"Triton did not start:\n{log_file.read_text(errors='replace')[-2000:]}")
            time.sleep(1)
        yield address


def _from_pypi(environment: Path, command: list[str], folder: Path) -> tuple[list[str], dict[str, str]]:
    """The command and the variables that run the server of this environment with our backend."""
    package = find_package(environment)
    options = backend_options(assemble_backends(package, folder / "backends"))
    return [str(package.server), *command[1:], *options], server_environment(environment, package)


@contextmanager
def running_services(settings: StackSettings, folder: Path) -> Iterator[RunningServices]:
    """The processes of the Procfile but Triton, which listens at `settings.triton_grpc_port` already.

    Raises MeasurementFailed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    environment = settings.environment() | state_variables(folder) | UNLIMITED
    with ExitStack() as stack:
        started = {
            name: stack.enter_context(_logged(["sh", "-c", command], folder / f"{name}.log", environment))
            for name, command in processes(PROCFILE, environment).items()
            if name != "triton"
        }
        alive: Callable[[], bool] = lambda: all(one.poll() is None for one in started.values())  # noqa: E731
        try:
            wait_until_ready(settings, START_TIMEOUT_S, alive)
        except NotReady as error:
            raise MeasurementFailed(f"{error}; the logs are in {folder}") from error
        yield RunningServices(settings, {name: psutil.Process(one.pid) for name, one in started.items()})


def _ready(address: str) -> bool:
    client = InferenceServerClient(address)
    try:
        return bool(client.is_server_ready())
    except InferenceServerException:
        return False
    finally:
        client.close()


@contextmanager
def _logged(
    command: list[str], log_file: Path, environment: dict[str, str] | None
) -> Iterator[subprocess.Popen[bytes]]:
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            print(f"{command[0]} does not end and is killed", file=sys.stderr)
            process.kill()
            process.wait()
