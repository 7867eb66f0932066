"""The sample images in samples/: phantoms, so that no patient data is needed to try the services."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from hepar.imaging.ct_image import Window
from training.configuration import DataConfiguration
from training.lesions import LABELS, synthesise
from training.phantom import abdomen_phantom

SAMPLE_SIZE_PX = 512
_SEEDS = {"cholangiocarcinoma": 35, "metastasis": 56, "no_tumour": 21}


def write_samples(data: DataConfiguration, folder: Path) -> list[Path]:
    """Writes one phantom per label as PNG, in the window that the networks expect."""
    folder.mkdir(parents=True, exist_ok=True)
    window = Window(data.window_low_hu, data.window_high_hu)
    paths = []
    for label, seed in _SEEDS.items():
        rng = np.random.default_rng(seed)
        phantom = abdomen_phantom(rng, SAMPLE_SIZE_PX)
        hu = phantom.hu
        if label in LABELS:
            hu = synthesise(hu, phantom.liver_mask, phantom.spacing_mm, LABELS[LABELS.index(label)], rng).hu
        path = folder / f"{label}.png"
        Image.fromarray(window.to_grey(hu)).save(path, optimize=True)
        paths.append(path)
    return paths
