"""Reading of a whole CT study: a ZIP archive, many DICOM files, or a NIfTI volume."""

from hepar.imaging.study.archive import ArchiveLimits
from hepar.imaging.study.reading import StudyHeaders, load_study, read_headers
from hepar.imaging.study.sources import source_headers

__all__ = ["ArchiveLimits", "StudyHeaders", "load_study", "read_headers", "source_headers"]
