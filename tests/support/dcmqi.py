"""Reads DICOM segmentations with dcmqi, which 3D Slicer uses too."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.support.node_programs import node_output


@dataclass(frozen=True, eq=False)
class ReadSegmentation:
    """voxels: (slices, rows, columns, segments).  to_patient: (4, 4), from (column, row, slice) to millimetres.

    segments: as dcmqi describes them, in the order of the voxels' last axis.  warnings: of dcmqi and its DCMTK.
    """

    voxels: NDArray[np.int16]
    to_patient: NDArray[np.float64]
    segments: list[dict[str, Any]]
    warnings: list[str]

    def points_mm(self, segment: int) -> NDArray[np.float64]:
        """(points, 3) centres of the voxels of a segment, from 0."""
        found = np.argwhere(self.voxels[..., segment] > 0)[:, ::-1]
        return found @ self.to_patient[:3, :3].T + self.to_patient[:3, 3]


def read_segmentations(paths: Sequence[Path]) -> list[ReadSegmentation]:
    lines = node_output("read_segmentations.mjs", "@itk-wasm/dicom", *paths).splitlines()
    return [_read(path, json.loads(line)) for path, line in zip(paths, lines, strict=True)]


def _read(path: Path, described: dict[str, Any]) -> ReadSegmentation:
    image = described["image"]
    voxels = np.fromfile(path.with_name(f"{path.name}.raw"), dtype="<i2")
    to_patient = np.eye(4)
    to_patient[:3, :3] = np.reshape(image["direction"], (3, 3)) * image["spacing"]
    to_patient[:3, 3] = image["origin"]
    shaped = voxels.reshape(*image["size"][::-1], image["components"])
    return ReadSegmentation(shaped, to_patient, described["segments"], described["warnings"])
