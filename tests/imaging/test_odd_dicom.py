"""Files that bend the standard without leaving a doubt of what they mean are read."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from hepar.imaging import decode
from tests.support.phantom import phantom_grey, phantom_hu
from tests.support.pictures import ct_dataset, dicom_bytes

PLAIN = dicom_bytes(ct_dataset(phantom_hu()))


def element_at(group: int, number: int) -> int:
    return PLAIN.index(struct.pack("<HH", group, number))


def with_rows_twice() -> bytes:
    start = element_at(0x28, 0x10)
    return PLAIN[:start] + PLAIN[start : start + 10] + PLAIN[start:]


def with_unknown_vr(number: int) -> bytes:
    start = element_at(0x28, number)
    (length,) = struct.unpack_from("<H", PLAIN, start + 6)
    return PLAIN[: start + 4] + struct.pack("<2sHI", b"UN", 0, length) + PLAIN[start + 8 :]


def with_pixels_as(vr: bytes) -> bytes:
    start = element_at(0x7FE0, 0x10)
    return PLAIN[: start + 4] + vr + PLAIN[start + 6 :]


def with_name_in_another_encoding() -> bytes:
    dataset = ct_dataset(phantom_hu())
    dataset.SpecificCharacterSet, dataset.PatientName = "ISO_IR 100", "ABCDEFGH"
    return dicom_bytes(dataset).replace(b"ABCDEFGH", "张三李四".encode("gbk"))


def with_another_syntax_stated() -> bytes:
    """Explicit value representations under the transfer syntax of implicit ones."""
    stated = str(ImplicitVRLittleEndian).encode().ljust(20, b"\0")
    return PLAIN.replace(str(ExplicitVRLittleEndian).encode() + b"\0", stated)


def with_an_icon() -> bytes:
    dataset, icon = ct_dataset(phantom_hu()), Dataset()
    icon.Rows = icon.Columns = 64
    icon.PixelData = bytes(64 * 64)
    icon["PixelData"].VR = "OB"
    dataset.IconImageSequence = [icon]
    return dicom_bytes(dataset)


FILES = {
    "Rows twice": with_rows_twice(),
    "RescaleSlope of unknown VR": with_unknown_vr(0x1053),
    "RescaleIntercept of unknown VR": with_unknown_vr(0x1052),
    "pixels of unknown VR": with_pixels_as(b"UN"),
    "pixels as bytes": with_pixels_as(b"OB"),
    "a name in GBK": with_name_in_another_encoding(),
    "another transfer syntax stated": with_another_syntax_stated(),
    "an icon with pixels of its own": with_an_icon(),
}


@pytest.mark.parametrize("name", FILES)
def test_an_odd_file_is_read_as_what_it_means(name: str) -> None:
    assert FILES[name] != PLAIN
    image = decode(FILES[name])
    assert np.array_equal(image.pixels, phantom_grey())
    assert image.warnings == ()
