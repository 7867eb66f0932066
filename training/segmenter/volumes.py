"""Slices of whole volumes for the segmenter, at the training spacing: liver, lesions, or no liver at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.configuration import DataConfiguration
from training.segmenter.background import Masks
from training.sources import UnusableData

TOTAL_SEGMENTATOR_LIVER = 5
NO_LIVER_SLICES = 60
"""Of `ct-abdomen-pelvis`: from the feet up to well below the liver, which is labelled on the last 30 slices alone."""
LITS_SPACING_MM = 1.4
"""Estimated: the volume's header has no spacing. The vertebral bodies are then about 50 mm wide."""
_MRC_HEADER_BYTES = 1024
_MRC_TYPES: dict[int, np.dtype[Any]] = {1: np.dtype("<i2"), 2: np.dtype("<f4"), 6: np.dtype("<u2")}


@dataclass(frozen=True)
class VolumeSlice:
    """number: from the feet up.  lesions_known: whether somebody outlined lesions."""

    number: int
    masks: Masks
    lesions_known: bool


def abdomen_pelvis(folder: Path, data: DataConfiguration) -> Iterator[VolumeSlice]:
    """`ct-abdomen-pelvis` of TotalSegmentator's tests: slices without liver, then those with the liver labelled.

    Slices between them show liver that nobody labelled and are left out.
    """
    hu, spacing_mm = _displayed(folder / "ct-abdomen-pelvis.nii.gz")
    organs, _ = _displayed(folder / "ct-abdomen-pelvis-organs.nii.gz")
    first = len(hu) - len(organs)
    for number, values in enumerate(hu):
        if number < NO_LIVER_SLICES:
            liver = np.zeros(values.shape, dtype=bool)
        elif number >= first:
            liver = organs[number - first] == TOTAL_SEGMENTATOR_LIVER
        else:
            continue
        yield VolumeSlice(number, _prepared(values, liver, np.zeros_like(liver), spacing_mm, data), False)


def crlm(folder: Path, data: DataConfiguration) -> Iterator[VolumeSlice]:
    """`crlm-volume`: every slice, with the radiologist's liver and tumour."""
    hu, spacing_mm = _displayed(folder / "crlm-volume.nii.gz")
    marks, _ = _displayed(folder / "crlm-liver-and-tumour.nii.gz")
    for number, (values, mark) in enumerate(zip(hu, marks, strict=True)):
        yield VolumeSlice(number, _prepared(values, mark > 0, mark > 1, spacing_mm, data), True)


def lits_117(folder: Path, data: DataConfiguration) -> Iterator[VolumeSlice]:
    """LiTS volume 117 of the package liver-ct-segmentation-package, cropped around the liver as it comes.

    folder: the package's `data` folder.
    """
    hu, marks = (_read_mrc(folder / name) for name in ("img_117.mrc", "lab_117.mrc"))
    for number in range(hu.shape[2]):
        values, mark = hu[:, :, number].T, marks[:, :, number].T
        yield VolumeSlice(number, _prepared(values, mark > 0, mark > 1, LITS_SPACING_MM, data), True)


def _displayed(file: Path) -> tuple[NDArray[np.float32], float]:
    """(slices, h, w) in standard radiological display, from the feet up, and the side of a pixel in mm."""
    if not file.is_file():
        raise UnusableData(f"{file} is missing")
    canonical = nibabel.as_closest_canonical(nibabel.load(file))
    values = np.asarray(canonical.dataobj, dtype=np.float32)
    return np.ascontiguousarray(values[::-1, ::-1, :].transpose(2, 1, 0)), float(canonical.header.get_zooms()[0])


def _read_mrc(file: Path) -> NDArray[np.float32]:
    """The values of an MRC file without an extended header. Cheng et al., "MRC2014", J. Struct. Biol. 192, 2015."""
    if not file.is_file():
        raise UnusableData(f"{file} is missing")
    content = file.read_bytes()
    columns, rows, sections, mode = np.frombuffer(content, "<i4", 4)
    extended = int(np.frombuffer(content, "<i4", 1, offset=92)[0])
    if int(mode) not in _MRC_TYPES:
        raise UnusableData(f"{file} has values of mode {mode}")
    values = np.frombuffer(content, _MRC_TYPES[int(mode)], offset=_MRC_HEADER_BYTES + extended)
    return np.asarray(values, dtype=np.float32).reshape(int(sections), int(rows), int(columns))


def _prepared(
    hu: NDArray[np.float32],
    liver: NDArray[np.bool_],
    lesions: NDArray[np.bool_],
    spacing_mm: float,
    data: DataConfiguration,
) -> Masks:
    relative = (hu - data.window_low_hu) / (data.window_high_hu - data.window_low_hu)
    grey = np.asarray(np.clip(np.rint(relative * 255), 0, 255), dtype=np.uint8)
    scale, side = spacing_mm / data.pixel_spacing_mm, data.input_size_px
    return Masks(
        _on_canvas(grey, scale, side, Image.Resampling.BILINEAR),
        _on_canvas(liver.astype(np.uint8), scale, side, Image.Resampling.NEAREST) > 0,
        _on_canvas(lesions.astype(np.uint8), scale, side, Image.Resampling.NEAREST) > 0,
    )


def _on_canvas(values: NDArray[np.uint8], scale: float, side: int, way: Image.Resampling) -> NDArray[np.uint8]:
    """(side, side): scaled, then cropped or padded with 0 around its centre."""
    height, width = values.shape
    resized = Image.fromarray(values).resize((round(width * scale), round(height * scale)), way)
    left, top = (resized.width - side) // 2, (resized.height - side) // 2
    return np.asarray(resized.crop((left, top, left + side, top + side)))
