"""Helpers of the training tests: running a command in a process of its own, and boxes of one image."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from training.metrics.detection import Boxes

REPOSITORY = Path(__file__).parents[2]


def run_training(
    folder: Path, *arguments: str, configuration: str = "smoke", timeout_s: float = 3000
) -> subprocess.CompletedProcess[str]:
    """Runs `python -m training` for the run in `folder`, with `folder`/models as the model repository."""
    command = [sys.executable, "-m", "training", "--configuration", configuration, "--folder", str(folder)]
    command += ["--repository", str(folder / "models"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, cwd=REPOSITORY, check=False)


def boxes(*rows: tuple[float, ...]) -> Boxes:
    """The boxes of one image from rows of x_min, y_min, x_max, y_max, label and score."""
    table = np.array(rows, dtype=float).reshape(-1, 6)
    return Boxes(table[:, :4], table[:, 4].astype(int), table[:, 5])
