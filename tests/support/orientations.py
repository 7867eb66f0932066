"""The ways in which a file may store an image: the value that states it, and how the upright raster is turned."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Turn = Callable[[np.ndarray], np.ndarray]

# Columns of the raster increase along the first three numbers, rows along the last three: x to the patient's left,
# y to the back. Each turn is written for its own orientation, not derived from hepar.imaging.
IMAGE_ORIENTATIONS: dict[str, tuple[list[str], Turn]] = {
    "as displayed": (["1", "0", "0", "0", "1", "0"], lambda upright: upright),
    "mirrored": (["-1", "0", "0", "0", "1", "0"], np.fliplr),
    "upside down": (["1", "0", "0", "0", "-1", "0"], np.flipud),
    "prone": (["-1", "0", "0", "0", "-1", "0"], lambda upright: np.rot90(upright, 2)),
    "transposed": (["0", "1", "0", "1", "0", "0"], np.transpose),
    "decubitus left": (["0", "1", "0", "-1", "0", "0"], lambda upright: np.rot90(upright, 1)),
    "decubitus right": (["0", "-1", "0", "1", "0", "0"], lambda upright: np.rot90(upright, -1)),
    "transverse": (["0", "-1", "0", "-1", "0", "0"], lambda upright: np.rot90(upright, 2).T),
}
PATIENT_ORIENTATIONS: dict[str, tuple[list[str], Turn]] = {
    "\\".join(letters): (letters, IMAGE_ORIENTATIONS[name][1])
    for name, letters in {
        "as displayed": ["L", "P"],
        "mirrored": ["R", "P"],
        "upside down": ["L", "A"],
        "prone": ["RP", "AR"],
        "transposed": ["P", "L"],
        "decubitus left": ["P", "R"],
        "decubitus right": ["A", "L"],
        "transverse": ["A", "R"],
    }.items()
}
# How a picture with this EXIF orientation stores an upright one (Exif 2.32, tag 0x0112).
EXIF_ORIENTATIONS: dict[int, Turn] = {
    1: lambda upright: upright,
    2: np.fliplr,
    3: lambda upright: np.rot90(upright, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda upright: np.rot90(upright, 1),
    7: lambda upright: np.rot90(upright, 2).T,
    8: lambda upright: np.rot90(upright, -1),
}
