"""De-identification of a study's images, in the process that reads studies: the files are hostile bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import Dataset

from hepar.imaging.decoding import decoder_errors
from hepar.imaging.deidentification import Options, Pseudonyms, deidentified_file
from hepar.imaging.deidentification.refusal import NotDeidentifiable, check_can_be_deidentified
from hepar.imaging.dicom_file import read_header
from hepar.imaging.errors import UnreadableImage
from hepar.imaging.study.files import FileRef, StudyFiles


@dataclass(frozen=True)
class DeidentificationRequest:
    """paths: as for `read_headers`.  images: positions in the upload.

    folder: where each image is written as `N.dcm`, N being its position. None: only whether all of them can be
    de-identified, by their headers.
    """

    paths: tuple[Path, ...]
    images: tuple[int, ...]
    folder: Path | None
    options: Options = Options()  # noqa: RUF009  immutable
    pseudonyms: Pseudonyms | None = field(default=None, repr=False)


def deidentify(request: DeidentificationRequest) -> int:
    """The number of images. Raises an ImageError, NotDeidentifiable for instance, and OSError."""
    with StudyFiles(request.paths) as files:
        if request.folder is None or request.pseudonyms is None:
            _check(files, request.images)
        else:
            for ref in _refs(files, request.images):
                content = deidentified_file(files.read(ref), request.pseudonyms, request.options)
                (request.folder / f"{ref.index}.dcm").write_bytes(content)
    return len(request.images)


def _check(files: StudyFiles, images: tuple[int, ...]) -> None:
    refused, reason = 0, ""
    for ref in _refs(files, images):
        try:
            check_can_be_deidentified(_header(files, ref))
        except NotDeidentifiable as error:
            refused, reason = refused + 1, reason or str(error)
    if refused:
        raise NotDeidentifiable(f"{refused} of {len(images)} images: {reason}")


def _header(files: StudyFiles, ref: FileRef) -> Dataset:
    with decoder_errors():
        return read_header(files.read(ref)).dataset


def _refs(files: StudyFiles, images: tuple[int, ...]) -> Iterator[FileRef]:
    """Raises UnreadableImage where the upload has no such position."""
    wanted = set(images)
    found = {ref.index: ref for ref in files if ref.index in wanted}
    for index in images:
        if index not in found:
            raise UnreadableImage("the images of the study can no longer be read")
        yield found[index]
