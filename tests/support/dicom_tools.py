"""Programs of other hands that judge DICOM files: dicom3tools and DCMTK."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def program(name: str) -> str:
    """Path of a program from the Debian packages dicom3tools and dcmtk. Skips the test where it is missing."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed: .ci/install-debian")
    return path


def output_of(name: str, *arguments: str | Path) -> str:
    """What a program prints, on both channels."""
    command = [program(name), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, errors="replace").stdout


def errors_of_iod(path: Path) -> list[str]:
    """The errors that dciodvfy finds in a file."""
    command = [program("dciodvfy"), "-new", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, errors="replace")
    lines = (done.stdout + done.stderr).splitlines()
    assert lines, "dciodvfy says at least what kind of object it read"
    return [line for line in lines if line.startswith("Error")]
