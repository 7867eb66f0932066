"""Which files of a folder are sent, and in which order."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import numpy as np
import pytest
from hepar_client.cli.image_files import NoSuchPath, find_images
from pydicom.filewriter import dcmwrite
from pydicom.uid import MediaStorageDirectoryStorage

from tests.support.pictures import ct_dataset, dicom_bytes, encoded, gradient

HU = np.zeros((16, 16), np.int32)
PICTURE = encoded(gradient(16, 16))


def write_slice(file: Path, **elements: object) -> None:
    """A CT slice; an element that is None is left out."""
    dataset = ct_dataset(HU)
    for name, value in elements.items():
        if value is None:
            delattr(dataset, name)
        else:
            setattr(dataset, name, value)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(dicom_bytes(dataset))


def names(files: list[Path]) -> list[str]:
    return [file.name for file in files]


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "BMP", "WEBP"])
def test_pictures_are_recognised_by_their_bytes(tmp_path: Path, form: str) -> None:
    (tmp_path / "no suffix at all").write_bytes(encoded(gradient(16, 16), form))
    found = find_images([tmp_path])
    assert (names(found.images), found.skipped) == (["no suffix at all"], [])


@pytest.mark.parametrize("start", [b"II+\0", b"MM\0+", b"MM\0*"])
def test_tiff_of_every_byte_order_and_size_is_recognised(tmp_path: Path, start: bytes) -> None:
    (tmp_path / "x").write_bytes(start + b"\0" * 20)
    assert names(find_images([tmp_path]).images) == ["x"]


@pytest.mark.parametrize("implicit", [True, False])
def test_dicom_without_preamble_is_recognised(tmp_path: Path, implicit: bool) -> None:
    dataset = ct_dataset(HU)
    dataset.SpecificCharacterSet = "ISO_IR 100"
    del dataset.file_meta, dataset.preamble
    dcmwrite(tmp_path / "x.1.2", dataset, implicit_vr=implicit, little_endian=True)
    assert b"DICM" not in (tmp_path / "x.1.2").read_bytes()
    assert names(find_images([tmp_path]).images) == ["x.1.2"]


@pytest.mark.parametrize(
    "content",
    [b"", b"BM is how this text begins, but no bitmap", b"RIFF....WAVE", b"%PDF-1.7", b"PK\x03\x04", b"\x08\x00"],
)
def test_other_files_are_skipped_with_their_names(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    found = find_images([tmp_path])
    assert (found.images, found.skipped) == ([], [(tmp_path / "x", "not an image")])


def test_a_file_with_the_suffix_of_an_image_is_sent_so_that_the_gateway_gives_the_reason(tmp_path: Path) -> None:
    (tmp_path / "empty.dcm").write_bytes(b"")
    (tmp_path / "text.PNG").write_bytes(b"text")
    assert names(find_images([tmp_path]).images) == ["empty.dcm", "text.PNG"]


def test_what_systems_leave_in_folders_and_a_dicomdir_are_ignored(tmp_path: Path) -> None:
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", "._slice.1"):
        (tmp_path / name).write_bytes(b"system")
    dataset = ct_dataset(HU)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    (tmp_path / "DICOMDIR").write_bytes(dicom_bytes(dataset))
    (tmp_path / "._image").write_bytes(PICTURE)
    found = find_images([tmp_path])
    assert (names(found.images), found.skipped) == (["._image"], [])


def test_folders_without_images_dangling_links_and_pipes_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x.png").write_bytes(PICTURE)
    (tmp_path / "full" / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "full" / "circle").symlink_to(tmp_path / "full")
    os.mkfifo(tmp_path / "full" / "pipe")
    found = find_images([tmp_path / "empty", tmp_path / "full"])
    assert names(found.images) == ["x.png"]
    assert {file.name: reason for file, reason in found.skipped} == {
        "empty": "no image in this folder",
        "dangling": "No such file or directory",
        "circle": "a link to a folder is not followed",
        "pipe": "not an image",
    }


def test_a_path_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NoSuchPath, match="nothing does not exist"):
        find_images([tmp_path / "nothing"])


def test_names_are_ordered_by_their_numbers(tmp_path: Path) -> None:
    for name in ("slice10.png", "slice9.png", "slice².png", "slice1.png", "a11.png"):  # ² is no decimal digit
        (tmp_path / name).write_bytes(PICTURE)
    expected = ["a11.png", "slice1.png", "slice9.png", "slice10.png", "slice².png"]
    assert names(find_images([tmp_path]).images) == expected


def test_a_series_is_ordered_by_instance_number(tmp_path: Path) -> None:
    for name, number in (("s1", 10), ("s2", 9), ("s3", 2)):
        write_slice(
            tmp_path / name, SeriesInstanceUID="1.2", InstanceNumber=number, ImagePositionPatient=[0, 0, number]
        )
    assert names(find_images([tmp_path]).images) == ["s3", "s2", "s1"]


@pytest.mark.parametrize("number", [None, 1], ids=["missing", "all the same"])
@pytest.mark.parametrize(
    ("orientation", "axis"), [((1, 0, 0, 0, 1, 0), 2), ((1, 0, 0, 0, 0, -1), 1), ((0, 1, 0, 0, 0, -1), 0)]
)
def test_without_instance_numbers_positions_order_a_series(
    tmp_path: Path, number: int | None, orientation: tuple[int, ...], axis: int
) -> None:
    """By the position on the slice normal; coordinates within the slice do not count."""
    normal = np.cross(orientation[:3], orientation[3:])
    for name, distance in (("a", 20.5), ("b", -3.0), ("c", 7.25)):
        position = [0.0, 0.0, 0.0]
        position[axis] = distance * normal[axis]
        position[(axis + 1) % 3] = -100 * distance
        elements = {} if number is None else {"InstanceNumber": number}
        write_slice(
            tmp_path / name,
            SeriesInstanceUID="1.2",
            ImagePositionPatient=position,
            ImageOrientationPatient=list(orientation),
            **elements,
        )
    assert names(find_images([tmp_path]).images) == ["b", "c", "a"]


def test_series_stay_together_also_across_folders(tmp_path: Path) -> None:
    """As on media with one folder for a few files."""
    for number, series in itertools.product((1, 2, 3), ("1.2.5", "1.2.4")):
        folder = tmp_path / f"part{4 - number}"
        write_slice(folder / f"{series}-{number}", SeriesInstanceUID=series, InstanceNumber=number)
    assert names(find_images([tmp_path]).images) == [
        "1.2.4-1", "1.2.4-2", "1.2.4-3", "1.2.5-1", "1.2.5-2", "1.2.5-3",
    ]  # fmt: skip


def test_damaged_dicom_is_sent_and_orders_nothing(tmp_path: Path) -> None:
    write_slice(tmp_path / "whole", SeriesInstanceUID="1.2", InstanceNumber=1)
    content = (tmp_path / "whole").read_bytes()
    for size in (132, 140, 300, 400):
        (tmp_path / f"cut{size}").write_bytes(content[:size])
    (tmp_path / "odd").write_bytes(content.replace(b"IS\x02\x001 ", b"IS\x02\x00x "))
    found = find_images([tmp_path])
    assert sorted(names(found.images)) == ["cut132", "cut140", "cut300", "cut400", "odd", "whole"]
    assert found.skipped == []
