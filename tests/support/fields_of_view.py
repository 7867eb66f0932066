"""One slice as scans with other fields of view show it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hepar.imaging.body import organs_box
from tests.support.pictures import ct_dataset, dicom_bytes

SAMPLE_FIELD_MM = 409.6
SIDE_PX = 512
_AIR_HU, _FAT_HU = -1000, -100
_SKIN_PX = 4


def sample_hu(name: str = "metastasis") -> NDArray[np.int32]:
    """A sample picture in Hounsfield units: fat where it is black, and air around the body."""
    grey = np.asarray(Image.open(Path("samples") / f"{name}.png").convert("L"))
    hu = np.where(grey == 0, _FAT_HU, np.rint(grey * (250 / 255))).astype(np.int32)
    box = organs_box(grey)
    assert box is not None
    height, width = grey.shape
    y, x = np.mgrid[:height, :width] + 0.5
    half_width, half_height = (box.x_max - box.x_min) / 2 * width, (box.y_max - box.y_min) / 2 * height
    across = (x - (box.x_min + box.x_max) / 2 * width) / (half_width + _SKIN_PX)
    down = (y - (box.y_min + box.y_max) / 2 * height) / (half_height + _SKIN_PX)
    hu[(across**2 + down**2 > 1) & (grey == 0)] = _AIR_HU
    return hu


def with_field(hu: NDArray[np.int32], field_mm: float) -> NDArray[np.int32]:
    """(SIDE_PX, SIDE_PX): the same patient in the middle of a field of view of another size."""
    side = round(SIDE_PX * SAMPLE_FIELD_MM / field_mm)
    resized = Image.fromarray(hu.astype(np.float32) - _AIR_HU).resize((side, side), Image.Resampling.BICUBIC)
    start = (side - SIDE_PX) // 2
    shown = resized.crop((start, start, start + SIDE_PX, start + SIDE_PX))
    return np.asarray(np.rint(np.asarray(shown)) + _AIR_HU, dtype=np.int32)


def dicom_with_field(hu: NDArray[np.int32], field_mm: float, *, transposed: bool = False) -> bytes:
    """transposed: rows run to the back, as some scanners store them."""
    pixels = with_field(hu, field_mm)
    dataset = ct_dataset(np.ascontiguousarray(pixels.T) if transposed else pixels)
    dataset.PixelSpacing = [f"{field_mm / SIDE_PX:.6f}"] * 2
    if transposed:
        dataset.ImageOrientationPatient = ["0", "1", "0", "1", "0", "0"]
    return dicom_bytes(dataset)
