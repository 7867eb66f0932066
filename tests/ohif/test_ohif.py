"""OHIF, a web viewer of other makers, shows a study and its segmentation straight from Hepar: `make test-ohif`."""

from __future__ import annotations

import base64
import io
import re
import time
from collections.abc import Callable

import highdicom
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.ohif.conftest import TIMEOUT_MS, ViewedStudy

pytestmark = pytest.mark.timeout(1800)  # Chromium draws without a graphics card
IMAGES, SEGMENTATION = "Abdomen portal venous", "Hepar segmentation"
KEY_IMAGES, MEASUREMENTS, REPORT = "Hepar key images", "Hepar measurements", "Hepar report"
_BYTES = "async (url) => Array.from(new Uint8Array(await (await fetch(url)).arrayBuffer()))"


def test_ohif_shows_the_series_the_images_and_the_segmentation_where_it_lies(page: Page, study: ViewedStudy) -> None:
    open_images(page, study)
    for name in (IMAGES, SEGMENTATION, MEASUREMENTS, REPORT, KEY_IMAGES):
        expect(series(page, name)).to_be_visible()
    series(page, SEGMENTATION).dblclick()
    page.get_by_text("Yes", exact=True).click()
    page.locator("[data-cy=panelSegmentation-btn]").click()
    names = [str(segment.SegmentLabel) for segment in pydicom.dcmread(io.BytesIO(study.segmentation)).SegmentSequence]
    assert len(names) > 1
    for name in names:
        expect(page.get_by_text(name, exact=True).first).to_be_visible()

    number = slice_with_most_lesion(study)
    show_slice(page, number, len(study.images))
    wait_until(page, lambda: share_in_common(coloured(picture(page)), expected_masks(page, study, number) > 0) > 0.9)
    shown, expected = picture(page), expected_masks(page, study, number)
    lesion, liver = (np.median(shown[mask], axis=0) for mask in (expected > 1, expected == 1))
    assert np.abs(lesion - liver).max() > 20, "a lesion has a colour of its own"
    page.locator("[data-cy^=all-segments-visibility-toggle]").first.click()
    wait_until(page, lambda: not np.any(coloured(picture(page))))


def test_ohif_shows_the_pdf_and_the_key_images_but_a_black_view_for_the_structured_report(
    page: Page, study: ViewedStudy
) -> None:
    """OHIF stops at measurements without coordinates: docs/integration.md says so."""
    open_images(page, study)
    series(page, MEASUREMENTS).dblclick()
    expect(page.locator("canvas.cornerstone-canvas")).to_have_count(0)
    series(page, KEY_IMAGES).dblclick()
    wait_until(page, lambda: bool(np.any(coloured(picture(page)))))
    series(page, REPORT).dblclick()
    document = page.locator("object[type='application/pdf']")
    expect(document).to_have_attribute("data", re.compile("^blob:"))
    content = page.evaluate(_BYTES, document.get_attribute("data"))
    assert bytes(content) == study.pdf


def open_images(page: Page, study: ViewedStudy) -> None:
    page.goto(study.page_url())
    page.get_by_text("Skip all").click()
    series(page, IMAGES).dblclick()
    expect_slice(page, 1, len(study.images))
    wait_until(page, lambda: len(np.unique(picture(page))) > 50)


def series(page: Page, name: str) -> Locator:
    return page.locator("[data-cy^=study-browser-thumbnail]", has_text=name)


def expect_slice(page: Page, number: int, count: int) -> None:
    expect(page.locator("[data-cy=viewport-overlay-bottom-right]")).to_contain_text(f"{number} ({number}/{count})")


def shown_slice(page: Page) -> int:
    text = page.locator("[data-cy=viewport-overlay-bottom-right]").inner_text()
    found = re.search(r"\((\d+)/\d+\)", text)
    assert found is not None, text
    return int(found[1])


def show_slice(page: Page, number: int, count: int) -> None:
    page.locator("canvas.cornerstone-canvas").click(position={"x": 30, "y": 400})
    while (shown := shown_slice(page)) != number:
        step = 1 if shown < number else -1
        page.keyboard.press("ArrowDown" if step > 0 else "ArrowUp")
        expect_slice(page, shown + step, count)


def picture(page: Page) -> NDArray[np.uint8]:
    """(rows, columns, 3): what the viewport shows, without the texts around it."""
    content = page.locator("canvas.cornerstone-canvas").first.evaluate("canvas => canvas.toDataURL('image/png')")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content.partition(",")[2]))).convert("RGB"))


def masks_of(study: ViewedStudy, number: int) -> NDArray[np.uint8]:
    """(rows, columns) of uint8: the number of the segment at each pixel of the image, 0 for none, read by highdicom."""
    read = highdicom.seg.segread(io.BytesIO(study.segmentation))
    image = study.images[number]
    (labels,) = read.get_pixels_by_source_instance(
        [image.SOPInstanceUID], combine_segments=True, skip_overlap_checks=True, ignore_spatial_locations=True,
        assert_missing_frames_are_empty=True,
    )  # fmt: skip
    return np.asarray(labels, dtype=np.uint8)


def slice_with_most_lesion(study: ViewedStudy) -> int:
    """The liver is the first segment."""
    return max(study.images, key=lambda number: int((masks_of(study, number) > 1).sum()))


def expected_masks(page: Page, study: ViewedStudy, number: int) -> NDArray[np.uint8]:
    """On the canvas: a viewer shows an image as large as fits, in the middle."""
    shown = picture(page).shape[:2]
    labels = masks_of(study, number)
    scale = min(pixels / size for pixels, size in zip(shown, labels.shape, strict=True))
    enlarged = Image.fromarray(labels).resize(
        (round(labels.shape[1] * scale), round(labels.shape[0] * scale)), Image.Resampling.NEAREST
    )
    canvas = Image.new("L", (shown[1], shown[0]))
    canvas.paste(enlarged, ((shown[1] - enlarged.width) // 2, (shown[0] - enlarged.height) // 2))
    return np.asarray(canvas)


def coloured(shown: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where a mask is: an image of CT is grey."""
    return np.asarray(np.ptp(shown.astype(np.int16), axis=2) > 8)


def share_in_common(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    return float((first & second).sum() / max(1, (first | second).sum()))


def wait_until(page: Page, condition: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + TIMEOUT_MS / 1000
    while not condition():
        assert time.monotonic() < ends_at
        page.wait_for_timeout(500)
