"""The contact sheet of lesions, and the shipped samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tests.training.support import run_training
from training.configuration import load_configuration
from training.pictures.lesion_sheet import COLUMNS, lesion_sheet

SAMPLES = Path(__file__).parents[3] / "samples"


def test_the_contact_sheet_shows_phantoms_with_boxes_of_both_types(tmp_path: Path) -> None:
    data = load_configuration("smoke").data
    with Image.open(lesion_sheet(data, None, tmp_path / "deep" / "sheet.png")) as sheet:
        assert sheet.size == (COLUMNS * data.input_size_px, 2 * data.input_size_px)
        pixels = {tuple(colour) for colour in np.asarray(sheet).reshape(-1, 3).tolist()}
    assert {(0xFF, 0x9F, 0x1C), (0x2E, 0xC4, 0xFF)} <= pixels


def test_the_shipped_samples_are_the_output_of_the_command(tmp_path: Path) -> None:
    result = run_training(tmp_path / "run", "samples", "--out", str(tmp_path / "out"), configuration="compact")
    assert result.returncode == 0, result.stderr
    written = [Path(line) for line in result.stdout.splitlines()]
    assert sorted(path.name for path in written) == sorted(path.name for path in SAMPLES.iterdir())
    for path in (path for path in written if path.suffix == ".png"):
        with Image.open(path) as new, Image.open(SAMPLES / path.name) as shipped:
            assert np.abs(np.asarray(new).astype(int) - np.asarray(shipped)).max() <= 1
