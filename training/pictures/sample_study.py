"""The sample study in samples/: a phantom with three metastases, as a PACS exports it, and the truth about it."""

from __future__ import annotations

import json
import uuid
import zipfile
from dataclasses import asdict
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from training.lesions.volume import Solid
from training.simulated.study import SimulatedStudy, study_with_solids

SIZE_PX = 256
_SEED = 3
_SOLIDS = (
    Solid("metastasis", (13.0, 118.0, 84.0), 38.0, 40.0, 11),
    Solid("metastasis", (23.0, 105.0, 120.0), 26.0, 28.0, 12),
    Solid("metastasis", (21.0, 138.0, 70.0), 18.0, 20.0, 14),
)
_RESCALE_INTERCEPT = -1024
_ZIP_TIME = (2026, 1, 5, 10, 0, 0)
_NAMESPACE = uuid.UUID("6f1c0f5e-7a38-5a52-9a2f-8f0a3c1b2d4e")
NOTICE = "Simulated: a phantom, no patient. What is stated here was drawn, and says nothing about real tumours."


def sample_study() -> SimulatedStudy:
    return study_with_solids("sample", _SEED, _SOLIDS, SIZE_PX)


def write_sample_study(folder: Path) -> list[Path]:
    """Writes study.zip and study.json; the same bytes whenever it is called."""
    folder.mkdir(parents=True, exist_ok=True)
    study, archive, truth = sample_study(), folder / "study.zip", folder / "study.json"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as target:
        count = len(study.hu)
        for index in range(count):
            number = count - index  # scanners number from the head
            _add(target, f"study/series-2/IM{number:04d}.dcm", _axial(study, index, number))
        _add(target, "study/series-1/IM0001.dcm", _localizer(study))
    truth.write_text(json.dumps(_stated(study), indent=1) + "\n")
    return [archive, truth]


def _stated(study: SimulatedStudy) -> dict[str, object]:
    return {
        "notice": NOTICE,
        "slices": len(study.hu),
        "spacing_mm": [round(value, 4) for value in study.geometry.spacing_mm],
        "liver_ml": round(int(study.liver.sum()) * study.geometry.voxel_ml, 1),
        "lesions": [asdict(lesion) for lesion in study.truth],
    }


def _add(archive: zipfile.ZipFile, name: str, dataset: FileDataset) -> None:
    content = BytesIO()
    dataset.save_as(content, enforce_file_format=True)
    entry = zipfile.ZipInfo(name, _ZIP_TIME)
    entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
    archive.writestr(entry, content.getvalue())


def _axial(study: SimulatedStudy, index: int, number: int) -> FileDataset:
    spacing_mm = study.geometry.spacing_mm
    dataset = _image(study.hu[index], f"axial-{index}")
    x, y, z = study.geometry.to_patient_mm(np.array([[index, 0, 0]]))[0].tolist()
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.SeriesInstanceUID = _uid("series-2")
    dataset.SeriesNumber, dataset.InstanceNumber = 2, number
    dataset.SeriesDescription = "Abdomen portal venous 5.0 B30f"
    dataset.ConvolutionKernel = "B30f"
    dataset.ContrastBolusAgent = "Simulated contrast agent"
    dataset.SliceThickness = _decimal(spacing_mm[0])
    dataset.PixelSpacing = [_decimal(spacing_mm[1]), _decimal(spacing_mm[2])]
    dataset.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    dataset.ImagePositionPatient = [_decimal(x), _decimal(y), _decimal(z)]
    dataset.SliceLocation = _decimal(z)
    return dataset


def _localizer(study: SimulatedStudy) -> FileDataset:
    """The mean along the patient's front-back axis, feet at the bottom."""
    spacing_mm = study.geometry.spacing_mm
    projection = np.clip(study.hu.astype(np.float32).mean(axis=1), -1024, 3071)[::-1]
    dataset = _image(projection.astype(np.int16), "localizer")
    x, _, z = study.geometry.to_patient_mm(np.array([[len(study.hu) - 1, 0, 0]]))[0].tolist()
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    dataset.SeriesInstanceUID = _uid("series-1")
    dataset.SeriesNumber, dataset.InstanceNumber = 1, 1
    dataset.SeriesDescription = "Topogram"
    dataset.PixelSpacing = [_decimal(spacing_mm[0]), _decimal(spacing_mm[2])]
    dataset.ImageOrientationPatient = ["1", "0", "0", "0", "0", "-1"]
    dataset.ImagePositionPatient = [_decimal(x), "0", _decimal(z)]
    return dataset


def _image(hu: NDArray[np.int16], name: str) -> FileDataset:
    """An image with everything but its place. hu: (rows, columns)."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, _uid(name)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = _uid("hepar")
    dataset = FileDataset("", Dataset(), file_meta=meta, preamble=bytes(128))
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, _uid(name)
    dataset.StudyInstanceUID, dataset.FrameOfReferenceUID = _uid("study"), _uid("frame-of-reference")
    dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = dataset.ContentDate = "20260105"
    dataset.StudyTime = dataset.SeriesTime = dataset.AcquisitionTime = dataset.ContentTime = "100000"
    dataset.PatientName, dataset.PatientID = "Phantom^Hepar", "HEPAR-PHANTOM-1"
    dataset.PatientBirthDate, dataset.PatientSex, dataset.PatientPosition = "", "O", "HFS"
    dataset.AccessionNumber, dataset.StudyID, dataset.StudyDescription = "HEPAR-1", "1", "CT abdomen (phantom)"
    dataset.ReferringPhysicianName, dataset.PositionReferenceIndicator = "", ""
    dataset.Modality, dataset.Manufacturer, dataset.ManufacturerModelName = "CT", "Hepar", "Phantom"
    dataset.BodyPartExamined, dataset.KVP, dataset.GantryDetectorTilt = "ABDOMEN", "120", "0"
    dataset.AcquisitionNumber, dataset.BurnedInAnnotation = 1, "NO"
    dataset.Rows, dataset.Columns = hu.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = str(_RESCALE_INTERCEPT), "1", "HU"
    dataset.WindowCenter, dataset.WindowWidth = "125", "250"
    dataset.PixelData = (hu.astype(np.int32) - _RESCALE_INTERCEPT).astype("<u2").tobytes()
    return dataset


def _uid(name: str) -> UID:
    return UID(f"2.25.{uuid.uuid5(_NAMESPACE, name).int}")


def _decimal(value: float) -> str:
    """A decimal string of at most 16 characters (PS3.5, 6.2)."""
    return f"{value:.6g}"
