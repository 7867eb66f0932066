"""The volume for the benchmark of studies, as the study worker reads it."""

from __future__ import annotations

from pathlib import Path

from bench.measurement import MeasurementFailed
from hepar.imaging.errors import StudyError
from hepar.imaging.study import load_study
from hepar.imaging.volume import CtVolume

SAMPLE_STUDY = Path("samples/study.zip")


def volume_of(source: Path) -> CtVolume:
    """The series that would be analysed.

    source: a folder of DICOM files, a ZIP or a NIfTI volume.  Raises MeasurementFailed where it is no study.
    """
    paths = [file for file in sorted(source.iterdir()) if file.is_file()] if source.is_dir() else [source]
    try:
        return load_study(paths)[1]
    except StudyError as error:
        raise MeasurementFailed(f"{source}: {error}") from error
