"""Archives from outside: what is refused, by which error, and that memory stays bounded."""

from __future__ import annotations

import io
import stat
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepar.imaging.errors import StudyError, StudyTooLarge, UnreadableImage, UnsafeArchive
from hepar.imaging.study import ArchiveLimits, read_headers
from hepar.imaging.study.archive import MIB, Archive
from tests.support.studies import as_members, ct_series, stored, zip_bytes

PLAIN = zip_bytes({"a/one.bin": b"1" * 3000, "a/two.bin": bytes(range(256)) * 40, "a/": b""})


def archive(content: bytes, limits: ArchiveLimits | None = None) -> Archive:
    return Archive(io.BytesIO(content), limits or ArchiveLimits())


def with_info(change: Callable[[zipfile.ZipInfo], None], content: bytes = b"x" * 100) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out:
        info = zipfile.ZipInfo("one")
        change(info)
        out.writestr(info, content)
    return buffer.getvalue()


def link(info: zipfile.ZipInfo) -> None:
    info.external_attr = (stat.S_IFLNK | 0o777) << 16


def flags(content: bytes, bit: int) -> bytes:
    """With a flag set in the directory's first entry."""
    place = content.rindex(b"PK\x01\x02") + 8
    (found,) = struct.unpack_from("<H", content, place)
    return content[:place] + struct.pack("<H", found | bit) + content[place + 2 :]


def overlapping() -> bytes:
    """Two entries of the directory that name the same local file (as in D. Fifield's bomb)."""
    content = zip_bytes({"first": b"a" * 50_000, "again": b"b"})
    second = content.rindex(b"PK\x01\x02")
    first = content.index(b"PK\x01\x02")
    offset = struct.unpack_from("<L", content, first + 42)
    return content[: second + 42] + struct.pack("<L", *offset) + content[second + 46 :]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (PLAIN[:-30], "damaged or not complete"),
        (PLAIN[: len(PLAIN) // 2], "damaged or not complete"),
        (PLAIN[20:], "damaged or not complete"),
        (b"PK\x03\x04", "damaged or not complete"),
        (zip_bytes({"../outside": b"x"}), "leaves its folder"),
        (zip_bytes({"a/../../outside": b"x"}), "leaves its folder"),
        (zip_bytes({"/etc/passwd": b"x"}), "absolute name"),
        (zip_bytes({"C:\\image": b"x"}), "absolute name"),
        (zip_bytes({"a\\..\\..\\image": b"x"}), "leaves its folder"),
        (with_info(link), "a link"),
        (flags(PLAIN, 0x1), "encrypted"),
        (overlapping(), "overlap"),
        (zip_bytes({"one": b"x" * 1000}, zipfile.ZIP_LZMA), "compression other than deflate"),
        (zip_bytes({"zeros": b"\0" * (80 * MIB)}), "100 times its size"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_unsafe_archives_are_refused_before_anything_is_inflated(content: bytes, words: str) -> None:
    with pytest.raises(UnsafeArchive, match=words):
        archive(content)


def test_a_hundred_thousand_members_are_too_many(tmp_path: Path) -> None:
    content = zip_bytes({f"{number:06}": b"" for number in range(100_000)}, zipfile.ZIP_STORED)
    with pytest.raises(StudyTooLarge, match="100000 members; at most 20000"):
        read_headers(stored(tmp_path, content))


def test_a_directory_that_would_fill_the_memory_is_not_read() -> None:
    content = zip_bytes({"x" * 60_000: b"", "y" * 60_000: b""})
    with pytest.raises(StudyTooLarge, match="directory"):
        archive(content, ArchiveLimits(members=10))


def test_limits_on_one_file_and_on_all() -> None:
    with pytest.raises(StudyTooLarge, match="a file of the ZIP archive has over 1 MiB"):
        archive(zip_bytes({"one": bytes(2 * MIB)}), ArchiveLimits(member_bytes=MIB))
    with pytest.raises(StudyTooLarge, match="holds over 3 MiB"):
        archive(zip_bytes({f"{number}": bytes(MIB) for number in range(4)}), ArchiveLimits(total_bytes=3 * MIB))


def test_members_are_read_whole_and_folders_left_out() -> None:
    read = archive(PLAIN)
    assert [(member.index, member.name) for member in read.members()] == [(0, "a/one.bin"), (1, "a/two.bin")]
    assert read.read(0) == b"1" * 3000
    assert read.head(1, 10) == bytes(range(10))


def test_a_size_that_the_directory_understates_is_noticed() -> None:
    """Python's own reader cuts such a file, and its checksum is then wrong."""
    content = zip_bytes({"one": bytes(range(256)) * 400})
    place = content.rindex(b"PK\x01\x02") + 24
    lying = content[:place] + struct.pack("<L", 1000) + content[place + 4 :]
    with pytest.raises(UnreadableImage, match="damaged within"):
        archive(lying).read(0)


def test_bytes_are_counted_while_they_are_inflated() -> None:
    content = zip_bytes({"one": bytes(MIB)})
    read = archive(content, ArchiveLimits(ratio=1, slack_bytes=MIB))
    read.read(0)
    read.read(0)
    with pytest.raises(UnsafeArchive, match="more bytes than its directory states"):
        read.read(0)


def test_a_damaged_member_is_one_unreadable_file() -> None:
    content = bytearray(PLAIN)
    content[45:50] = b"\xff" * 5
    with pytest.raises(UnreadableImage, match="damaged within"):
        archive(bytes(content)).read(0)


def test_an_archive_in_an_archive_is_refused(tmp_path: Path) -> None:
    series = as_members(ct_series())
    inner_archives = {
        "inner.zip": PLAIN,
        "inner": PLAIN,
        "a.gz": b"\x1f\x8b\x08" + bytes(40),
        "b.7z": b"7z\xbc\xaf\x27\x1c",
        "c.tar": bytes(257) + b"ustar\0",
    }
    for name, inner in inner_archives.items():
        with pytest.raises(UnsafeArchive, match="archive in the archive"):
            read_headers(stored(tmp_path, zip_bytes({**series, name: inner})))


def test_headers_of_a_large_archive_need_little_memory(tmp_path: Path) -> None:
    """Sixty files of 1 MB: never more than a few at once."""
    series = ct_series(tuple(5.0 * index for index in range(60)), shape=(724, 724))
    paths = stored(tmp_path, zip_bytes(as_members(series), zipfile.ZIP_STORED))
    del series
    tracemalloc.start()
    try:
        assert read_headers(paths).images == 60
        assert tracemalloc.get_traced_memory()[1] < 10 * MIB
    finally:
        tracemalloc.stop()


@settings(max_examples=150)
@given(st.data())
def test_a_damaged_archive_raises_nothing_but_refusals(data: st.DataObject) -> None:
    content = bytearray(PLAIN)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with suppress(StudyError, UnreadableImage):
        read = archive(bytes(content[: data.draw(st.integers(0, len(content)))]))
        for member in read.members():
            read.read(member.index)
