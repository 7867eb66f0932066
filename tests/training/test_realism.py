"""The comparison of synthesised with real lesions, on lesions whose statistics are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from tests.training.test_datasets import training
from training.configuration import load_configuration
from training.evaluation.realism import Specimen, compare, measure
from training.sources import UnusableData, msd_liver_slices

REAL = Path(__file__).parents[3] / "shared" / "data" / "msd-liver-slices"
SIDE = 96


def specimen(number: int, *, contrast: float = -40.0, softness_px: float = 1.0, noise: float = 6.0) -> Specimen:
    """A round lesion of radius 12 px in a liver of 110 HU; its box has a margin of three pixels."""
    rng = np.random.default_rng(number)
    rows, columns = np.indices((SIDE, SIDE))
    lesion = (np.hypot(rows - 48, columns - 48) < 12).astype(np.float32)
    hu = 110 + contrast * ndimage.gaussian_filter(lesion, softness_px) + rng.normal(0, noise, lesion.shape)
    found = measure(hu.astype(np.float32), (33, 33, 64, 64), f"p{number}", 1.0)
    assert found is not None
    return found


def test_statistics_are_those_of_the_lesion_whatever_the_margin_of_its_box() -> None:
    one = specimen(1, noise=1.0)
    assert one.statistics.contrast_hu == pytest.approx(-40, abs=2)
    assert one.side_px == pytest.approx(24, abs=2)
    assert one.statistics.patchiness_hu < 3
    assert specimen(1, softness_px=4).statistics.edge_hu_per_mm < 0.7 * specimen(1).statistics.edge_hu_per_mm
    assert specimen(1, noise=12).statistics.texture_hu > 1.5 * specimen(1, noise=6).statistics.texture_hu


@pytest.mark.parametrize("corners", [(33, 33, 35, 35), (0, 0, 95, 95)])
def test_what_cannot_be_measured_is_left_out(corners: tuple[int, int, int, int]) -> None:
    assert measure(np.full((SIDE, SIDE), 110, dtype=np.float32), corners, "p", 1.0) is None


def test_lesions_of_one_kind_cannot_be_told_apart_and_of_two_kinds_can() -> None:
    real = [specimen(number) for number in range(40)]
    alike = compare(real, [specimen(100 + number) for number in range(120)])
    assert (alike.real, alike.synthesised) == (40, 120)
    assert alike.auc == pytest.approx(0.5, abs=0.15)
    paler = compare(real, [specimen(100 + number, contrast=-20) for number in range(120)])
    assert paler.auc > 0.95
    quartiles_real, quartiles_made = paler.table["contrast_hu"]
    assert quartiles_real[1] == pytest.approx(-40, abs=3)
    assert quartiles_made[1] == pytest.approx(-20, abs=3)


def test_too_few_real_lesions_are_refused() -> None:
    with pytest.raises(UnusableData, match="4 real lesions are too few"):
        compare([specimen(number) for number in range(4)], [])


@pytest.mark.skipif(not REAL.is_dir(), reason=f"{REAL} is not here: real slices are not part of the repository")
def test_the_command_compares_all_reviewed_real_lesions(tmp_path: Path) -> None:
    boxes = sum(len(item.real_lesions) for item in msd_liver_slices(REAL, load_configuration("compact").data))
    done = training(tmp_path, "realism", "--data", str(REAL))
    assert done.returncode == 0, done.stderr
    assert f"{boxes} real lesions" in done.stdout
    assert "contrast_hu" in done.stdout
    assert 0.5 <= float(done.stdout.split()[-1]) <= 1
