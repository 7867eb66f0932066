"""New training images for every epoch: the same slices with other lesions, distractors and domains."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from training.configuration import DataConfiguration, Synthesis
from training.prepared.dataset import Example, read_manifest
from training.prepared.synthesis import write_variants
from training.prepared.writing import (
    BACKGROUNDS,
    KINDS,
    read_background,
    start_part,
    write_description,
    write_examples,
)
from training.sources import UnusableData

PART = "train"


def epoch_images(synthesis: Synthesis, prepared: Path, run: Path, data: DataConfiguration) -> EpochImages | None:
    """The images of a network's run in the folder `run`; None where it learns from the prepared ones in each epoch."""
    return EpochImages(prepared, run / "drawn", data) if synthesis == "each_epoch" else None


@dataclass(frozen=True)
class EpochImages:
    """The training part of a prepared data set, in a folder of its own, where each epoch has other images.

    prepared: the data set, which stays as it is.  folder: has the training part of one epoch in the same layout.
    Names, labels and their order are those of the data set in every epoch. Slices with real lesions
    and copies for which an epoch draws no lesion that fits are taken from the data set.
    """

    prepared: Path
    folder: Path
    data: DataConfiguration
    workers: int = 2

    def draw(self, epoch: int) -> None:
        """Replaces the images by those of an epoch, 0 being the prepared ones; the same call gives the same images.

        Raises UnusableData if the data set was not prepared from tumour-free slices.
        """
        backgrounds = sorted((self.prepared / BACKGROUNDS).glob("*.npz"))
        if not backgrounds:
            raise UnusableData(
                f"{self.prepared} has no slices to synthesise lesions into: run `prepare` from such slices"
            )
        next_folder = self.folder / "next"
        shutil.rmtree(next_folder, ignore_errors=True)
        start_part(next_folder / PART)
        drawn = {example.name: example for example in self._drawn(backgrounds, next_folder, epoch)}
        examples = [drawn.get(example.name, example) for example in read_manifest(self.prepared, PART)]
        for example in examples:
            if example.name not in drawn:
                self._copy(example.name, next_folder)
        shutil.rmtree(self.folder / PART, ignore_errors=True)
        (next_folder / PART).rename(self.folder / PART)
        write_examples(self.folder, examples, [PART])
        write_description(self.folder, self.prepared)

    def _drawn(self, backgrounds: Sequence[Path], out: Path, epoch: int) -> list[Example]:
        if not epoch:
            return []
        # Not forked: the frameworks that train have threads, whose locks a fork would inherit.
        with ProcessPoolExecutor(self.workers, get_context("spawn")) as pool:
            draw = partial(_draw, data=self.data, out=out, epoch=epoch)
            return [example for made in pool.map(draw, backgrounds, chunksize=4) for example in made]

    def _copy(self, name: str, out: Path) -> None:
        for kind in KINDS:
            suffix = ".txt" if kind == "labels" else ".png"
            shutil.copyfile(self.prepared / PART / kind / f"{name}{suffix}", out / PART / kind / f"{name}{suffix}")


def _draw(background: Path, *, data: DataConfiguration, out: Path, epoch: int) -> list[Example]:
    return write_variants(read_background(background), PART, data, out, epoch)
