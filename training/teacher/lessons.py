"""What the teacher says about each training image, as a file that the training of the students reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from training.prepared.dataset import Example, data_fingerprint
from training.sources import UnusableData

FILE = "teacher/lessons.npz"
Floats32 = NDArray[np.float32]


@dataclass(frozen=True)
class Lessons:
    """probabilities: (n, 3) in the order of CLASS_LABELS.  maps: (n, cells, cells, components) reduced feature maps.

    livers: (n, cells, cells) share of each cell that is liver; maps mean nothing elsewhere.
    """

    names: tuple[str, ...]
    probabilities: Floats32
    maps: Floats32
    livers: Floats32
    data_sha256: str
    provenance: str

    def of(self, examples: Sequence[Example]) -> Self:
        """In the order of `examples`. Raises UnusableData if one is missing."""
        rows = {name: row for row, name in enumerate(self.names)}
        missing = [example.name for example in examples if example.name not in rows]
        if missing:
            raise UnusableData(f"the teacher does not know {missing[0]}: run `python -m training teach` again")
        chosen = [rows[example.name] for example in examples]
        names = tuple(example.name for example in examples)
        return type(self)(
            names, self.probabilities[chosen], self.maps[chosen], self.livers[chosen], self.data_sha256, self.provenance
        )


def write_lessons(lessons: Lessons, run_folder: Path) -> Path:
    """Replaces the file of the run and returns its path."""
    file = run_folder / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(".part.npz")
    np.savez(
        unfinished,
        names=np.array(lessons.names),
        probabilities=lessons.probabilities,
        maps=lessons.maps.astype(np.float16),
        livers=lessons.livers.astype(np.float16),
        data_sha256=np.array(lessons.data_sha256),
        provenance=np.array(lessons.provenance),
    )
    unfinished.rename(file)
    return file


def lessons_of_run(run_folder: Path, data: Path) -> Lessons:
    """The lessons about the images in `data`. Raises UnusableData if the teacher has not run, or on other images."""
    lessons = read_lessons(run_folder)
    if lessons.data_sha256 != data_fingerprint(data):
        raise UnusableData(f"{run_folder / FILE} is about other images: run `python -m training teach` again")
    return lessons


def read_lessons(run_folder: Path) -> Lessons:
    """Raises UnusableData if the teacher has not run."""
    file = run_folder / FILE
    if not file.is_file():
        raise UnusableData(f"{file} is missing: run `python -m training teach` first")
    with np.load(file) as stored:
        return Lessons(
            tuple(stored["names"].tolist()),
            stored["probabilities"],
            stored["maps"].astype(np.float32),
            stored["livers"].astype(np.float32),
            str(stored["data_sha256"]),
            str(stored["provenance"]),
        )
