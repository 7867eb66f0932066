"""The comparison of synthesised with real lesions, on lesions with known statistics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from tests.training.support import REPOSITORY, run_training
from training.configuration import load_configuration
from training.evaluation.realism import Specimen, compare, measure, published_traits, synthesised_traits
from training.sources import UnusableData, msd_liver_slices, phantom_slices

REAL = REPOSITORY.parent / "shared" / "data" / "msd-liver-slices"
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


def test_statistics_do_not_depend_on_the_margin_of_the_box() -> None:
    one = specimen(1, noise=1.0)
    assert one.statistics.contrast_hu == pytest.approx(-40, abs=2)
    assert one.side_px == pytest.approx(24, abs=2)
    assert one.statistics.patchiness_hu < 3
    assert specimen(1, softness_px=4).statistics.edge_hu_per_mm < 0.7 * specimen(1).statistics.edge_hu_per_mm
    assert specimen(1, noise=12).statistics.texture_hu > 1.5 * specimen(1, noise=6).statistics.texture_hu


@pytest.mark.parametrize("corners", [(33, 33, 35, 35), (0, 0, 95, 95)])
def test_a_lesion_that_cannot_be_measured_is_skipped(corners: tuple[int, int, int, int]) -> None:
    assert measure(np.full((SIDE, SIDE), 110, dtype=np.float32), corners, "p", 1.0) is None


def test_only_different_lesions_can_be_distinguished() -> None:
    real = [specimen(number) for number in range(40)]
    similar = compare(real, [specimen(100 + number) for number in range(120)])
    assert (similar.real, similar.synthesised) == (40, 120)
    assert similar.auc == pytest.approx(0.5, abs=0.15)
    brighter = compare(real, [specimen(100 + number, contrast=-20) for number in range(120)])
    assert brighter.auc > 0.95
    quartiles_real, quartiles_synthesised = brighter.table["contrast_hu"]
    assert quartiles_real[1] == pytest.approx(-40, abs=3)
    assert quartiles_synthesised[1] == pytest.approx(-20, abs=3)


def write_tables(folder: Path) -> None:
    folder.mkdir()
    patients = [("a", "ICC"), ("b", "ICC"), ("c", "CRLM"), ("d", "BCLM"), ("e", "HCC")]
    (folder / "meta_info_patient.csv").write_text("ID,type\n" + "".join(f"{name},{kind}\n" for name, kind in patients))
    (folder / "meta_info_tumor.csv").write_text(
        "ID,InExp_Volume_mm3,Avg_Volume_mm3,Max3D_Diameter_mm,Rim APHE,Lobulated\n"
        "a,100,100,50,Y,Y\nb,300,100,70,N,Y\nc,200,100,20,Y,N\nd,400,100,40,Y,Y\ne,9,1,999,Y,Y\n"
    )


def test_the_tables_of_mct_ltdiag_are_read_by_type(tmp_path: Path) -> None:
    with pytest.raises(UnusableData, match=r"meta_info_patient\.csv is missing"):
        published_traits(tmp_path / "mct")
    write_tables(tmp_path / "mct")
    traits = published_traits(tmp_path / "mct")
    assert traits["cholangiocarcinoma"].diameters_mm[2] == 60
    assert (traits["cholangiocarcinoma"].lesions, traits["cholangiocarcinoma"].rim) == (2.0, 0.5)
    assert (traits["metastasis"].lesions, traits["metastasis"].lobulated) == (3.0, 0.5)
    assert traits["metastasis"].diameters_mm[2] == 30


def test_synthesised_lesions_have_the_sizes_rims_and_lobulation_of_mct_ltdiag() -> None:
    data = load_configuration("smoke").data
    traits = synthesised_traits(phantom_slices(150, data), data)
    expected = {"cholangiocarcinoma": (70, 0.61, 0.34), "metastasis": (35, 0.70, 0.10)}
    for label, (median_mm, rim, lobulated) in expected.items():
        assert traits[label].diameters_mm[2] == pytest.approx(median_mm, rel=0.3), "the largest of several"
        assert traits[label].rim == pytest.approx(rim, abs=0.12)
        assert traits[label].lobulated == pytest.approx(lobulated, abs=0.12)
    assert 1 <= traits["cholangiocarcinoma"].lesions < traits["metastasis"].lesions < 2.2


def test_too_few_real_lesions_are_refused() -> None:
    with pytest.raises(UnusableData, match="4 real lesions are too few"):
        compare([specimen(number) for number in range(4)], [])


@pytest.mark.skipif(not REAL.is_dir(), reason=f"{REAL} is not here: real slices are not part of the repository")
def test_the_command_compares_all_reviewed_real_lesions(tmp_path: Path) -> None:
    boxes = sum(len(item.real_lesions) for item in msd_liver_slices(REAL, load_configuration("compact").data))
    result = run_training(tmp_path, "realism", "--data", str(REAL))
    assert result.returncode == 0, result.stderr
    assert f"{boxes} real lesions" in result.stdout
    assert "contrast_hu" in result.stdout
    assert 0.5 <= float(result.stdout.split()[-1]) <= 1
