"""Files with several images: every frame gets its own result, and no file gets one result as a whole."""

from __future__ import annotations

import io
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page, expect
from pydicom.fileset import FileSet
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEG2000Lossless, RLELossless

from tests.browser.conftest import BRIGHT, choose, payload, row_of, sign_up, wait_until_drawn
from tests.support.pictures import FRAME_HU, ct_dataset, dicom_bytes, gradient, multi_frame

FRAMES = 5


def multi_page_tiff(pages: int) -> bytes:
    images = [Image.fromarray(np.roll(gradient(64, 64), 8 * index, axis=1)) for index in range(pages)]
    buffer = io.BytesIO()
    images[0].save(buffer, "TIFF", save_all=True, append_images=images[1:])
    return buffer.getvalue()


def test_all_frames_of_a_dicom_file_are_analysed_as_a_series(page: Page) -> None:
    requested: list[list[str]] = []
    page.on(
        "request",
        lambda request: (
            requested.append(parse_qs(urlsplit(request.url).query).get("frame", []))
            if "/v1/analyses" in request.url
            else None
        ),
    )
    sign_up(page)
    choose(page, payload("volume.dcm", dicom_bytes(multi_frame(FRAMES))))
    row = row_of(page, "volume.dcm")
    expect(row).to_contain_text("5 frames, analysed as a series")
    page.get_by_role("button", name="Analyse 5").click()
    expect(row).to_contain_text("5 of 5 analysed")
    assert sorted(requested) == [[str(index)] for index in range(FRAMES)]
    expect(row).to_contain_text("Metastasis: 5 frames")
    row.get_by_role("button", name="Show frames").click()
    expect(page.locator(".frame-row").get_by_role("link", name="Open")).to_have_count(FRAMES)

    row.get_by_role("link", name="Open").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("volume.dcm, frame 1 of 5")
    page.get_by_role("link", name="Next frame").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("volume.dcm, frame 2 of 5")
    expect(page).to_have_title("volume.dcm, frame 2 of 5 · Hepar")
    page.get_by_role("combobox", name="Frame").select_option(label="5: Metastasis")
    expect(page.get_by_role("heading", level=1)).to_have_text("volume.dcm, frame 5 of 5")
    expect(page.get_by_role("link", name="Next frame")).to_have_count(0)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless, JPEG2000Lossless])
def test_each_frame_is_displayed_with_its_own_pixels_and_rescale_values(page: Page, syntax: UID) -> None:
    """In the phantom each frame is 10 HU brighter than the one before; the rescale values are in functional groups."""
    volume = multi_frame(3)
    if syntax.is_compressed:
        volume.compress(syntax)
    sign_up(page)
    choose(
        page, payload("volume.dcm", dicom_bytes(volume)), payload("slice.dcm", dicom_bytes(ct_dataset(FRAME_HU + 20)))
    )
    page.get_by_role("button", name="Analyse 4").click()
    expect(row_of(page, "volume.dcm")).to_contain_text("3 of 3 analysed")
    row_of(page, "volume.dcm").get_by_role("link", name="Open").click()
    page.get_by_role("combobox", name="Frame").select_option(label="3: Metastasis")
    expect(page.get_by_role("heading", level=1)).to_have_text("volume.dcm, frame 3 of 3")
    third_frame = viewer_greys(page)
    page.get_by_role("link", name="Analyse").click()
    row_of(page, "slice.dcm").get_by_role("link", name="Open").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("slice.dcm")
    single = viewer_greys(page)
    assert np.ptp(single) > 100
    np.testing.assert_array_equal(third_frame, single)


def viewer_greys(page: Page) -> NDArray[np.int64]:
    """One line across the image, without boxes."""
    page.get_by_label("Minimum score").fill("1")
    page.get_by_text("No lesion above the threshold").wait_for()
    wait_until_drawn(page)
    line = page.locator("canvas[role=img]").evaluate(
        "c => [...c.getContext('2d').getImageData(0, Math.round(c.height / 2), c.width, 1).data]"
    )
    return np.array(line)[::4]


def test_a_range_of_frames_can_be_selected(page: Page) -> None:
    sign_up(page)
    choose(page, payload("volume.dcm", dicom_bytes(multi_frame(FRAMES))))
    row = row_of(page, "volume.dcm")
    row.get_by_label("From frame").fill("2")
    row.get_by_label("to frame").fill("3")
    page.get_by_role("button", name="Analyse 2").click()
    expect(row).to_contain_text("2 of 2 analysed")
    row.get_by_role("button", name="Show frames").click()
    expect(page.locator(".frame-row").filter(has_text="not selected")).to_have_count(3)


# Chromium's DevTools do not report the bytes of a Blob that is sent.
RECORD_BODIES = """
window.bodies = [];
const send = XMLHttpRequest.prototype.send;
XMLHttpRequest.prototype.send = function (body) {
  window.bodies.push(body.arrayBuffer().then((buffer) => [...new Uint8Array(buffer)]));
  return send.call(this, body);
};
"""


def test_all_pages_of_a_tiff_are_analysed_as_a_series(page: Page) -> None:
    page.add_init_script(RECORD_BODIES)
    sign_up(page)
    content = multi_page_tiff(3)
    choose(page, payload("pages.tif", content))
    row = row_of(page, "pages.tif")
    expect(row).to_contain_text("3 frames, analysed as a series")
    page.get_by_role("button", name="Analyse 3").click()
    expect(row).to_contain_text("3 of 3 analysed")
    row.get_by_role("button", name="Show frames").click()
    expect(page.get_by_text("the first was read")).to_have_count(0)
    sent = [Image.open(io.BytesIO(bytes(body))) for body in page.evaluate("Promise.all(window.bodies)")]
    assert [getattr(image, "n_frames", 1) for image in sent] == [1, 1, 1]
    original = Image.open(io.BytesIO(content))
    pages = []
    for index in range(3):
        original.seek(index)
        pages.append(np.asarray(original).tobytes())
    assert sorted(np.asarray(image).tobytes() for image in sent) == sorted(pages)


def test_a_dicomdir_is_refused_by_name(page: Page, tmp_path: Path) -> None:
    files = FileSet()
    dataset = ct_dataset(FRAME_HU)
    dataset.PatientID, dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1", "1.2.3", "1.2.3.4"
    dataset.PatientName, dataset.StudyDate, dataset.StudyTime, dataset.StudyID = "", "20260101", "120000", "1"
    dataset.SeriesNumber = dataset.InstanceNumber = 1
    files.add(dataset)
    files.write(tmp_path)
    sign_up(page)
    choose(page, payload("DICOMDIR", (tmp_path / "DICOMDIR").read_bytes()), payload("slice.png", BRIGHT))
    expect(row_of(page, "DICOMDIR")).to_contain_text("This is a DICOMDIR, an index of other files.")
    page.get_by_role("button", name="Analyse 1").click()
    expect(page.get_by_role("link", name="Open")).to_have_count(1)
    expect(row_of(page, "DICOMDIR").get_by_role("link", name="Open")).to_have_count(0)
