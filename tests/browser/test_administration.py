"""Administration: accounts, audit log, sending, system; and sending a study from its report."""

from __future__ import annotations

import csv
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PASSWORD, row_of, sign_in, sign_up
from tests.browser.test_accessibility import check
from tests.browser.test_report import open_finished_study
from tests.support.light_stack import LightStack, light_stack

# Nothing listens at port 9: the test of the destination fails, and sends wait.
_ARCHIVE = {"kind": "dicom", "name": "pacs", "title": "Archive", "host": "127.0.0.1", "port": 9, "ae_title": "PACS"}


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LightStack]:
    with light_stack(tmp_path_factory.mktemp("administration"), destinations=[_ARCHIVE]) as stack:
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
    check(page, "audit log")
    with page.expect_download() as export:
        page.get_by_role("button", name="Export as CSV").click()
    with export.value.path().open(newline="") as file:
        assert [row["event"] for row in csv.DictReader(file)] == ["deleted"]


def test_a_study_is_sent_and_the_queue_and_the_system_are_shown(
    page: Page, web: LightStack, administrator: str
) -> None:
    study_id = open_finished_study(page, web)
    page.get_by_role("link", name="Report, files").click()
    page.get_by_role("button", name="Send to Archive").click()
    expect(page.get_by_text("Archive: waiting")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()

    open_administration(page, administrator, "Sending")
    page.get_by_role("button", name="Test: Archive").click()
    expect(page.get_by_text("The test failed")).to_be_visible()
    page.get_by_label("Status").select_option("waiting")
    expect(page.get_by_role("link", name=study_id[:8])).to_be_visible()
    check(page, "sending")

    web.fail_sends()
    page.get_by_label("Status").select_option("failed")
    row = row_of(page, study_id[:8])
    expect(row).to_contain_text("the archive is away")
    row.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("status").filter(has_text="1 send waits again.")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text=study_id[:8])).to_have_count(0)
    page.get_by_label("Status").select_option("waiting")
    expect(row).to_contain_text("waiting")
    web.fail_sends()
    page.get_by_label("Status").select_option("failed")
    expect(row).to_be_visible()
    row_of(page, "Archive").get_by_role("button", name="Retry all failed").click()
    expect(page.get_by_role("row").filter(has_text=study_id[:8])).to_have_count(0)

    page.get_by_role("link", name="System").click()
    expect(page.get_by_text("finished in 24 hours")).to_be_visible()
    expect(page.get_by_text("Images and results")).to_be_visible()
    check(page, "system")
