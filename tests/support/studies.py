"""Generated CT series and the archives that they come in."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import EnhancedCTImageStorage, generate_uid

from tests.support.pictures import ct_dataset, dicom_bytes

ROWS, COLUMNS = 40, 48
SPACING_MM = (0.8, 0.7)
FORTY_MM = tuple(5.0 * number for number in range(40))


def numbered_hu(number: int, rows: int = ROWS, columns: int = COLUMNS) -> NDArray[np.int32]:
    """(rows, columns) with a different value in each pixel of a slice, and another offset for each slice."""
    hu = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns) % 700 - 300
    hu += 10 * number
    hu[0, :4] = -1000
    return hu


def ct_series(
    positions_mm: Sequence[float] = FORTY_MM,
    along: tuple[float, ...] = (1, 0, 0, 0, 1, 0),
    origin_mm: tuple[float, float, float] = (-150.0, -140.0, -400.0),
    spacing_mm: tuple[float, float] = SPACING_MM,
    shape: tuple[int, int] = (ROWS, COLUMNS),
    **elements: object,
) -> list[FileDataset]:
    """One data set for each position along the normal, with `numbered_hu`.

    along: ImageOrientationPatient.  elements: further ones, the same in each; None removes one.
    """
    normal = np.cross(along[:3], along[3:])
    uids = {name: generate_uid() for name in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")}
    slices = []
    for number, position_mm in enumerate(positions_mm):
        dataset = ct_dataset(numbered_hu(number, *shape))
        dataset.ImagePositionPatient = [f"{value:.10g}" for value in np.array(origin_mm) + position_mm * normal]
        dataset.ImageOrientationPatient = [f"{value:.10g}" for value in along]
        dataset.PixelSpacing = [f"{value:g}" for value in spacing_mm]
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        dataset.InstanceNumber, dataset.SeriesNumber = str(number + 1), "2"
        dataset.PatientID, dataset.PatientName, dataset.PatientBirthDate = "P1", "Doe^Jane", "19500102"
        dataset.SliceThickness, dataset.ConvolutionKernel = "5", "STANDARD"
        dataset.SeriesDescription, dataset.StudyDate = "Abdomen portal venous", "20261120"
        for name, value in {**uids, **elements}.items():
            if value is None and name in dataset:
                delattr(dataset, name)
            elif value is not None:
                setattr(dataset, name, value)
        slices.append(dataset)
    return slices


def enhanced_ct(frames: int) -> FileDataset:
    """An Enhanced CT Image: frames from the head to the feet, 2.5 mm apart, with `numbered_hu`."""
    dataset = ct_series((0.0,))[0]
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope", "RescaleIntercept"):
        delattr(dataset, name)
    shared, per_frame = Dataset(), []
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [Dataset()], [Dataset()]
    shared.PixelMeasuresSequence[0].PixelSpacing = [f"{value:g}" for value in SPACING_MM]
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    shared.PixelValueTransformationSequence = [Dataset()]
    shared.PixelValueTransformationSequence[0].RescaleSlope = "1"
    shared.PixelValueTransformationSequence[0].RescaleIntercept = "-1024"
    for number in range(frames):
        item, position = Dataset(), Dataset()
        position.ImagePositionPatient = ["-150", "-140", f"{-2.5 * number:g}"]
        item.PlanePositionSequence = [position]
        per_frame.append(item)
    dataset.SharedFunctionalGroupsSequence, dataset.PerFrameFunctionalGroupsSequence = [shared], per_frame
    dataset.NumberOfFrames = frames
    stack = np.stack([numbered_hu(number) + 1024 for number in range(frames)])
    dataset.PixelData = stack.astype(np.uint16).tobytes()
    return dataset


def same_study(*series: list[FileDataset]) -> list[FileDataset]:
    """The images of several series, all of the first one's study."""
    images = [image for one in series for image in one]
    for image in images:
        image.StudyInstanceUID = images[0].StudyInstanceUID
    return images


def as_members(datasets: Sequence[FileDataset]) -> dict[str, bytes]:
    return {f"DICOM/IMG{number:05}": dicom_bytes(dataset) for number, dataset in enumerate(datasets)}


def zip_bytes(members: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def stored(folder: Path, *contents: bytes) -> list[Path]:
    """Files of an upload, as an installation stores them."""
    paths = [folder / f"part-{number}" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return paths


def stored_series(folder: Path, datasets: Sequence[FileDataset]) -> list[Path]:
    return stored(folder, *map(dicom_bytes, datasets))
