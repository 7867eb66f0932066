"""Phantoms and synthesised lesions."""

from __future__ import annotations

import numpy as np
import pytest

from training.fields import harmonic_radius, smooth_field
from training.lesions import LABELS, synthesise
from training.lesions.metastasis import metastasis_count
from training.lesions.parenchyma import measure_parenchyma
from training.phantom import abdomen_phantom
from training.phantom.noise import ct_noise

SEEDS = range(12)


def test_a_phantom_is_an_abdomen_in_hounsfield_units() -> None:
    for seed in SEEDS:
        phantom = abdomen_phantom(np.random.default_rng(seed), 256)
        assert phantom.hu.shape == phantom.liver_mask.shape == (256, 256)
        assert phantom.spacing_mm == pytest.approx(410 / 256)
        liver = phantom.hu[phantom.liver_mask]
        assert 80 < np.median(liver) < 135
        assert phantom.hu[:5, :5].mean() < -900
        area_cm2 = phantom.liver_mask.sum() * phantom.spacing_mm**2 / 100
        assert 60 < area_cm2 < 260
        _, columns = np.nonzero(phantom.liver_mask)
        assert columns.mean() < 128, "the liver lies on the image's left"
        spine = phantom.hu[150:220, 110:146]
        assert (spine > 250).sum() > 50


def test_the_same_seed_draws_the_same_phantom_and_another_seed_another() -> None:
    one, again, other = (abdomen_phantom(np.random.default_rng(seed), 128).hu for seed in (1, 1, 2))
    assert (one == again).all()
    assert not np.allclose(one, other)


def test_ct_noise_has_the_given_deviation_and_the_spectrum_of_filtered_back_projection() -> None:
    noise = ct_noise(np.random.default_rng(0), (512, 512), 0.8, sigma_hu=12)
    assert noise.std() == pytest.approx(12, rel=1e-3)
    power = np.abs(np.fft.rfft2(noise)) ** 2
    frequency = np.hypot(np.fft.fftfreq(512, 0.8)[:, None], np.fft.rfftfreq(512, 0.8)[None, :])

    def band(low: float, high: float) -> float:
        return float(power[(frequency >= low) & (frequency < high)].mean())

    def formula(middle: float) -> float:
        return middle * float(np.exp(-2 * (middle / 0.45) ** 2))

    reference = band(0.19, 0.21) / formula(0.2)
    for middle in (0.05, 0.1, 0.3, 0.4, 0.55):
        assert band(middle - 0.01, middle + 0.01) / reference == pytest.approx(formula(middle), rel=0.15)


@pytest.mark.parametrize("label", LABELS)
def test_lesions_are_in_the_liver_and_darker_and_their_boxes_fit(label: str) -> None:
    for seed in SEEDS:
        rng = np.random.default_rng([seed, 9])
        phantom = abdomen_phantom(rng, 256)
        made = synthesise(phantom.hu, phantom.liver_mask, phantom.spacing_mm, LABELS[LABELS.index(label)], rng)
        assert made.boxes
        assert {box.label for box in made.boxes} == {label}
        assert not (made.lesion_mask & ~made.liver_mask).any()
        healthy = made.liver_mask & ~made.lesion_mask
        assert made.hu[made.lesion_mask].mean() < made.hu[healthy].mean() - 8
        inside = np.zeros_like(made.lesion_mask)
        for box in made.boxes:
            assert 0 <= box.x_min < box.x_max <= 256
            assert 0 <= box.y_min < box.y_max <= 256
            inside[box.y_min : box.y_max, box.x_min : box.x_max] = True
        assert not (made.lesion_mask & ~inside).sum() > 4


def test_nothing_changes_outside_the_liver_and_its_capsule() -> None:
    rng = np.random.default_rng(4)
    phantom = abdomen_phantom(rng, 256)
    made = synthesise(phantom.hu, phantom.liver_mask, phantom.spacing_mm, "metastasis", rng)
    far = ~phantom.liver_mask
    difference = np.abs(made.hu - phantom.hu)[far]
    assert (difference > 1).mean() < 0.01


def test_a_lesion_has_the_noise_of_its_surroundings() -> None:
    ratios = []
    for seed in SEEDS:
        rng = np.random.default_rng([seed, 3])
        phantom = abdomen_phantom(rng, 256)
        made = synthesise(phantom.hu, phantom.liver_mask, phantom.spacing_mm, "metastasis", rng)
        grain = made.hu - measure_parenchyma(made.hu, made.liver_mask, phantom.spacing_mm).level_hu
        high = np.diff(grain, axis=1)
        lesion, healthy = made.lesion_mask[:, 1:], (made.liver_mask & ~made.lesion_mask)[:, 1:]
        if lesion.sum() > 150:
            ratios.append(float(np.median(np.abs(high[lesion])) / np.median(np.abs(high[healthy]))))
    assert len(ratios) >= 4
    assert 0.7 < np.median(ratios) < 1.4


def test_the_number_of_metastases_is_that_of_mct_ltdiag() -> None:
    rng = np.random.default_rng(0)
    counts = [metastasis_count(rng) for _ in range(4000)]
    assert (min(counts), max(counts)) == (1, 8)
    assert np.mean(counts) == pytest.approx(1.8, abs=0.1)


def test_cholangiocarcinomas_are_larger_but_sizes_overlap() -> None:
    widest: dict[str, list[float]] = {label: [] for label in LABELS}
    for seed in range(30):
        for label in LABELS:
            rng = np.random.default_rng([seed, 5])
            phantom = abdomen_phantom(rng, 128)
            box = synthesise(phantom.hu, phantom.liver_mask, phantom.spacing_mm, label, rng).boxes[0]
            widest[label].append(max(box.x_max - box.x_min, box.y_max - box.y_min) * phantom.spacing_mm)
    assert np.median(widest["cholangiocarcinoma"]) > np.median(widest["metastasis"])
    assert np.percentile(widest["cholangiocarcinoma"], 20) < np.percentile(widest["metastasis"], 80)


def test_too_little_liver_is_an_error() -> None:
    hu = np.full((64, 64), 100, dtype=np.float32)
    mask = np.zeros((64, 64), dtype=bool)
    mask[:10, :10] = True
    with pytest.raises(ValueError, match="fewer than 200"):
        synthesise(hu, mask, 1.0, "metastasis", np.random.default_rng(0))
    mask[:] = False
    mask[10:14, :] = True
    with pytest.raises(ValueError, match="too narrow"):
        synthesise(hu, mask, 1.0, "metastasis", np.random.default_rng(0))


def test_random_fields_are_standardised_and_outlines_closed() -> None:
    rng = np.random.default_rng(0)
    for scale in (0.8, 4, 20):
        field = smooth_field(rng, (90, 70), scale)
        assert field.shape == (90, 70)
        assert field.mean() == pytest.approx(0, abs=1e-4)
        assert field.std() == pytest.approx(1, abs=1e-3)
    angle = np.array([-np.pi, np.pi], dtype=np.float32)
    radius = harmonic_radius(rng, angle, 0.1, range(2, 7))
    assert radius[0] == pytest.approx(radius[1], abs=1e-4)
