"""Errors of uploaded images. hepar.serving.decode_workers maps each to an HTTP status."""

from __future__ import annotations

from hepar.imaging.file_values import bounded_message


class ImageError(Exception):
    """Base class. The message is meant for the person who sent the file; values of it are quoted by `file_values`."""

    def __init__(self, message: str) -> None:
        super().__init__(bounded_message(message))


class UnreadableImage(ImageError):
    """The bytes are not an image, or a damaged one."""


class UnsupportedImage(ImageError):
    """A format, or a kind of DICOM object, that is not supported."""


class ImageTooLarge(ImageError):
    """More pixels than the published limit."""


class StudyError(ImageError):
    """The upload as a whole is refused."""


class UnsafeArchive(StudyError):
    """A ZIP that is damaged, encrypted or nested, or with names or sizes that no export has."""


class StudyTooLarge(StudyError):
    """More files, bytes or voxels than the limits."""


class UnreadableStudy(StudyError):
    """No file that can be used, or files that do not belong together."""


class SeveralPatients(StudyError):
    """The files state more than one patient."""


class NoUsableSeries(StudyError):
    """No series that can be analysed, or not the one that was asked for."""
