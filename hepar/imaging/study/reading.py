"""From an upload to the volume that is analysed: its headers, the choice of a series, and its slices."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from hepar.contracts.studies import Series, UnreadableFile
from hepar.imaging.errors import ImageError, NoUsableSeries, StudyError, StudyTooLarge, UnreadableStudy
from hepar.imaging.study.archive import LIMITS, MIB, ArchiveLimits
from hepar.imaging.study.choice import choose, not_chosen
from hepar.imaging.study.dicom_volume import load_series
from hepar.imaging.study.files import FileRef, StudyFiles, head_of, is_nifti
from hepar.imaging.study.headers import InstanceHeader, PatientHeader, StudyHeader, read_instance
from hepar.imaging.study.patients import check_one_patient, fullest_patient, fullest_study
from hepar.imaging.study.series import SliceStack, stacks_of
from hepar.imaging.volume import CtVolume

SLICES_MAX = 20_000
_UNREADABLE_LISTED_MAX = 100
_NIFTI_SERIES_ID = "series-1"
_KEPT_BYTES = 16 * MIB
"""Of files that are read twice: for their headers, and for their pixels."""


@dataclass(frozen=True)
class StudyHeaders:
    """What an upload holds.

    instances: SOP Instance UIDs; for NIfTI the SHA-256 of the file; none of a NIfTI volume from `load_study`.
    series: of the study, with the choice and its reasons; none is chosen where `problem` is set.
    unreadable: at most 100 of the unreadable_count.
    ignored: files that are not DICOM, or that list others.  duplicates: files of an instance that was already there.
    """

    kind: Literal["dicom", "nifti"]
    instances: frozenset[str]
    patient: PatientHeader
    study: StudyHeader
    series: tuple[Series, ...]
    stacks: tuple[SliceStack, ...]
    images: int
    unreadable: tuple[UnreadableFile, ...]
    unreadable_count: int
    ignored: int
    duplicates: int
    problem: str | None = None

    @property
    def fingerprint(self) -> str:
        """The same for the same instances, in any order and archive."""
        return hashlib.sha256("\n".join(sorted(self.instances)).encode()).hexdigest()

    @property
    def chosen(self) -> Series:
        """Raises NoUsableSeries."""
        if self.problem is not None:
            raise NoUsableSeries(self.problem)
        return next(series for series in self.series if series.chosen)

    def with_choice(self, wanted: str) -> StudyHeaders:
        """With another series chosen: by its id or SeriesInstanceUID. Raises NoUsableSeries."""
        if self.kind == "nifti":
            return self
        return replace(self, series=tuple(choose(self.stacks, wanted)), problem=None)


def read_headers(
    paths: Sequence[Path],
    wanted: str | None = None,
    limits: ArchiveLimits = LIMITS,
    *,
    is_whole: bool = True,
) -> StudyHeaders:
    """Reads an upload once, without decoding pixels.

    paths: what was sent, in its order, under names of this installation: ZIP archives and DICOM files, or one NIfTI
    volume.  wanted: id or SeriesInstanceUID of the series to analyse; chosen by rules otherwise.
    is_whole: False for late images of a study, which need not hold a series that can be analysed.
    Raises a StudyError where the upload as a whole is refused; damaged files among good ones are reported.
    """
    if (nifti := _nifti_path(paths)) is not None:
        from hepar.imaging.study.nifti import read_nifti_header

        header = read_nifti_header(nifti)
        return _nifti_headers(header.display_shape[0], header.spacing_mm[0], {_digest(nifti)})
    with StudyFiles(paths, limits) as files:
        return _headers_of(files, wanted, is_whole=is_whole)


def load_study(
    paths: Sequence[Path], wanted: str | None = None, limits: ArchiveLimits = LIMITS
) -> tuple[StudyHeaders, CtVolume]:
    """What `read_headers` reads of a whole study, and the chosen series. A NIfTI volume has no `instances` here.

    Raises a StudyError.
    """
    if (nifti := _nifti_path(paths)) is not None:
        from hepar.imaging.study.nifti import load_nifti

        volume = load_nifti(nifti)
        return _nifti_headers(len(volume.hu), volume.geometry.spacing_mm[0], set()), volume
    with StudyFiles(paths, limits, _KEPT_BYTES) as files:
        headers = _headers_of(files, wanted, is_whole=True)
        stack = next(stack for stack in headers.stacks if stack.id == headers.chosen.id)
        return headers, load_series(files, stack)


def _headers_of(files: StudyFiles, wanted: str | None, *, is_whole: bool) -> StudyHeaders:
    reader = _HeaderReader()
    for ref in files:
        reader.add(files, ref)
    return reader.result(wanted, is_whole=is_whole)


class _HeaderReader:
    """Collects what the files state."""

    def __init__(self) -> None:
        self._instances: dict[str, InstanceHeader] = {}
        self._unreadable: list[UnreadableFile] = []
        self._unreadable_count = self._ignored = self._duplicates = self._slices = 0

    def add(self, files: StudyFiles, ref: FileRef) -> None:
        """Raises StudyError."""
        try:
            if files.content(ref) == "other":
                self._ignored += 1
                return
            instance = read_instance(files.read(ref), ref)
        except StudyError:
            raise
        except ImageError as error:
            self._unreadable_count += 1
            if len(self._unreadable) < _UNREADABLE_LISTED_MAX:
                self._unreadable.append(UnreadableFile(index=ref.index, detail=str(error)))
            return
        if instance.sop_instance_uid in self._instances:
            self._duplicates += 1
            return
        self._instances[instance.sop_instance_uid] = instance
        self._slices += len(instance.frames)
        if self._slices > SLICES_MAX:
            raise StudyTooLarge(f"the study has over {SLICES_MAX} images")

    def result(self, wanted: str | None, *, is_whole: bool) -> StudyHeaders:
        instances = list(self._instances.values())
        if not instances:
            raise UnreadableStudy(self._why_nothing())
        check_one_patient(instances)
        stacks = stacks_of(instances)
        problem = None
        try:
            series = choose(stacks, wanted)
        except NoUsableSeries as error:
            if is_whole:
                raise
            series, problem = not_chosen(stacks), str(error)
        return StudyHeaders(
            kind="dicom",
            instances=frozenset(self._instances),
            patient=fullest_patient(instances),
            study=fullest_study(instances),
            series=tuple(series),
            stacks=stacks,
            images=self._slices,
            unreadable=tuple(self._unreadable),
            unreadable_count=self._unreadable_count,
            ignored=self._ignored,
            duplicates=self._duplicates,
            problem=problem,
        )

    def _why_nothing(self) -> str:
        if self._unreadable:
            return f"no file can be read; the first: {self._unreadable[0].detail}"
        return f"no uploaded file is DICOM (number of files: {self._ignored})"


def _nifti_path(paths: Sequence[Path]) -> Path | None:
    """The volume in an upload; None where it has other files. Raises UnreadableStudy."""
    if not paths:
        raise UnreadableStudy("there is no file in the upload")
    if not any(is_nifti(head_of(path)) for path in paths):
        return None
    if len(paths) > 1:
        raise UnreadableStudy("a NIfTI volume is sent as the only file")
    return paths[0]


def _nifti_headers(slices: int, slice_mm: float, instances: set[str]) -> StudyHeaders:
    """NIfTI states neither a patient nor a series."""
    series = Series(
        id=_NIFTI_SERIES_ID,
        uid=None,
        number=None,
        description=None,
        modality="CT",
        plane="axial",
        images=slices,
        slice_spacing_mm=round(slice_mm, 3),
        findings=[],
        chosen=True,
        reason=f"the only volume, {slices} slices over {(slices - 1) * slice_mm:.0f} mm",
    )
    return StudyHeaders(
        kind="nifti",
        instances=frozenset(instances),
        patient=PatientHeader(None, None, None, None, None),
        study=StudyHeader(None, None, None, None),
        series=(series,),
        stacks=(),
        images=slices,
        unreadable=(),
        unreadable_count=0,
        ignored=0,
        duplicates=0,
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
