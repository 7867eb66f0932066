"""The command line, environment and backend directory that tritonserver is started with."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path

from triton_runtime.machine import TritonPackage
from triton_runtime.settings import TritonSettings

BACKENDS = Path(__file__).parent / "backends"
ONNXRUNTIME = "onnxruntime"
"""Our backend."""
_RESTRICTED = "shared-memory,model-repository,model-config,statistics,trace,logging"
"""All protocols but inference, and health and metadata, which the services call before it."""


def assemble_backends(package: TritonPackage, folder: Path) -> Path:
    """Recreates the backend directory: Triton's own `python` and our Python-based `onnxruntime`.

    Triton needs both in one directory, as files and not as links; the package ships the first one in parts.
    """
    shutil.rmtree(folder, ignore_errors=True)
    python = folder / "python"
    python.mkdir(parents=True)
    for file in ("libtriton_python.so", "triton_python_backend_utils.py"):
        shutil.copy2(package.python_backend / file, python / file)
    shutil.copy2(package.stub, python / "triton_python_backend_stub")
    shutil.copytree(BACKENDS / ONNXRUNTIME, folder / ONNXRUNTIME, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def backend_options(backends: Path) -> list[str]:
    """backends: of `assemble_backends`."""
    return [
        f"--backend-directory={backends.resolve()}",
        "--backend-config=python,shm-default-byte-size=4194304",
    ]


def server_environment(environment: Path, package: TritonPackage) -> dict[str, str]:
    """The stub runs the first Python on PATH; it starts isolated and ignores PYTHONPATH."""
    libraries = [str(package.libpython.parent), str(package.site_packages / "nvidia_pytriton.libs")]
    inherited = os.environ.get("LD_LIBRARY_PATH")
    return os.environ | {
        "PATH": f"{environment.resolve() / 'bin'}:{os.environ.get('PATH', '')}",
        "LD_LIBRARY_PATH": ":".join([*libraries, *([inherited] if inherited else [])]),
        "VIRTUAL_ENV": str(environment.resolve()),
        "OMP_NUM_THREADS": "1",
    }


def server_command(
    settings: TritonSettings, package: TritonPackage, backends: Path, repositories: Sequence[Path], shm_prefix: str
) -> list[str]:
    """Disables everything that the services do not need: HTTP, cloud front ends, tracing, auto-completion.

    Every other protocol than inference needs a key, which is random at each start and known to nobody: 0033.
    """
    command = [
        str(package.server),
        *(f"--model-repository={repository.resolve()}" for repository in repositories),
        *backend_options(backends),
        f"--backend-config=python,shm-region-prefix-name={shm_prefix}",
        "--model-control-mode=poll",
        "--repository-poll-secs=2",
        "--exit-on-error=false",
        "--disable-auto-complete-config",
        "--allow-http=false",
        f"--grpc-address={settings.address}",
        f"--grpc-port={settings.grpc_port}",
        f"--metrics-address={settings.metrics_address}",
        f"--metrics-port={settings.metrics_port}",
        "--allow-gpu-metrics=false",
        "--allow-sagemaker=false",
        "--allow-vertex-ai=false",
        "--exit-timeout-secs=10",
        f"--grpc-restricted-protocol={_RESTRICTED}:hepar-key={secrets.token_hex(32)}",
    ]
    if settings.trace_url:
        traced = ("mode=opentelemetry", "level=TIMESTAMPS", "rate=1", f"opentelemetry,url={settings.trace_url}")
        command += [f"--trace-config={setting}" for setting in traced]
    else:
        command.append("--trace-config=level=off")
    if settings.model_configuration:
        command.append(f"--model-config-name={settings.model_configuration}")
    return command
