"""The DICOM objects of an upload, each with its header and its place, so that it can be read again by itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hepar.imaging.decoding import decoder_errors
from hepar.imaging.dicom_file import read_header, transfer_syntax_of
from hepar.imaging.dicom_json import json_header
from hepar.imaging.errors import ImageError, StudyError, StudyTooLarge
from hepar.imaging.study.archive import LIMITS, ArchiveLimits, Extent
from hepar.imaging.study.files import FileRef, StudyFiles
from hepar.imaging.study.headers import read_instance

HEADER_BYTES_MAX = 256 * 1024 * 1024
"""Of all headers of an upload, as JSON."""


@dataclass(frozen=True)
class DicomObject:
    """sop_class_uid, study_uid, series_uid: empty where they are not stated.  file: which of the uploaded files.

    header: DICOM JSON.  frames: at least 1.
    """

    sop_instance_uid: str
    sop_class_uid: str
    study_uid: str
    series_uid: str
    transfer_syntax: str
    frames: int
    file: int
    extent: Extent
    header: str


@dataclass(frozen=True)
class DicomObjects:
    """refused: files that are no readable DICOM objects, without those that are ignored."""

    objects: tuple[DicomObject, ...]
    refused: int


def list_objects(paths: Sequence[Path], limits: ArchiveLimits = LIMITS) -> DicomObjects:
    """In the order of the upload, each instance once.

    paths: as for `read_headers`, which accepts the same objects. Raises a StudyError where the upload as a whole is
    refused.
    """
    found: dict[str, DicomObject] = {}
    refused, header_bytes = 0, 0
    with StudyFiles(paths, limits) as files:
        for ref in files:
            try:
                item = _object(files, ref)
            except StudyError:
                raise
            except ImageError:
                refused += 1
                continue
            if item is not None:
                header_bytes += len(item.header)
                if header_bytes > HEADER_BYTES_MAX:
                    raise StudyTooLarge("the headers of the study are too large")
                found.setdefault(item.sop_instance_uid, item)
    return DicomObjects(tuple(found.values()), refused)


def _object(files: StudyFiles, ref: FileRef) -> DicomObject | None:
    """None for what is not DICOM, or lists others."""
    if files.content(ref) == "other":
        return None
    content = files.read(ref)
    known = read_instance(content, ref)
    with decoder_errors():
        file = read_header(content)
        header = json_header(file.dataset, pixels_vr=None if file.pixels is None else file.pixels.vr[:2])
        for tag, value in (("00080018", known.sop_instance_uid), ("00080016", known.sop_class_uid)):
            if value is not None:  # some files state who they are in their meta information only
                header[tag] = {"vr": "UI", "Value": [value]}
        return DicomObject(
            sop_instance_uid=known.sop_instance_uid,
            sop_class_uid=known.sop_class_uid or "",
            study_uid=known.study.uid or "",
            series_uid=known.series_uid or "",
            transfer_syntax=transfer_syntax_of(content, file),
            frames=len(known.frames),
            file=ref.file,
            extent=files.extent(ref),
            header=json.dumps(header, separators=(",", ":"), ensure_ascii=False, sort_keys=True),
        )
