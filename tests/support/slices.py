"""Slices of volumes for tests: synthetic, in the liver window and in standard display."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from hepar.imaging.ct_image import GreyImage
from hepar.imaging.npy import npy_bytes
from tests.support.tokens import TokenAuthority

SAMPLES = ("cholangiocarcinoma", "metastasis", "no_tumour")
BINARY = {"content-type": "application/octet-stream"}


def sample_slices(count: int) -> GreyImage:
    """(count, rows, columns): the samples in turn, each a little brighter than the one before it."""
    pixels = [np.asarray(Image.open(Path("samples") / f"{name}.png").convert("L")) for name in SAMPLES]
    shifted = [np.clip(pixels[index % len(pixels)].astype(int) + index // 3, 0, 255) for index in range(count)]
    return np.stack(shifted).astype(np.uint8)


def worker(authority: TokenAuthority) -> dict[str, str]:
    """The headers of the study worker."""
    return BINARY | authority.bearer("study-worker", "slices")


def body(slices: GreyImage, masks: GreyImage | None = None) -> bytes:
    return npy_bytes(slices) + (b"" if masks is None else npy_bytes(masks))
