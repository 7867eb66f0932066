"""What is sent of a path: files as they are, folders as a ZIP that is made on the way."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hepar_client.study_files import NoStudy, find_study

from tests.support.study_api import ct_files

MEBIBYTE = 1024**2


def export(folder: Path) -> list[bytes]:
    """As a PACS writes it: images in folders, a DICOMDIR, a viewer."""
    files = ct_files(3)
    for number, content in enumerate(files):
        target = folder / "DICOM" / f"CURIE_MARIE_{number}"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    (folder / "viewer.exe").write_bytes(b"MZ")
    (folder / "DICOMDIR").write_bytes(
        bytes(128) + b"DICM" + b"\x02\x00\x02\x00UI\x14\x00" + b"1.2.840.10008.1.3.10\x00"
    )
    return files


def test_a_folder_is_sent_as_a_zip_of_its_images_without_their_names(tmp_path: Path) -> None:
    files = export(tmp_path)
    found = find_study(tmp_path)
    assert (len(found.files), found.skipped, found.packed) == (3, 2, True)
    assert "Content-Length" not in found.headers()
    read_bytes: list[int] = []
    content = b"".join(found.chunks(read_bytes.append))
    assert sum(read_bytes) == found.size_bytes == sum(map(len, files))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert [archive.read(name) for name in archive.namelist()] == files
        assert archive.namelist() == ["000000.dcm", "000001.dcm", "000002.dcm"]
    assert b"CURIE" not in content.replace(b"Curie^Marie", b"")


def test_a_file_is_sent_as_it_is_with_its_length(tmp_path: Path) -> None:
    file = tmp_path / "volume.nii.gz"
    file.write_bytes(b"\x1f\x8b" + bytes(3 * MEBIBYTE))
    found = find_study(file)
    assert found.headers()["Content-Length"] == str(file.stat().st_size)
    assert b"".join(found.chunks(lambda _: None)) == file.read_bytes()


@pytest.mark.parametrize("size_bytes", [40 * MEBIBYTE, 160 * MEBIBYTE])
def test_memory_does_not_grow_with_the_study(tmp_path: Path, size_bytes: int) -> None:
    with (tmp_path / "image").open("wb") as file:
        file.write(bytes(128) + b"DICM")
        file.truncate(size_bytes)
    found = find_study(tmp_path)
    tracemalloc.start()
    try:
        for _ in found.chunks(lambda _: None):
            pass
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 8 * MEBIBYTE


def test_what_holds_no_study_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoStudy, match="does not exist"):
        find_study(tmp_path / "nowhere")
    (tmp_path / "note.txt").write_text("no image")
    with pytest.raises(NoStudy, match="no DICOM file"):
        find_study(tmp_path)
