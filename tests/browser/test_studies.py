"""A study from the drop to its findings, in the worklist and in the viewer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from playwright.sync_api import Page, expect

from local_stack.demo import running_stack
from local_stack.settings import on_free_ports
from tests.browser.conftest import file_input, sign_in, sign_up, wait_until_drawn
from tests.browser.finding_steps import correct_findings
from tests.browser.test_accessibility import check
from tests.end_to_end.conftest import Stack

STUDY = Path("samples/study.zip")
ANALYSED_MS = 300_000


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The trained models: the sample study has lesions that they find."""
    settings, folder = on_free_ports(), tmp_path_factory.mktemp("studies")
    with running_stack(settings, folder) as process:
        yield Stack(settings, folder, process.pid)


def send_study(page: Page) -> None:
    """Ends on the worklist with the finished study."""
    page.get_by_role("link", name="Studies").click()
    expect(page.get_by_text("No studies yet")).to_be_visible()
    file_input(page).set_input_files(STUDY)
    expect(page.get_by_role("row")).to_have_count(2)
    expect(page.locator(".thumbnail")).to_be_visible(timeout=ANALYSED_MS)


@pytest.mark.timeout(600)
def test_a_study_is_analysed_and_read(page: Page) -> None:
    email = sign_up(page)
    send_study(page)
    check(page, "worklist")
    row = page.get_by_role("row").nth(1)
    expect(row).to_contain_text("38")
    expect(row).to_contain_text("lesion")
    link = row.get_by_role("link")
    address = link.get_attribute("href")
    link.click()
    expect(page.locator(".verdict")).to_be_visible()
    canvas = page.locator("canvas[role=img]")
    wait_until_drawn(page)
    slider = page.get_by_role("slider", name="Slice")
    before = slider.get_attribute("aria-valuetext")
    picture = canvas.screenshot()
    canvas.focus()
    page.keyboard.press("ArrowUp")
    expect(slider).not_to_have_attribute("aria-valuetext", before or "")
    wait_until_drawn(page)
    assert canvas.screenshot() != picture
    page.get_by_role("button", name="L1 ·").click()
    wait_until_drawn(page)
    shown = canvas.screenshot()
    page.get_by_role("button", name="Soft tissue").click()
    wait_until_drawn(page)
    assert canvas.screenshot() != shown
    page.get_by_label("Diameters").uncheck()
    without = canvas.screenshot()
    with page.expect_response("**/masks/*.png?*"):
        page.get_by_label("Masks").check()
    wait_until_drawn(page)
    assert canvas.screenshot() != without
    for theme in ("light", "dark"):
        page.get_by_label("Theme").select_option(theme)
        check(page, f"study, {theme}")
    correct_findings(page)
    with page.expect_download() as report:
        page.get_by_role("button", name="Report (PDF)").click()
    assert report.value.path().read_bytes().startswith(b"%PDF-")
    with page.expect_download() as masks:
        page.get_by_role("button", name="Masks (DICOM SEG)").click()
    assert pydicom.dcmread(masks.value.path()).Modality == "SEG"
    page.get_by_text("How this result was computed").click()
    expect(page.get_by_text("portal venous").first).to_be_visible()
    assert address is not None
    sign_in(page, email)
    page.goto(address)
    expect(page.locator(".verdict")).to_be_visible()


@pytest.mark.timeout(600)
def test_the_value_under_the_pointer_is_shown_and_the_right_button_sets_the_window(page: Page) -> None:
    sign_up(page)
    send_study(page)
    page.get_by_role("row").nth(1).get_by_role("link").click()
    canvas = page.locator("canvas[role=img]")
    wait_until_drawn(page)
    still = canvas.screenshot()
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    wait_until_drawn(page)
    assert canvas.screenshot() != still, "no Hounsfield units at the corner"
    width = page.get_by_label("Window width")
    before = width.input_value()
    page.mouse.down(button="right")
    page.mouse.move(box["x"] + box["width"] / 2 + 60, box["y"] + box["height"] / 2, steps=3)
    page.mouse.up(button="right")
    assert float(width.input_value()) > float(before)


def test_a_file_that_is_no_study_is_refused_with_its_reason(page: Page) -> None:
    sign_up(page)
    page.get_by_role("link", name="Studies").click()
    expect(page.get_by_text("No studies yet")).to_be_visible()
    file_input(page).set_input_files({"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no study"})
    expect(page.locator(".error")).to_contain_text("The upload is not a readable study")
    expect(page.get_by_text("No studies yet")).to_be_visible()
