"""Readers of NIfTI datasets: LiTS and MSD Task03, MCT-LTDiag in TAR files, PLC-CECT with its wrong headers."""

from __future__ import annotations

import csv
import gzip
import hashlib
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from numpy.typing import NDArray

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

TUMOUR_LABEL = 2
PLC_WINDOW_HU = (-200.0, 200.0)
PLC_FIELD_OF_VIEW_MM = 400.0
_MCT_PHASES = ("nc", "art", "pvp", "delay")
_BROKEN = (OSError, ValueError, EOFError, KeyError, ImageFileError)


def read_lits(folder: Path, options: ReadOptions) -> Read:
    """imagesTr/ and labelsTr/ (MSD), or volume-N.nii and segmentation-N.nii (LiTS): 1 liver, 2 tumour, type unknown."""
    pairs = list(_lits_pairs(folder))
    if not pairs:
        raise UnexpectedLayout(f"{folder} has neither imagesTr/ with labelsTr/ nor volume-*.nii files")
    for image, labels in pairs:
        patient = image.name.split(".")[0].replace("volume-", "lits_")
        yield from read_nifti(image, labels, options, patient, str(image.relative_to(folder)))


def read_nifti(image: Path, labels: Path, options: ReadOptions, patient: str, origin: str) -> Read:
    """One volume and its labels as in LiTS: 1 liver, 2 tumour of unknown type."""
    try:
        hu, spacing_mm = _display_order(nibabel.load(image))
        marks, _ = _display_order(nibabel.load(labels))
    except _BROKEN as error:
        yield Fault(origin, f"the volume or its labels are not readable: {error}")
        return
    tumours, liver = np.rint(marks) == TUMOUR_LABEL, np.rint(marks) > 0
    yield from slices_of(Volume(patient, hu, spacing_mm, UNKNOWN, tumours, liver, origin, file_sha256(image)), options)


def read_mct_ltdiag(folder: Path, options: ReadOptions) -> Read:
    """One TAR file per patient, read without unpacking; types from meta_info_patient.csv (or .tab).

    options.phase: nc, art, pvp or delay; pvp by default. Masks are drawn on the portal-venous grid.
    """
    phase = options.phase or "pvp"
    if phase not in _MCT_PHASES:
        raise UnexpectedLayout(f"MCT-LTDiag has the phases {', '.join(_MCT_PHASES)}, not {phase}")
    types = _mct_types(folder)
    archives = sorted(folder.rglob("*.tar"))
    if not archives:
        raise UnexpectedLayout(f"{folder} has no TAR file of a patient")
    for archive in archives:
        origin, patient = str(archive.relative_to(folder)), archive.stem
        if patient not in types:
            yield Fault(origin, "it is not in the table of patients")
            continue
        try:
            members = _members(archive, {f"{phase}.nii.gz", "mask_pvp.nii.gz", "liver_mask_pvp.nii.gz"})
            hu, spacing_mm = _display_order(_parsed(members[f"{phase}.nii.gz"]))
            tumours, _ = _display_order(_parsed(members["mask_pvp.nii.gz"]))
            liver, _ = _display_order(_parsed(members["liver_mask_pvp.nii.gz"]))
        except (tarfile.TarError, *_BROKEN) as error:
            yield Fault(origin, f"incomplete or not readable: {error}")
            continue
        digest = hashlib.sha256(members[f"{phase}.nii.gz"]).hexdigest()
        volume = Volume(
            patient, hu, spacing_mm, types[patient], tumours > 0, liver > 0, f"{origin}:{phase}.nii.gz", digest
        )
        yield from slices_of(volume, options)


def read_plc_cect(folder: Path, options: ReadOptions) -> Read:
    """patient_data.csv with patient_id, phase, cancer_type, ct_path, mask_path, liver_mask_path; headers are wrong.

    options.phase: P, C1, C2 or C3; C2 (portal-venous) by default. The corrections are listed in each record: values
    are 8 bits of the window -200..200 HU; a pixel is 400 mm / width; slices are stored from the head down, and their
    spacing is lost.
    """
    phase = options.phase or "C2"
    table = folder / "patient_data.csv"
    if not table.is_file():
        raise UnexpectedLayout(f"{table} is missing")
    with table.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["phase"] == phase]
    if not rows:
        raise UnexpectedLayout(f"{table} has no row of phase {phase}")
    low, high = PLC_WINDOW_HU
    for row in rows:
        path = folder / row["ct_path"]
        try:
            grey, _ = _display_order(nibabel.load(path))
            tumours, _ = _display_order(nibabel.load(folder / row["mask_path"]))
            liver, _ = _display_order(nibabel.load(folder / row["liver_mask_path"]))
        except _BROKEN as error:
            yield Fault(row["ct_path"], f"the volume or one of its masks is not readable: {error}")
            continue
        if grey.min() < 0 or grey.max() > 255:
            yield Fault(row["ct_path"], f"values {grey.min():g} to {grey.max():g} are not 8-bit grey levels")
            continue
        side_mm = PLC_FIELD_OF_VIEW_MM / grey.shape[2]
        corrections = (
            f"values are 8-bit grey levels of {low:g}..{high:g} HU: converted to HU",
            f"the pixel size in the header is wrong: {side_mm:g} mm used",
            "slices are stored from the head down: reversed; their spacing is not known",
        )
        volume = Volume(
            f"plc_{row['patient_id']}",
            np.asarray(low + grey[::-1] * ((high - low) / 255), dtype=np.float32),
            (side_mm, side_mm),
            row["cancer_type"],
            tumours[::-1] > 0,
            liver[::-1] > 0,
            row["ct_path"],
            file_sha256(path),
            corrections,
        )
        yield from slices_of(volume, options)


def _display_order(image: Any) -> tuple[NDArray[np.float32], tuple[float, float]]:  # noqa: ANN401  nibabel has no types
    """(slices, h, w) in standard radiological display, from the feet up, and the spacing of rows and columns in mm.

    Canonical axes point to the patient's right, front and head; those of a display to the left and back.
    """
    canonical = nibabel.as_closest_canonical(image)
    values = np.asarray(canonical.dataobj, dtype=np.float32)
    if values.ndim != 3:
        raise ValueError(f"{values.ndim} dimensions instead of three")
    width_mm, height_mm, _ = (float(size) for size in canonical.header.get_zooms()[:3])
    return np.ascontiguousarray(values[::-1, ::-1, :].transpose(2, 1, 0)), (height_mm, width_mm)


def _lits_pairs(folder: Path) -> Iterator[tuple[Path, Path]]:
    for image in sorted(folder.rglob("*.nii*")):
        if image.parent.name == "imagesTr" and not image.name.startswith("."):
            yield image, image.parent.parent / "labelsTr" / image.name
        elif image.name.startswith("volume-"):
            name = image.name.replace("volume-", "segmentation-")
            candidates = [file for file in sorted(folder.rglob(name)) if file.is_file()]
            yield image, candidates[0] if candidates else image.with_name(name)


def _mct_types(folder: Path) -> dict[str, str]:
    for name, delimiter in (("meta_info_patient.csv", ","), ("meta_info_patient.tab", "\t")):
        tables = sorted(folder.rglob(name))
        if tables:
            with tables[0].open(newline="") as file:
                return {
                    row["ID"].strip('"'): row["type"].strip('"') for row in csv.DictReader(file, delimiter=delimiter)
                }
    raise UnexpectedLayout(f"{folder} has no meta_info_patient.csv or .tab")


def _members(archive: Path, names: set[str]) -> dict[str, bytes]:
    """The contents of the members with these file names. Raises KeyError for missing ones."""
    found: dict[str, bytes] = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            name = PurePosixPath(member.name).name
            file = tar.extractfile(member) if name in names and member.isfile() else None
            if file is not None:
                found[name] = file.read()
    missing = names - set(found)
    if missing:
        raise KeyError(f"no {', '.join(sorted(missing))}")
    return found


def _parsed(content: bytes) -> Any:  # noqa: ANN401  nibabel has no types
    return nibabel.Nifti1Image.from_bytes(gzip.decompress(content))
