"""Phantoms and lesions in three dimensions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from training.lesions.volume import LesionVolume, Solid, draw_solids, synthesise_volume
from training.phantom import abdomen_phantom
from training.phantom.abdomen import Level
from training.phantom.volume import PhantomVolume, abdomen_volume

SIZE = 96


@pytest.fixture(scope="module")
def phantom() -> PhantomVolume:
    return abdomen_volume(3, SIZE, slice_spacing_mm=10)


def drawn(phantom: PhantomVolume, label: str = "metastasis", diameter_mm: float = 44.0) -> LesionVolume:
    """One lesion in the middle of the right lobe, as high as wide."""
    depth = ndimage.distance_transform_edt(phantom.liver, sampling=phantom.spacing_mm)
    centre = np.unravel_index(int(depth.argmax()), depth.shape)
    place = (float(centre[0]), float(centre[1]), float(centre[2]))
    solid = Solid("metastasis" if label == "metastasis" else "cholangiocarcinoma", place, diameter_mm, diameter_mm, 4)
    return draw_solids(phantom.hu, phantom.liver, phantom.spacing_mm, [solid])


def test_a_phantom_volume_has_one_liver_with_air_below_and_above(phantom: PhantomVolume) -> None:
    shown = np.flatnonzero(phantom.liver.any(axis=(1, 2)))
    assert np.array_equal(shown, np.arange(shown[0], shown[-1] + 1))
    assert shown[0] > 0
    assert shown[-1] < len(phantom.hu) - 1
    volume_ml = phantom.liver.sum() * np.prod(phantom.spacing_mm) / 1000
    assert 700 < volume_ml < 2500
    parts, count = ndimage.label(phantom.liver)
    assert np.bincount(parts.ravel())[1:].max() > 0.98 * phantom.liver.sum(), count


def test_neighbouring_slices_show_nearly_the_same_liver(phantom: PhantomVolume) -> None:
    middle = len(phantom.hu) // 2
    one, other = phantom.liver[middle], phantom.liver[middle + 1]
    assert 2 * (one & other).sum() / (one.sum() + other.sum()) > 0.9
    noise = (phantom.hu[middle] - phantom.hu[middle + 1])[one & other]
    assert noise.std() > 8, "each slice has its own noise"


def test_the_default_level_is_the_phantom_of_one_slice() -> None:
    one = abdomen_phantom(np.random.default_rng(5), SIZE)
    assert np.array_equal(one.hu, abdomen_phantom(np.random.default_rng(5), SIZE, level=Level()).hu)


def test_the_same_seed_draws_the_same_volume() -> None:
    one, again = (abdomen_volume(8, 48, slice_spacing_mm=30) for _ in range(2))
    assert np.array_equal(one.hu, again.hu)
    assert not np.array_equal(one.hu, abdomen_volume(9, 48, slice_spacing_mm=30).hu[: len(one.hu)])


@pytest.mark.parametrize("label", ["metastasis", "cholangiocarcinoma"])
def test_a_lesion_is_one_solid_that_shrinks_to_its_ends(phantom: PhantomVolume, label: str) -> None:
    lesion = drawn(phantom, label)
    assert ndimage.label(lesion.lesions, np.ones((3, 3, 3)))[1] == 1
    areas = (lesion.lesions > 0).sum(axis=(1, 2))
    shown = np.flatnonzero(areas)
    assert len(shown) in (4, 5)  # 44 mm in slices of 10 mm
    peak = int(areas.argmax())
    assert abs(peak - lesion.solids[0].centre[0]) <= 1
    assert (np.diff(areas[shown[0] : peak + 1]) > 0).all()
    assert (np.diff(areas[peak : shown[-1] + 1]) < 0).all()


def test_a_lesion_is_darker_and_nothing_else_changes(phantom: PhantomVolume) -> None:
    lesion = drawn(phantom)
    inside = lesion.lesions > 0
    assert lesion.hu[inside].mean() < phantom.hu[inside].mean() - 20
    far = ~ndimage.binary_dilation(inside, iterations=4)
    assert np.abs(lesion.hu[far].astype(int) - phantom.hu[far]).max() <= 1


def test_synthesised_lesions_lie_in_the_liver_apart_from_each_other(phantom: PhantomVolume) -> None:
    for seed in range(6):
        volume = synthesise_volume(
            phantom.hu, phantom.liver, phantom.spacing_mm, "metastasis", np.random.default_rng(seed)
        )
        assert not (volume.lesions[~phantom.liver] > 0).any()
        assert np.unique(volume.lesions).tolist() == list(range(len(volume.solids) + 1))
        for one in volume.solids:
            for other in volume.solids:
                apart = np.multiply(np.subtract(one.centre, other.centre), phantom.spacing_mm)
                assert one is other or np.linalg.norm(apart) >= (one.diameter_mm + other.diameter_mm) / 2


def test_cholangiocarcinoma_is_one_mass(phantom: PhantomVolume) -> None:
    volume = synthesise_volume(
        phantom.hu, phantom.liver, phantom.spacing_mm, "cholangiocarcinoma", np.random.default_rng(1)
    )
    assert [solid.label for solid in volume.solids] == ["cholangiocarcinoma"]


def test_a_liver_without_room_is_refused(phantom: PhantomVolume) -> None:
    nothing = np.zeros_like(phantom.liver)
    with pytest.raises(ValueError, match="no room"):
        synthesise_volume(phantom.hu, nothing, phantom.spacing_mm, "metastasis", np.random.default_rng(0))


def test_a_cut_follows_the_circle() -> None:
    solid = Solid("metastasis", (0, 0, 0), 20.0, 20.0, 0)
    assert (solid.cut_mm(0), solid.cut_mm(6), solid.cut_mm(-6), solid.cut_mm(10), solid.cut_mm(30)) == (
        20,
        16,
        16,
        0,
        0,
    )
