"""Before a file is sent, the upload list shows what the services read in it, turned for display."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page, expect
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import JPEG2000Lossless, SecondaryCaptureImageStorage

from hepar.imaging import decode
from tests.browser.conftest import choose, payload, sign_up, wait_until_drawn
from tests.support.orientations import EXIF_ORIENTATIONS, IMAGE_ORIENTATIONS, PATIENT_ORIENTATIONS
from tests.support.pictures import ct_dataset, dicom_bytes, encoded, multi_frame, with_elements
from tests.support.raw_pictures import png, tiff

SIDE = 64
"""Of a thumbnail: nothing is scaled."""
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE]
HU = (COLUMNS * 6 + ROWS - 120).astype(np.int32)
GREY = (COLUMNS * 3 + ROWS).astype(np.uint8)
OUTSIDE = np.hypot(ROWS - 32, COLUMNS - 32) > 30


def ct(values: NDArray[np.integer] = HU + 1024, **elements: object) -> FileDataset:
    """values: as stored. An element of None is removed."""
    dataset = ct_dataset(HU)
    dataset.PixelSpacing = ["0.8", "0.8"]
    dataset.PixelData = values.astype(np.uint16).tobytes()
    return with_elements(dataset, **elements)


def eight_bits(**elements: object) -> FileDataset:
    dataset = ct(HU + 1024, BitsAllocated=8, BitsStored=8, HighBit=7, RescaleIntercept="0", **elements)
    dataset.PixelData = GREY.tobytes()
    return dataset


def padded(value: int, limit: int | None = None, **elements: object) -> FileDataset:
    dataset = ct(np.where(OUTSIDE, value & 0xFFFF, HU + 1024), **elements)
    dataset.add_new("PixelPaddingValue", "US", value & 0xFFFF)
    if limit is not None:
        dataset.add_new("PixelPaddingRangeLimit", "US", limit & 0xFFFF)
    return dataset


def turned(values: list[str], turn: Callable[[np.ndarray], np.ndarray], name: str) -> FileDataset:
    dataset = ct(np.ascontiguousarray(turn(HU + 1024)), ImageOrientationPatient=None)
    setattr(dataset, name, values)
    return dataset


def overlaid() -> FileDataset:
    overlay = np.where(COLUMNS > 40, 1 << 13, 0)
    return ct((HU + 1024) | overlay, BitsStored=12, HighBit=11)


def with_frame_groups() -> Dataset:
    """The top level contradicts the functional groups."""
    dataset = multi_frame(1)
    dataset.RescaleSlope, dataset.RescaleIntercept = "1", "0"
    dataset.Rows, dataset.Columns, dataset.PixelData = SIDE, SIDE, (HU + 1024).astype(np.uint16).tobytes()
    dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing = ["1", "1"]
    return dataset


def compressed_and_overlaid() -> FileDataset:
    dataset = ct()
    dataset.compress(JPEG2000Lossless)
    dataset.BitsStored, dataset.HighBit = 12, 11
    return dataset


DICOM: Mapping[str, Dataset] = {
    "plain": ct(),
    "frame groups": with_frame_groups(),
    "MONOCHROME1 with Hounsfield units": ct(PhotometricInterpretation="MONOCHROME1"),
    "MONOCHROME1 without": ct(PhotometricInterpretation="MONOCHROME1", RescaleType="US"),
    "MONOCHROME1, 8 bits": eight_bits(PhotometricInterpretation="MONOCHROME1"),
    "another unit, own window": ct(RescaleType="US", WindowCenter="50", WindowWidth="300"),
    "no rescale": ct(RescaleSlope=None, RescaleIntercept=None),
    "a secondary capture": eight_bits(SOPClassUID=SecondaryCaptureImageStorage),
    "a copied window, signed": ct(GREY, PixelRepresentation=1, RescaleIntercept="0"),
    "padding": padded(-2000),
    "padding as a range": padded(64_000, 63_000),
    "padding without units": padded(40_000, RescaleType="US"),
    "padding, MONOCHROME1 without units": padded(40_000, RescaleType="US", PhotometricInterpretation="MONOCHROME1"),
    "overlay": overlaid(),
    "upper bits": ct((HU + 1024) << 4, BitsStored=12, HighBit=15),
    "signed 12 bits": ct(HU & 0xFFF, BitsStored=12, HighBit=11, PixelRepresentation=1, RescaleIntercept="0"),
    "12 bits in JPEG 2000": compressed_and_overlaid(),
} | {
    f"{name} {key}": turned(values, turn, name)
    for name, table in (("ImageOrientationPatient", IMAGE_ORIENTATIONS), ("PatientOrientation", PATIENT_ORIENTATIONS))
    for key, (values, turn) in table.items()
}
TWELVE = GREY.astype(int) * 16


def with_exif(form: str, value: int) -> bytes:
    """A lossless picture with an EXIF orientation, which shows GREY."""
    exif = Image.Exif()
    exif[0x0112] = value
    return encoded(np.ascontiguousarray(EXIF_ORIENTATIONS[value](GREY)), form, exif=exif, lossless=True)


PICTURES = {
    "TIFF, white is zero, 8 bits": tiff(255 - GREY, 8, white_is_zero=True),
    "TIFF, white is zero, 16 bits": tiff(65_535 - GREY.astype(int) * 257, 16, white_is_zero=True),
    "TIFF, white is zero, 12 bits": tiff(4095 - TWELVE, 16, white_is_zero=True),
    "TIFF, white is zero, 12 bits at the upper end": tiff(65_535 - TWELVE, 16, white_is_zero=True),
    "TIFF, 1 bit": tiff((GREY > 120).astype(int), 1),
    "TIFF, white is zero, alpha": tiff(np.dstack([255 - GREY, np.where(OUTSIDE, 0, 255)]), 8, white_is_zero=True),
    "PNG, alpha": encoded(np.dstack([GREY, GREY, GREY, np.where(OUTSIDE, 60, 255)]).astype(np.uint8)),
    **{f"{form}, EXIF {value}": with_exif(form, value) for form in ("PNG", "WEBP", "TIFF") for value in range(2, 9)},
}
FILES = {name: dicom_bytes(dataset) for name, dataset in DICOM.items()} | PICTURES


def palette_tiff() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(GREY).convert("P").save(buffer, "TIFF")
    return buffer.getvalue()


LEFT_TO_THE_SERVICES = {
    "BigTIFF": tiff(GREY, 8, big=True),
    "12 bits in a PNG": png(TWELVE, 16),
    "a palette in a TIFF": palette_tiff(),
}


def test_a_thumbnail_shows_what_the_services_read(page: Page) -> None:
    sign_up(page)
    choose(page, *(payload(name, content) for name, content in FILES.items()))
    thumbnails = page.locator(".queue canvas")
    expect(thumbnails).to_have_count(len(FILES))
    wait_until_drawn(page)
    shown = json.loads(
        thumbnails.evaluate_all(
            "all => JSON.stringify(all.map(c => [...c.getContext('2d').getImageData(0, 0, 64, 64).data]"
            ".filter((_, i) => i % 4 === 0)))"
        )
    )
    wrong = {}
    for (name, content), greys in zip(FILES.items(), shown, strict=True):
        read = decode(content).pixels.astype(int)
        difference = int(np.abs(np.array(greys).reshape(SIDE, SIDE) - read).max())
        assert np.ptp(read) > 150, name
        if difference > 1:
            wrong[name] = difference
    assert wrong == {}


def test_what_the_browser_cannot_show_as_the_services_do_has_no_thumbnail(page: Page) -> None:
    sign_up(page)
    choose(page, *(payload(name, content) for name, content in LEFT_TO_THE_SERVICES.items()))
    count = len(LEFT_TO_THE_SERVICES)
    expect(page.locator(".queue").get_by_text("This browser cannot display the file")).to_have_count(count)
    expect(page.get_by_role("button", name=f"Analyse {count}")).to_be_enabled()
