"""Studies that are cut from the sample study: other dates, other patients, fewer slices. No picture of a patient."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pydicom
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, generate_uid

from tests.support.study_api import zipped

SAMPLE = Path("samples/study.zip")
_AXIAL = "study/series-2/"


def sample_part(start: int = 0, stop: int | None = None, header: Mapping[str, str] | None = None) -> bytes:
    """Axial slices of the sample study from the feet up, as a ZIP of a study of its own. header: other values."""
    images = sorted(_images(_AXIAL), key=lambda image: float(image.ImagePositionPatient[2]))
    return _as_study(images[start:stop], header or {})


def damaged_study() -> bytes:
    """What claims to be JPEG 2000 is none: it cannot be analysed, which shows when its pixels are decoded."""
    images = _images(_AXIAL)[:8]
    for image in images:
        image.file_meta.TransferSyntaxUID = JPEG2000Lossless
        image.PixelData = encapsulate([bytes(1000)])
        image["PixelData"].is_undefined_length = True
    return _as_study(images, {"AccessionNumber": "HEPAR-5", "StudyDate": "20260120"})


def _as_study(images: list[Any], header: Mapping[str, str]) -> bytes:
    study_uid, series_uid, files = generate_uid(), generate_uid(), []
    for image in images:
        image.StudyInstanceUID, image.SeriesInstanceUID = study_uid, series_uid
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        for keyword, value in header.items():
            setattr(image, keyword, value)
        buffer = io.BytesIO()
        image.save_as(buffer)
        files.append(buffer.getvalue())
    return zipped(files)


def _images(folder: str) -> list[Any]:
    return [
        pydicom.dcmread(io.BytesIO(content)) for name, content in _sample_files().items() if name.startswith(folder)
    ]


@cache
def _sample_files() -> dict[str, bytes]:
    with zipfile.ZipFile(SAMPLE) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
