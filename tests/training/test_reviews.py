"""Which review of the shared slices is read."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.configuration import load_configuration
from training.sources import UnusableData, msd_liver_slices


def write_review(folder: Path, verdict: str, boxes: list[tuple[int, int, int, int]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tables: dict[str, list[list[object]]] = {
        "slices.csv": [["image", "patient", "slice", "liver_pixels", "review"], ["7_1.png", "7", "1", "400", verdict]],
        "lesions.csv": [["image", "x_min", "y_min", "x_max", "y_max"], *(["7_1.png", *box] for box in boxes)],
    }
    for name, rows in tables.items():
        with (folder / name).open("w", newline="") as file:
            csv.writer(file).writerows(rows)


@pytest.fixture
def slices(tmp_path: Path) -> Path:
    """One slice; the first review saw nothing, the second one a lesion."""
    for name in ("images", "liver_masks"):
        (tmp_path / name).mkdir()
        Image.fromarray(np.full((64, 64), 255, dtype=np.uint8)).save(tmp_path / name / "7_1.png")
    write_review(tmp_path, "none_seen", [])
    write_review(tmp_path / "second-review", "lesion", [(10, 12, 20, 25)])
    return tmp_path


def test_compact_reads_the_first_review_and_compact_2_the_second(slices: Path) -> None:
    (first,) = msd_liver_slices(slices, load_configuration("compact").data)
    (second,) = msd_liver_slices(slices, load_configuration("compact-2").data)
    assert (first.tumour_free, first.real_lesions) == (True, ())
    assert (second.tumour_free, second.real_lesions) == (False, ((10, 12, 20, 25),))


def test_a_missing_second_review_is_named(slices: Path) -> None:
    (slices / "second-review" / "lesions.csv").unlink()
    with pytest.raises(UnusableData, match=r"second-review/lesions\.csv is missing"):
        list(msd_liver_slices(slices, load_configuration("compact-2").data))
