"""The pictures that people look at: the contact sheet, and the samples that we ship."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from training.configuration import load_configuration
from training.pictures import COLUMNS, lesion_sheet

SAMPLES = Path(__file__).parents[3] / "samples"


def test_the_contact_sheet_shows_rows_of_phantoms_with_boxes_of_both_types(tmp_path: Path) -> None:
    data = load_configuration("smoke").data
    with Image.open(lesion_sheet(data, None, tmp_path / "deep" / "sheet.png")) as sheet:
        assert sheet.size == (COLUMNS * data.input_size_px, 2 * data.input_size_px)
        pixels = {tuple(colour) for colour in np.asarray(sheet).reshape(-1, 3).tolist()}
    assert {(0xFF, 0x9F, 0x1C), (0x2E, 0xC4, 0xFF)} <= pixels


def test_the_shipped_samples_are_what_the_command_makes(tmp_path: Path) -> None:
    """By the command itself, in the environment that `make samples` runs it in: no training framework is there."""
    command = [sys.executable, "-m", "training", "samples", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=SAMPLES.parent, check=False)
    assert done.returncode == 0, done.stderr
    made = [Path(line) for line in done.stdout.splitlines()]
    assert sorted(path.name for path in made) == sorted(path.name for path in SAMPLES.iterdir())
    for path in made:
        with Image.open(path) as new, Image.open(SAMPLES / path.name) as shipped:
            assert np.abs(np.asarray(new).astype(int) - np.asarray(shipped)).max() <= 1
