"""The headers of the images that a volume was made from, for documents that refer to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydicom import Dataset

from hepar.imaging.decoding import decoder_errors
from hepar.imaging.dicom_file import read_header
from hepar.imaging.study.archive import LIMITS, ArchiveLimits
from hepar.imaging.study.files import StudyFiles
from hepar.imaging.volume import SliceSource


def source_headers(
    paths: Sequence[Path], sources: Sequence[SliceSource], limits: ArchiveLimits = LIMITS
) -> Iterator[Dataset]:
    """The data sets of the files of a volume's slices, each file once, without pixels, in the order of the slices.

    paths: as for `load_study`, which has read these files. Their `file_meta` states the transfer syntax.
    Raises a StudyError, or an ImageError where a file can no longer be read.
    """
    wanted = dict.fromkeys(source.file for source in sources)
    with StudyFiles(paths, limits) as files:
        refs = {ref.index: ref for ref in files if ref.index in wanted}
        for ref in (refs[index] for index in wanted):
            with decoder_errors():
                dataset = read_header(files.read(ref)).dataset
            yield dataset
