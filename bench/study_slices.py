"""Slices for the benchmark of studies, as the study worker sends them."""

from __future__ import annotations

from pathlib import Path

from bench.measurement import MeasurementFailed
from hepar.imaging.ct_image import LIVER_WINDOW, GreyImage
from hepar.imaging.errors import StudyError
from hepar.imaging.study import load_volume, read_headers
from hepar.imaging.volume import CtVolume, grey_levels

SAMPLE_STUDY = Path("samples/study.zip")


def volume_of(source: Path) -> CtVolume:
    """The series that would be analysed.

    source: a folder of DICOM files, a ZIP or a NIfTI volume.  Raises MeasurementFailed where it is no study.
    """
    paths = [file for file in sorted(source.iterdir()) if file.is_file()] if source.is_dir() else [source]
    try:
        return load_volume(paths, read_headers(paths))
    except StudyError as error:
        raise MeasurementFailed(f"{source}: {error}") from error


def slices_of(source: Path) -> tuple[GreyImage, float]:
    """(slices, rows, columns) as the worker sends them, and the distance between slices in millimetres.

    Raises MeasurementFailed.
    """
    volume = volume_of(source)
    return grey_levels(volume.hu, LIVER_WINDOW), volume.geometry.spacing_mm[0]
