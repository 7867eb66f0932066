"""The upload list: adding files, checking them before they are sent, and following their state."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Locator, Page, expect
from pydicom.uid import JPEG2000Lossless, JPEGLosslessSV1, RLELossless

from tests.browser.conftest import (
    BRIGHT,
    analyse,
    choose,
    hold_requests,
    payload,
    row_of,
    sign_up,
    wait_until_drawn,
)
from tests.support.pictures import compressed, ct_dataset, dicom_bytes, encoded, jpeg_lossless


def test_compressed_files_have_a_preview(page: Page) -> None:
    """One slice as plain, RLE, lossless JPEG and JPEG 2000 DICOM, and as three kinds of TIFF, has the same preview."""
    ramp = np.linspace(-80, 280, 64)
    hu = (ramp[:, None] * 0.5 + ramp[None, :] * 0.5).astype(np.int32)
    plain = ct_dataset(hu)
    stored = plain.pixel_array
    rle, jpeg_2000 = ct_dataset(hu), ct_dataset(hu)
    rle.compress(RLELossless)
    jpeg_2000.compress(JPEG2000Lossless)
    sixteen = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    eight = (sixteen >> 8).astype(np.uint8)
    pictures = [
        [
            dicom_bytes(plain),
            dicom_bytes(rle),
            dicom_bytes(compressed(ct_dataset(hu), JPEGLosslessSV1, jpeg_lossless(stored))),
            dicom_bytes(jpeg_2000),
        ],
        [
            encoded(eight),
            encoded(eight, "TIFF"),
            encoded(eight, "TIFF", compression="tiff_lzw"),
            encoded(sixteen, "TIFF", compression="tiff_adobe_deflate"),
        ],
    ]
    sign_up(page)
    choose(
        page,
        *(payload(f"{row}{column}", file) for row, same in enumerate(pictures) for column, file in enumerate(same)),
    )
    thumbnails = page.locator(".queue canvas")
    expect(thumbnails).to_have_count(8)
    wait_until_drawn(page)
    greys = thumbnail_greys(thumbnails)
    for same in (greys[:4], greys[4:]):
        assert np.ptp(same[0]) > 150
        for other in same[1:]:
            assert np.abs(other - same[0]).max() <= 1


def thumbnail_greys(canvases: Locator) -> list[NDArray[np.int64]]:
    script = (
        "all => all.map(c => [...c.getContext('2d').getImageData(0, 0, 64, 64).data].filter((_, i) => i % 4 === 0))"
    )
    return [np.array(greys) for greys in canvases.evaluate_all(script)]


def test_files_that_cannot_be_read_are_named_before_they_are_sent(page: Page) -> None:
    sign_up(page)
    hu = np.tile(np.linspace(-100, 300, 128).astype(np.int32), (128, 1))
    mri = ct_dataset(hu)
    mri.Modality = "MR"
    choose(
        page,
        payload("ct.dcm", dicom_bytes(ct_dataset(hu))),
        payload("mr.dcm", dicom_bytes(mri)),
        payload("notes.txt", b"words"),
        payload("broken.png", BRIGHT[:100]),
        payload("b.png", BRIGHT),
    )
    expect(page.get_by_text("The DICOM file has modality MR; only CT is analysed.")).to_be_visible()
    expect(page.get_by_text("Not an image in a supported format")).to_be_visible()
    expect(page.get_by_text("DICOM CT, 128 \u00d7 128")).to_be_visible()
    page.get_by_role("button", name="Analyse 3").click()
    expect(page.get_by_role("link", name="Open")).to_have_count(2)
    expect(page.get_by_text("The file is not a readable image").first).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="2 of 3 analysed, 1 failed")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.get_by_role("link", name="What to do")).to_have_attribute("href", "/problems/unreadable-image")
    page.get_by_label("Filter").fill("ct.dcm")
    expect(page.locator(".queue tbody tr")).to_have_count(1)
    page.get_by_label("Filter").fill("")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export as CSV").click()
    assert "ct.dcm,,done,decided,metastasis" in Path(download.value.path()).read_text()


@pytest.mark.parametrize("action", ["pasted", "dropped"])
def test_files_are_added_by_paste_and_by_drop(page: Page, action: str) -> None:
    sign_up(page)
    page.evaluate(
        """([bytes, action]) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([new Uint8Array(bytes)], `${action}.png`));
          if (action === "pasted") {
            document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer }));
          } else {
            const target = document.querySelector(".drop");
            target.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
          }
        }""",
        [list(BRIGHT), action],
    )
    page.get_by_role("button", name="Analyse 1").click()
    expect(row_of(page, f"{action}.png").get_by_role("link", name="Open")).to_be_visible()


def test_an_upload_is_cancelled_and_repeated(page: Page) -> None:
    sign_up(page)
    held = hold_requests(page, "**/v1/analyses*", times=1)
    analyse(page, payload("slow.png", BRIGHT))
    row = row_of(page, "slow.png")
    row.get_by_role("button", name="Cancel").click()
    expect(row).to_contain_text("cancelled")
    row.get_by_role("button", name="Try again").click()
    expect(row.get_by_role("link", name="Open")).to_be_visible()
    assert len(held) == 1


def test_the_table_is_sorted_by_any_column_both_ways(page: Page) -> None:
    sign_up(page)
    analyse(page, *(payload(f"{name}.png", BRIGHT) for name in ("10", "9", "2")))
    expect(page.get_by_role("link", name="Open")).to_have_count(3)
    names = page.locator(".queue tbody th")
    expect(names).to_contain_text(["10.png", "9.png", "2.png"])
    page.get_by_role("button", name="File", exact=True).click()
    expect(names).to_contain_text(["2.png", "9.png", "10.png"])
    expect(page.get_by_role("columnheader", name="File")).to_have_attribute("aria-sort", "ascending")
    page.get_by_role("button", name="File", exact=True).click()
    expect(names).to_contain_text(["10.png", "9.png", "2.png"])
    expect(page.get_by_role("progressbar", name="Status")).to_have_attribute("value", "3")
    count = page.get_by_role("status").filter(has_text="3 of 3 analysed")
    expect(count).to_have_attribute("aria-busy", "false")
    expect(page.locator(".queue [role]")).to_have_count(0)
