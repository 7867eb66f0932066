"""The files of an upload, one by one, whether they came in a ZIP archive or on their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Literal

from hepar.imaging.dicom_file import has_dicom_signature, lacks_preamble
from hepar.imaging.errors import StudyTooLarge, UnreadableImage, UnsafeArchive
from hepar.imaging.study.archive import LIMITS, MIB, Archive, ArchiveLimits, Extent

HEAD_BYTES = 512
_ZIP_SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_ARCHIVE_SIGNATURES = (
    *_ZIP_SIGNATURES, b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"7z\xbc\xaf\x27\x1c", b"Rar!", b"\x28\xb5\x2f\xfd",
    b"MSCF",
)  # fmt: skip
_TAR_OFFSET, _TAR_SIGNATURE = 257, b"ustar"
_PROGRAMS = {".jar", ".war", ".docx", ".xlsx", ".pptx", ".cab", ".msi", ".exe", ".apk", ".odt"}
"""Archives by their form that viewers and reports on a disc consist of. They are ignored, and never opened."""
_IGNORED_FOLDERS = {"__MACOSX"}
_DIRECTORY_CLASS = b"1.2.840.10008.1.3.10"
"""Media Storage Directory Storage, the class of a DICOMDIR."""
_NIFTI_HEADER_BYTES = (b"\x5c\x01\x00\x00", b"\x00\x00\x01\x5c")
_GZIP_SIGNATURE = b"\x1f\x8b"

Content = Literal["dicom", "other"]


@dataclass(frozen=True)
class FileRef:
    """index: position in the upload, from 0.  file: which of the uploaded files.  member: of a ZIP, None otherwise."""

    index: int
    file: int
    member: int | None


def is_zip(head: bytes) -> bool:
    return head.startswith(_ZIP_SIGNATURES)


def is_nifti(head: bytes) -> bool:
    """A NIfTI-1 volume in one file, or a gzip file, which nothing else of an upload may be."""
    return head.startswith((*_NIFTI_HEADER_BYTES, _GZIP_SIGNATURE))


class StudyFiles:
    """The files of an upload. A context manager: it holds the archives open.

    paths: where this installation stored what was sent, in the order of the upload, under names of its own.
    kept_bytes: of the first files that are read, which stay in memory to be read again.
    Raises UnsafeArchive and StudyTooLarge where an archive breaks a rule.
    """

    def __init__(self, paths: Sequence[Path], limits: ArchiveLimits = LIMITS, kept_bytes: int = 0) -> None:
        self._paths = paths
        self._left_bytes = kept_bytes
        self._kept: dict[FileRef, bytes] = {}
        self._limits = limits
        self._archives: dict[int, Archive] = {}
        self._stack = ExitStack()

    def __enter__(self) -> StudyFiles:
        if len(self._paths) > self._limits.members:
            raise StudyTooLarge(f"{len(self._paths)} files; at most {self._limits.members}")
        with ExitStack() as stack:
            for number, path in enumerate(self._paths):
                if is_zip(head_of(path)):
                    self._archives[number] = Archive(stack.enter_context(path.open("rb")), self._limits)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def __iter__(self) -> Iterator[FileRef]:
        """Every file that may be DICOM by its place; folders and the files of operating systems are left out."""
        index = 0
        for number in range(len(self._paths)):
            archive = self._archives.get(number)
            if archive is None:
                yield FileRef(index, number, None)
                index += 1
                continue
            for member in archive.members():
                if not _is_of_operating_system(member.name):
                    yield FileRef(index, number, member.index)
                index += 1
            if index > self._limits.members:
                raise StudyTooLarge(f"over {self._limits.members} files")

    def content(self, ref: FileRef) -> Content:
        """What a file is, by its first bytes.

        Raises UnsafeArchive for an archive in an archive, UnreadableImage for what ought to be DICOM and is not whole.
        """
        head, name = self._head(ref), self._name(ref)
        if has_dicom_signature(head):
            return "other" if _DIRECTORY_CLASS in head else "dicom"
        suffix = PurePosixPath(name).suffix.lower()
        is_tar = head[_TAR_OFFSET:].startswith(_TAR_SIGNATURE)
        if (head.startswith(_ARCHIVE_SIGNATURES) or is_tar) and suffix not in _PROGRAMS:
            raise UnsafeArchive("there is an archive in the archive; send the DICOM files in one ZIP")
        if suffix in (".dcm", ".dicom") or (ref.member is None and not head):
            raise UnreadableImage("the file is empty" if not head else "the file is not DICOM")
        if lacks_preamble(head) and not suffix:
            raise UnreadableImage("a data set without the preamble of a DICOM file (128 bytes and DICM) is not read")
        return "other"

    def read(self, ref: FileRef) -> bytes:
        """Raises UnreadableImage, UnsafeArchive, StudyTooLarge."""
        if (kept := self._kept.get(ref)) is not None:
            return kept
        content = self._read(ref)
        if len(content) <= self._left_bytes:
            self._kept[ref] = content
            self._left_bytes -= len(content)
        return content

    def _read(self, ref: FileRef) -> bytes:
        if ref.member is not None:
            return self._archives[ref.file].read(ref.member)
        with self._paths[ref.file].open("rb") as file:
            content = file.read(self._limits.member_bytes + 1)
        if len(content) > self._limits.member_bytes:
            raise StudyTooLarge(f"a file has over {self._limits.member_bytes // MIB} MiB")
        return content

    def extent(self, ref: FileRef) -> Extent:
        """Where a file that was read lies in the uploaded file `ref.file`."""
        if ref.member is not None:
            return self._archives[ref.file].extent(ref.member)
        size_bytes = self._paths[ref.file].stat().st_size
        return Extent(0, size_bytes, size_bytes, is_deflated=False)

    def _head(self, ref: FileRef) -> bytes:
        if ref.member is not None:
            return self._archives[ref.file].head(ref.member, HEAD_BYTES)
        return head_of(self._paths[ref.file])

    def _name(self, ref: FileRef) -> str:
        return "" if ref.member is None else self._archives[ref.file].name(ref.member)


def head_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def _is_of_operating_system(name: str) -> bool:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return bool(_IGNORED_FOLDERS.intersection(parts)) or not parts or parts[-1].startswith("._")
