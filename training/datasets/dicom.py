"""Readers of DICOM datasets: plain series, Colorectal-Liver-Metastases with SEG, 3D-IRCADb-01, CHAOS."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import highdicom
import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image

from training.datasets.records import (
    UNKNOWN,
    Fault,
    Read,
    ReadOptions,
    UnexpectedLayout,
    Volume,
    file_sha256,
    slices_of,
)

CRLM_TYPE = "CRLM"
# What pydicom and highdicom raise for a broken or unreadable file; each becomes a Fault with the same message.
_BROKEN = (OSError, ValueError, AttributeError, KeyError, RuntimeError, NotImplementedError, TypeError)


@dataclass(frozen=True)
class _Series:
    """The slices of one series, from the feet up. hu: (slices, h, w)."""

    files: list[Path]
    uids: list[str]
    hu: NDArray[np.float32]
    spacing_mm: tuple[float, float]


def read_dicom_series(folder: Path, options: ReadOptions) -> Read:
    """Every CT series below the folder, grouped by PatientID if present; not reviewed for tumours."""
    found = _files(folder)
    if not found:
        raise UnexpectedLayout(f"{folder} has no DICOM file")
    yield from (Fault(str(path.relative_to(folder)), reason) for path, reason in found.faults)
    for files in found.series("CT"):
        origin = str(files[0].parent.relative_to(folder))
        try:
            series = _load_series(files)
        except _BROKEN as error:
            yield Fault(origin, f"the series cannot be read: {error}")
            continue
        patient = found.patient(files[0]) or origin.replace("/", "_")
        yield from slices_of(
            Volume(patient, series.hu, series.spacing_mm, UNKNOWN, None, None, origin, file_sha256(files[0])), options
        )


def read_crlm(folder: Path, options: ReadOptions) -> Read:
    """A CT series and a SEG per patient (segments Liver, Tumor_1 ...); frames missing from the SEG are empty."""
    found = _files(folder)
    segmentations = {found.patient(path): path for files in found.series("SEG") for path in files}
    if not segmentations:
        raise UnexpectedLayout(f"{folder} has no DICOM SEG")
    yield from (Fault(str(path.relative_to(folder)), reason) for path, reason in found.faults)
    for files in found.series("CT"):
        patient, origin = found.patient(files[0]), str(files[0].parent.relative_to(folder))
        segmentation = segmentations.get(patient)
        if segmentation is None:
            yield Fault(origin, f"no SEG for patient {patient}")
            continue
        try:
            series = _load_series(files)
            lesions = _segments(segmentation, series, "tumor")
            liver = _segments(segmentation, series, "liver") | lesions
        except _BROKEN as error:
            yield Fault(origin, f"the series or its SEG cannot be read: {error}")
            continue
        yield from slices_of(
            Volume(patient, series.hu, series.spacing_mm, CRLM_TYPE, lesions, liver, origin, file_sha256(segmentation)),
            options,
        )


def read_ircadb(folder: Path, options: ReadOptions) -> Read:
    """3Dircadb1.N/PATIENT_DICOM and MASKS_DICOM/{liver,livertumor*} with files of the same names; types unknown."""
    patients = sorted(path.parent for path in folder.rglob("PATIENT_DICOM") if path.is_dir())
    if not patients:
        raise UnexpectedLayout(f"{folder} has no PATIENT_DICOM folder")
    for patient in patients:
        origin = str(patient.relative_to(folder))
        try:
            series = _load_series(sorted((patient / "PATIENT_DICOM").iterdir()))
            masks = patient / "MASKS_DICOM"
            liver = _dicom_masks([masks / "liver"], series)
            lesions = _dicom_masks(sorted(masks.glob("livertumor*")), series)
        except _BROKEN as error:
            yield Fault(origin, f"cannot be read: {error}")
            continue
        volume = Volume(
            patient.name, series.hu, series.spacing_mm, UNKNOWN, lesions, liver, origin, file_sha256(series.files[0])
        )
        yield from slices_of(volume, options)


def read_chaos(folder: Path, options: ReadOptions) -> Read:
    """CT/N/DICOM_anon and CT/N/Ground (PNG masks of the liver, in the order of the slices' names): healthy donors."""
    patients = sorted(path.parent for path in folder.rglob("DICOM_anon") if (path.parent / "Ground").is_dir())
    if not patients:
        raise UnexpectedLayout(f"{folder} has no DICOM_anon folder with a Ground folder next to it")
    for patient in patients:
        origin = str(patient.relative_to(folder))
        files, grounds = sorted((patient / "DICOM_anon").iterdir()), sorted((patient / "Ground").glob("*.png"))
        if len(files) != len(grounds):
            yield Fault(origin, f"{len(files)} slices but {len(grounds)} masks")
            continue
        try:
            series = _load_series(files)
            by_file = {file: np.asarray(Image.open(mask)) > 0 for file, mask in zip(files, grounds, strict=True)}
            liver = np.stack([by_file[file] for file in series.files])
        except _BROKEN as error:
            yield Fault(origin, f"cannot be read: {error}")
            continue
        volume = Volume(
            f"chaos_{patient.name}",
            series.hu,
            series.spacing_mm,
            UNKNOWN,
            np.zeros(series.hu.shape, dtype=bool),
            liver,
            origin,
            file_sha256(series.files[0]),
        )
        yield from slices_of(volume, options)


class _DicomFolder:
    """The DICOM files below a folder by modality and series, and the files that are not DICOM despite their name."""

    def __init__(self) -> None:
        self.faults: list[tuple[Path, str]] = []
        self._headers: dict[Path, pydicom.Dataset] = {}

    def __bool__(self) -> bool:
        return bool(self._headers or self.faults)

    def add(self, path: Path) -> None:
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_HEADER_TAGS)
            if "SeriesInstanceUID" not in header:
                raise ValueError("it has no SeriesInstanceUID")
        except (pydicom.errors.InvalidDicomError, *_BROKEN) as error:
            self.faults.append((path, f"not a DICOM object: {error}"))
        else:
            self._headers[path] = header

    def series(self, modality: str) -> list[list[Path]]:
        groups: dict[str, list[Path]] = {}
        for path, header in self._headers.items():
            if header.get("Modality") == modality:
                groups.setdefault(str(header.SeriesInstanceUID), []).append(path)
        return list(groups.values())

    def patient(self, path: Path) -> str:
        return str(self._headers[path].get("PatientID", "")).strip()


_HEADER_TAGS = ["SeriesInstanceUID", "Modality", "PatientID"]


def _files(folder: Path) -> _DicomFolder:
    found = _DicomFolder()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix.lower() in (".dcm", ".ima", ""):
            found.add(path)
    return found


def _load_series(files: Iterable[Path]) -> _Series:
    """Reads slices and orders them along the normal of their plane. Raises ValueError for slices of unequal size."""
    rows = []
    for file in files:
        dataset = pydicom.dcmread(file)
        orientation = np.array(dataset.ImageOrientationPatient, dtype=float)
        height_mm = float(np.dot(np.cross(orientation[:3], orientation[3:]), dataset.ImagePositionPatient))
        rows.append((height_mm, file, dataset))
    rows.sort(key=lambda row: row[0])
    if not rows:
        raise ValueError("there are no slices")
    hu = [pydicom.pixels.apply_rescale(dataset.pixel_array, dataset) for _, _, dataset in rows]
    row_mm, column_mm = (float(value) for value in rows[0][2].PixelSpacing)
    return _Series(
        [file for _, file, _ in rows],
        [str(dataset.SOPInstanceUID) for _, _, dataset in rows],
        np.stack(hu).astype(np.float32),
        (row_mm, column_mm),
    )


def _segments(file: Path, series: _Series, prefix: str) -> NDArray[np.bool_]:
    """(slices, h, w): the union of all segments whose label starts with `prefix`; empty without a frame."""
    segmentation = highdicom.seg.segread(file)
    numbers = [
        number
        for number in segmentation.segment_numbers
        if segmentation.get_segment_description(number).segment_label.lower().startswith(prefix)
    ]
    if not numbers:
        return np.zeros(series.hu.shape, dtype=bool)
    frames = segmentation.get_pixels_by_source_instance(
        source_sop_instance_uids=series.uids,
        segment_numbers=numbers,
        assert_missing_frames_are_empty=True,
        ignore_spatial_locations=True,
    )
    return np.asarray(frames.any(axis=-1))


def _dicom_masks(folders: list[Path], series: _Series) -> NDArray[np.bool_]:
    """(slices, h, w): the union of the folders' masks, matched by file name."""
    union = np.zeros(series.hu.shape, dtype=bool)
    for folder in folders:
        for number, file in enumerate(series.files):
            union[number] |= pydicom.dcmread(folder / file.name).pixel_array > 0
    return union
