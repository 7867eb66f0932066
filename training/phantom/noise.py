"""Noise with the spectrum of filtered back-projection."""

from __future__ import annotations

import numpy as np

from training.fields import FloatImage


def ct_noise(
    rng: np.random.Generator,
    shape: tuple[int, int],
    spacing_mm: float,
    sigma_hu: float,
    cutoff_per_mm: float = 0.45,
) -> FloatImage:
    """Correlated noise of standard deviation `sigma_hu` whose power rises as a ramp and then falls.

    The noise power spectrum of filtered back-projection is proportional to |f| times the squared
    apodisation window of the kernel (Riederer, Pelc and Chesler, "The noise power spectrum in
    computed x-ray tomography", Phys. Med. Biol. 23, 1978). Here the window is Gaussian:
    NPS(f) = |f| exp(-2 (f / cutoff)^2), f in cycles per mm.
    """
    frequency = np.hypot(np.fft.fftfreq(shape[0], spacing_mm)[:, None], np.fft.rfftfreq(shape[1], spacing_mm)[None, :])
    amplitude = np.sqrt(frequency) * np.exp(-((frequency / cutoff_per_mm) ** 2))
    spectrum = np.fft.rfft2(rng.standard_normal(shape)) * amplitude
    noise = np.fft.irfft2(spectrum, s=shape)
    return np.asarray(noise * (sigma_hu / noise.std()), dtype=np.float32)
