"""What a measurement on a GPU needs from the machine, and what of it is missing."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

IMAGE = "nvcr.io/nvidia/tritonserver:26.07-py3"
_PLACES = {
    "tritonserver": Path("/opt/tritonserver/bin/tritonserver"),
    "trtexec": Path("/usr/src/tensorrt/bin/trtexec"),
}
"""Where NVIDIA's image has programs that are not on PATH."""
ENVIRONMENT = Path(".venv-triton")
_PROVIDERS = "import onnxruntime; print(*onnxruntime.get_available_providers())"
Find = Callable[[str], str | None]


@dataclass(frozen=True)
class GpuTools:
    """gpus: names.  docker: of Triton's image, where its programs are not on this machine; empty where they are.

    environment: of the Triton from PyPI, where NVIDIA's is missing: with our backend, so without TensorRT.
    perf_analyzer, trtexec: None where missing; then our own load tool measures, or the comparison is left out.
    """

    gpus: tuple[str, ...]
    tritonserver: str
    docker: str = ""
    environment: Path | None = None
    perf_analyzer: str | None = None
    trtexec: str | None = None

    def command(self, arguments: Sequence[str], folder: Path) -> list[str]:
        """Where its programs run. folder: the only one that they can read and write; an absolute path."""
        if not self.docker:
            return list(arguments)
        options = ["--rm", "--gpus", "all", "--network", "host", "--shm-size", "1g", "-v", f"{folder}:{folder}"]
        return ["docker", "run", *options, self.docker, *arguments]


@dataclass(frozen=True)
class Inspection:
    """tools: None where something required is missing.  required, optional: one message for each missing thing."""

    tools: GpuTools | None
    required: tuple[str, ...]
    optional: tuple[str, ...]


def find(name: str) -> str | None:
    """The path of a program, on PATH or where NVIDIA's image has it."""
    place = _PLACES.get(name)
    return shutil.which(name) or (str(place) if place and place.is_file() else None)


def run(command: Sequence[str]) -> str | None:
    """Its output; None where it fails."""
    try:
        done = subprocess.run(list(command), capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def inspect_machine(
    image: str, find_program: Find = find, run_command: Callable[[Sequence[str]], str | None] = run
) -> Inspection:
    """image: of Triton, used with docker where there is no tritonserver."""
    required, optional = [], []
    gpus: tuple[str, ...] = ()
    if find_program("nvidia-smi") is None:
        required.append("There is no NVIDIA GPU, or its driver is missing: nvidia-smi was not found.")
    else:
        listed = run_command(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]) or ""
        gpus = tuple(line.strip() for line in listed.splitlines() if line.strip())
        if not gpus:
            required.append("nvidia-smi lists no GPU.")
    server, docker, environment = find_program("tritonserver"), "", None
    trtexec = find_program("trtexec")
    if server is None and find_program("docker") is not None:
        if run_command(["docker", "image", "inspect", image]) is None:
            required.append(f"There is no tritonserver, and docker has no image {image}: docker pull {image}")
        else:
            server, docker, trtexec = "tritonserver", image, str(_PLACES["trtexec"])
    elif server is None and _uses_cuda(run_command):
        server, environment = "tritonserver", ENVIRONMENT
        optional.append(f"NVIDIA's Triton was not found: the one of {ENVIRONMENT} is measured, without TensorRT.")
    elif server is None:
        required.append(
            f"There is no Triton with GPU support: neither tritonserver nor docker with {image} was found, "
            f"and {ENVIRONMENT} has no onnxruntime-gpu."
        )
    perf_analyzer = find_program("perf_analyzer")
    if perf_analyzer is None:
        optional.append("perf_analyzer was not found: our own load tool measures the models.")
    if server is not None and environment is None and trtexec is None:
        optional.append("trtexec was not found: the models are not compared with TensorRT alone.")
    if required or server is None:
        return Inspection(None, tuple(required), tuple(optional))
    tools = GpuTools(gpus, server, docker, environment, perf_analyzer, trtexec)
    return Inspection(tools, (), tuple(optional))


def _uses_cuda(run_command: Callable[[Sequence[str]], str | None]) -> bool:
    return "CUDAExecutionProvider" in (run_command([str(ENVIRONMENT / "bin" / "python"), "-c", _PROVIDERS]) or "")
