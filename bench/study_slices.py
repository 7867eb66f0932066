"""Slices for the benchmark of studies: of a folder of DICOM files, of a ZIP of them, or synthetic."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.measurement import MeasurementFailed
from hepar.imaging import decode
from hepar.imaging.ct_image import GreyImage
from hepar.imaging.prepared import square_pixels

SAMPLE_STUDY = Path("samples/study.zip")
SYNTHETIC_SLICES = 41
_SAMPLES = tuple(Path("samples") / f"{name}.png" for name in ("metastasis", "cholangiocarcinoma", "no_tumour"))


def slices_of(source: Path | None) -> tuple[str, GreyImage]:
    """What they are, for the report, and (slices, rows, columns) as the worker would send them.

    source: a folder or a ZIP of one series; by default the sample study, or synthetic slices where there is none.
    Raises MeasurementFailed where slices differ in size.
    """
    if source is None and SAMPLE_STUDY.is_file():
        source = SAMPLE_STUDY
    if source is None:
        samples = [_pixels(file.read_bytes()) for file in _SAMPLES]
        slices = [samples[index % len(samples)] for index in range(SYNTHETIC_SLICES)]
        name = "synthetic slices"
    else:
        slices = [_pixels(content) for content in _contents(source)]
        name = source.name
    if len({pixels.shape for pixels in slices}) != 1:
        raise MeasurementFailed(f"{source}: there are no slices, or they differ in size")
    return name, np.stack(slices)


def _pixels(content: bytes) -> GreyImage:
    return square_pixels(decode(content))


def _contents(source: Path) -> Iterator[bytes]:
    if source.is_dir():
        yield from (file.read_bytes() for file in sorted(source.iterdir()) if file.is_file())
        return
    with zipfile.ZipFile(source) as archive:
        for name in sorted(archive.namelist()):
            if not name.endswith("/"):
                yield archive.read(name)
