"""Checks that Triton can run on this machine; errors state the reason and the remedy."""

from __future__ import annotations

import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

OLDEST_GLIBC = (2, 35)
_CONTAINER_HINT = (
    "or run NVIDIA's Triton container on another machine, set HEPAR_CLASSIFY_TRITON and HEPAR_DETECT_TRITON to its "
    "address and start the services by themselves"
)
_INSPECT = (
    "import sys, sysconfig as c, pathlib as p; v = c.get_config_var;"
    "print(f'{sys.version_info[0]}.{sys.version_info[1]}');"
    "print(p.Path(v('LIBDIR') or '/') / (v('INSTSONAME') or v('LDLIBRARY') or ''));"
    "print(c.get_path('purelib'))"
)


class UnsuitableMachine(Exception):
    """Triton cannot run here; the message states the reason and the remedy."""


@dataclass(frozen=True)
class TritonPackage:
    """The Triton package in its environment. libpython: the shared library that Triton's Python stub loads."""

    python_version: str
    libpython: Path
    site_packages: Path

    @property
    def server(self) -> Path:
        return self.site_packages / "pytriton" / "tritonserver" / "bin" / "tritonserver"

    @property
    def python_backend(self) -> Path:
        return self.site_packages / "pytriton" / "tritonserver" / "backends" / "python"

    @property
    def stub(self) -> Path:
        stubs = self.site_packages / "pytriton" / "tritonserver" / "python_backend_stubs"
        return stubs / self.python_version / "triton_python_backend_stub"


def check_machine(system: str | None = None, machine: str | None = None, glibc: tuple[str, str] | None = None) -> None:
    """Raises UnsuitableMachine unless this is x86-64 Linux with glibc 2.35 or newer."""
    system, machine = system or platform.system(), machine or platform.machine()
    if system != "Linux" or machine.lower() not in ("x86_64", "amd64"):
        raise UnsuitableMachine(
            f"nvidia-pytriton has Triton for x86-64 Linux only; this is {machine} {system}. "
            f"Use such a machine or WSL 2, {_CONTAINER_HINT}."
        )
    name, version = glibc or platform.libc_ver()
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if name != "glibc" or numbers < OLDEST_GLIBC:
        found = f"{name} {version}".strip() or "another C library (musl?)"
        raise UnsuitableMachine(
            f"Triton needs glibc 2.35 or newer; this machine has {found}. "
            f"Use Debian 12, Ubuntu 22.04, RHEL 10 or newer, {_CONTAINER_HINT}."
        )


def find_package(environment: Path) -> TritonPackage:
    """Inspects the environment that `make setup` creates.

    Raises UnsuitableMachine when it is missing, incomplete, or its Python has no shared libpython.
    """
    python = environment / "bin" / "python"
    if not python.exists():
        raise UnsuitableMachine(f"{environment} is missing. Run `make setup`.")
    answer = subprocess.run([str(python), "-c", _INSPECT], capture_output=True, text=True, timeout=30, check=False)
    lines = answer.stdout.splitlines()
    if answer.returncode != 0 or len(lines) != 3:
        raise UnsuitableMachine(f"{environment} is broken. Remove it and run `make setup`.")
    package = TritonPackage(lines[0], Path(lines[1]), Path(lines[2]))
    if not package.libpython.is_file() or ".so" not in package.libpython.name:
        raise UnsuitableMachine(
            f"Python {package.python_version} in {environment} has no shared libpython ({package.libpython} is "
            f"missing), which Triton's Python backend loads. Install it (Debian and Ubuntu: "
            f"`apt-get install libpython{package.python_version}`; pyenv: build with "
            f"PYTHON_CONFIGURE_OPTS=--enable-shared), remove {environment} and run `make setup`."
        )
    if not package.server.is_file() or not package.stub.is_file():
        raise UnsuitableMachine(
            f"{environment} has no Triton for Python {package.python_version}. Remove it and run `make setup`."
        )
    return package
