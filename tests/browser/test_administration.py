"""Administration: accounts, audit log, sending, system; and sending a study from its report."""

from __future__ import annotations

import base64
import csv
import io
import re
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Locator, Page, Route, expect
from pydicom.uid import EncapsulatedPDFStorage, SecondaryCaptureImageStorage, SegmentationStorage

from tests.browser.conftest import PASSWORD, row_of, sign_in, sign_up
from tests.browser.test_accessibility import check
from tests.browser.test_report import open_finished_study
from tests.support.dicom_archive import DicomArchive, dicom_archive
from tests.support.light_stack import LightStack, light_stack

# Nothing listens at port 9: the test of the destination fails, and sends wait.
_ARCHIVE = {"kind": "dicom", "name": "pacs", "title": "Archive", "host": "127.0.0.1", "port": 9, "ae_title": "PACS"}


_SENT_FILES = ["report.dcm", "segmentation.dcm", *(f"key-image-{number}.dcm" for number in (1, 2, 3))]


@pytest.fixture(scope="module")
def archive() -> Iterator[DicomArchive]:
    with dicom_archive(EncapsulatedPDFStorage, SegmentationStorage, SecondaryCaptureImageStorage) as running:
        yield running


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, archive: DicomArchive) -> Iterator[LightStack]:
    ward = _ARCHIVE | {"name": "ward", "title": "Ward PACS", "port": archive.port, "ae_title": "ARCHIVE"}
    destinations = [_ARCHIVE, ward | {"files": _SENT_FILES}]
    with light_stack(tmp_path_factory.mktemp("administration"), destinations=destinations) as stack:
        yield stack


@pytest.fixture(scope="module")
def administrator(web: LightStack) -> str:
    return web.create_administrator()


def open_administration(page: Page, administrator: str, section: str) -> None:
    sign_in(page, administrator)
    page.get_by_role("link", name="Administration").click()
    page.get_by_role("navigation", name="Administration").get_by_role("link", name=section).click()


def test_accounts_are_found_put_into_groups_and_deleted(page: Page, administrator: str) -> None:
    email = sign_up(page)
    page.get_by_role("button", name="Sign out").click()
    open_administration(page, administrator, "Accounts")
    page.get_by_role("searchbox").fill(email[:8])
    expect(page.get_by_role("row")).to_have_count(2)
    expect(row_of(page, email)).not_to_contain_text("never")
    page.get_by_role("searchbox").fill(administrator)
    own = row_of(page, f"{administrator} (you)")
    expect(own).to_contain_text("Administrator")
    expect(own.get_by_role("combobox")).to_have_count(0)
    expect(own.get_by_role("button")).to_have_text(["none"])
    page.get_by_role("searchbox").fill(email[:8])
    check(page, "accounts")

    row_of(page, email).get_by_role("button", name="Change group").click()
    dialog = page.get_by_role("dialog", name="Change group")
    dialog.get_by_label("Group").fill("liver board")
    dialog.get_by_label("Password").fill(PASSWORD)
    dialog.get_by_role("button", name="Confirm").click()
    assert dialog.get_by_label("Group").evaluate("input => !input.validity.valid"), "a blank is not in a group's name"
    dialog.get_by_label("Group").fill("liver-board")
    check(page, "dialog")
    dialog.get_by_role("button", name="Confirm").click()
    expect(row_of(page, email).get_by_role("button", name="Change group")).to_have_text("liver-board")

    row_of(page, email).get_by_role("button", name="Delete account").click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    row_of(page, email).get_by_role("button", name="Delete account").click()
    page.get_by_role("dialog").get_by_label("Password").fill(PASSWORD)
    page.get_by_role("dialog").get_by_role("button", name="Confirm").click()
    expect(page.get_by_text("No account matches")).to_be_visible()

    page.get_by_role("link", name="Audit log").click()
    page.get_by_label("Event").select_option("deleted")
    expect(page.get_by_role("row")).to_have_count(2)
    expect(row_of(page, "deleted")).to_contain_text(administrator)
    page.get_by_label("From day").fill("2020-02-01")
    expect(page.get_by_text("1 February 2020")).to_be_visible()
    check(page, "audit log")
    with page.expect_download() as export:
        page.get_by_role("button", name="Export as CSV").click()
    with export.value.path().open(newline="") as file:
        assert [row["event"] for row in csv.DictReader(file)] == ["deleted"]


def test_an_answer_that_comes_late_does_not_replace_a_later_one(page: Page, administrator: str) -> None:
    late: list[Route] = []

    def hold_the_whole_list(route: Route) -> None:
        if "search=" in route.request.url:
            route.continue_()
        else:
            late.append(route)

    email = sign_up(page)
    page.get_by_role("button", name="Sign out").click()
    page.route(re.compile(r"/v1/users(\?|$)"), hold_the_whole_list)
    open_administration(page, administrator, "Accounts")
    page.get_by_role("searchbox").fill(email)
    expect(page.get_by_role("row")).to_have_count(2)
    assert late
    for route in late:
        with page.expect_event("requestfinished", lambda request, held=route.request: request == held):
            route.continue_()
    page.evaluate("() => new Promise(shown => setTimeout(() => requestAnimationFrame(shown)))")
    expect(page.get_by_role("row")).to_have_count(2)


def pixels_of(image: Locator) -> NDArray[np.uint8]:
    """(height, width, 3): of a picture on the page."""
    data = image.evaluate(
        """image => {
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
            canvas.getContext("2d").drawImage(image, 0, 0);
            return canvas.toDataURL("image/png");
        }"""
    )
    with Image.open(io.BytesIO(base64.b64decode(data.partition(",")[2]))) as opened:
        return np.asarray(opened.convert("RGB"))


def test_what_is_shown_before_sending_is_what_the_destination_gets(
    page: Page, web: LightStack, archive: DicomArchive
) -> None:
    open_finished_study(page, web)
    page.get_by_role("link", name="Report, files").click()
    page.get_by_label("Another slice").fill("2")
    page.get_by_role("button", name="Add slice").click()
    page.get_by_label("Language of the report").select_option("de")
    page.get_by_role("button", name="Send to Ward PACS").click()
    dialog = page.get_by_role("dialog", name="Send to Ward PACS")
    expect(dialog.get_by_text("result 1 · Deutsch · key images: 4, 2")).to_be_visible()
    expect(dialog.get_by_role("list", name="Files").get_by_role("listitem")).to_have_text(
        ["Report (DICOM)", "Masks (DICOM SEG)", "Key image 1 (DICOM)", "Key image 2 (DICOM)"]
    )
    expect(dialog.get_by_role("img", name="Page of the report")).to_be_visible()
    pictures = [dialog.get_by_role("img", name=f"Key image {number}") for number in (1, 2)]
    for picture in pictures:
        expect(picture).to_be_visible()
    for part in (dialog.get_by_role("heading"), dialog.get_by_role("button", name="Send", exact=True)):
        expect(part).to_be_in_viewport()
    check(page, "send dialog")
    shown = [pixels_of(picture) for picture in pictures]
    assert archive.objects == [], "nothing is sent before it is confirmed"

    dialog.get_by_role("button", name="Send", exact=True).click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_text(re.compile("^Ward PACS: sent, .*, result 1, Deutsch, key images: 4, 2$"))).to_be_visible()
    by_class = {str(found.SOPClassUID): found for found in archive.objects}
    assert by_class[EncapsulatedPDFStorage].DocumentTitle.startswith("CT der Leber")
    sent = [found.pixel_array for found in archive.objects if found.SOPClassUID == SecondaryCaptureImageStorage]
    assert len(sent) == len(shown)
    assert all(np.array_equal(one, other) for one, other in zip(sent, shown, strict=True))


def test_a_study_is_sent_and_the_queue_and_the_system_are_shown(
    page: Page, web: LightStack, administrator: str
) -> None:
    study_id = open_finished_study(page, web)
    page.get_by_role("link", name="Report, files").click()
    page.get_by_role("button", name="Send to Archive").click()
    page.get_by_role("dialog").get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_text(re.compile("^Archive: waiting, .*, result 1, English"))).to_be_visible()
    expect(page.get_by_text(re.compile("1 attempt so far, next attempt"))).to_be_visible()
    expect(page.get_by_role("status").filter(has_text=re.compile("^1 waiting$"))).to_be_visible()
    page.get_by_label("Language", exact=True).select_option("de")
    reason = page.get_by_text("Das Archiv antwortet nicht oder beendet die Verbindung.")
    expect(reason).to_have_attribute("title", "the archive does not answer, or ends the connection")
    page.get_by_label("Sprache", exact=True).select_option("en")
    page.get_by_role("button", name="Sign out").click()

    read: list[str] = []
    page.on("request", lambda request: read.append(request.url) if request.url.endswith(study_id) else None)
    open_administration(page, administrator, "Sending")
    page.get_by_role("button", name="Test: Archive").click()
    expect(page.get_by_text("Test failed")).to_be_visible()
    page.get_by_label("Status").select_option("waiting")
    row = row_of(page, "A-1042")
    expect(row).to_contain_text("A-1042 · 20/11/2026 · result 1")
    expect(row.get_by_role("link", name=re.compile("^P-"))).to_have_attribute("href", f"/studies/{study_id}")
    check(page, "sending")

    web.fail_sends()
    page.get_by_label("Status").select_option("failed")
    expect(row).to_contain_text("the archive is away")
    row.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("status").filter(has_text="1 send waits again.")).to_be_visible()
    expect(row).to_have_count(0)
    page.get_by_label("Status").select_option("waiting")
    expect(row).to_contain_text("waiting")
    web.fail_sends()
    page.get_by_label("Status").select_option("failed")
    expect(row).to_be_visible()
    row_of(page, "Archive").get_by_role("button", name="Retry all failed").click()
    expect(row).to_have_count(0)
    assert len(read) == 1, "each read of a study is recorded"

    page.get_by_role("link", name="System").click()
    expect(page.get_by_text("finished in 24 hours")).to_be_visible()
    expect(page.get_by_text("Images and results")).to_be_visible()
    check(page, "system")
