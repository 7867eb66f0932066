"""Data folders that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.support import run_training


@pytest.mark.parametrize("missing", ["slices.csv", "lesions.csv"])
def test_a_missing_table_is_named(tmp_path: Path, missing: str) -> None:
    for table in {"slices.csv", "lesions.csv"} - {missing}:
        (tmp_path / table).write_text("")
    result = run_training(tmp_path / "run", "prepare", "--data", str(tmp_path))
    assert result.returncode == 1
    assert f"{missing} is missing" in result.stderr


def test_a_missing_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "slices.csv").write_text("image,patient,slice,liver_pixels,review\na.png,1,1,500,none_seen\n")
    (tmp_path / "lesions.csv").write_text("image,x_min,y_min,x_max,y_max\n")
    result = run_training(tmp_path / "run", "prepare", "--data", str(tmp_path))
    assert result.returncode == 1
    assert "a.png" in result.stderr
