"""Steps of a radiologist, a researcher and an administrator, from the beginning of their work to its end."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import zipfile
from pathlib import Path

import pydicom
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PASSWORD, row_of, sign_in, submit_sign_in
from tests.browser.dropping import drop
from tests.browser.test_accessibility import check
from tests.support.dicom_tools import output_of

STUDY = Path("samples/study.zip")
ANALYSED_MS = 300_000
OWN_PASSWORD = "a passphrase that the invited person chose"
_AROUND_MM = 27.5
"""More than the half height of the known lesion."""
_KNOWN = json.loads(Path("samples/study.json").read_text())["lesions"][0]


def check_report(page: Page) -> None:
    """The PDF has what `correct_findings` did."""
    page.get_by_role("link", name="Report, files").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Report (PDF)").click()
    text = " ".join(output_of("pdftotext", "-layout", download.value.path(), "-").split())
    assert "not a medical device" in text
    assert re.search(r"L1: accepted; [\w ]+ cyst \[[\w ]+: metastasis\]; outline ", text, re.IGNORECASE), text
    assert re.search(r"R1: ", text)


def send_part_of_study(page: Page, folder: Path) -> None:
    """Some slices around a known lesion, dropped as a ZIP. Ends on the finished study."""
    with zipfile.ZipFile(STUDY) as study, zipfile.ZipFile(part := folder / "part.zip", "w") as sent:
        for name in study.namelist():
            content = study.read(name)
            position_mm = pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True).get("ImagePositionPatient")
            if position_mm and abs(position_mm[2] - _KNOWN["centre_mm"][2]) <= _AROUND_MM:
                sent.writestr(name, content)
    drop(page, part)
    expect(page.get_by_role("heading", name="Studies")).to_be_visible()
    expect(page.locator(".thumbnail")).to_be_visible(timeout=ANALYSED_MS)
    page.get_by_role("row").nth(1).get_by_role("link").click()


def check_table(page: Page) -> None:
    """The CSV of the study that is open has the findings that its page shows, and the known lesion among them."""
    expect(page.locator(".verdict")).to_contain_text("Metastasis")
    expect(page.get_by_role("article").first).to_be_visible()
    cards = [card.get_attribute("aria-label") for card in page.get_by_role("article").all()]
    page.get_by_role("link", name="Report, files").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Findings (CSV)").click()
    assert download.value.suggested_filename.endswith("-lesions.csv")
    with download.value.path().open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["lesion"] for row in rows] == cards
    found = min(rows, key=lambda row: math.dist(centre_mm(row), _KNOWN["centre_mm"]))
    assert math.dist(centre_mm(found), _KNOWN["centre_mm"]) < 10
    assert float(found["long_axis_mm"]) == pytest.approx(_KNOWN["long_axis_mm"], rel=0.25)
    assert (found["label"], found["source"]) == (_KNOWN["label"], "models")


def centre_mm(row: dict[str, str]) -> list[float]:
    return [float(row[f"centre_{axis}_mm"]) for axis in "xyz"]


def invite(page: Page, administrator: str, email: str, group: str) -> None:
    """Ends signed out."""
    sign_in(page, administrator)
    page.get_by_role("link", name="Administration").click()
    page.get_by_role("button", name="Invite a user").click()
    dialog = page.get_by_role("dialog", name="Invite a user")
    dialog.get_by_label("E-mail address").fill(email)
    dialog.get_by_label("Role").select_option("clinician")
    dialog.get_by_label("Group").fill(group)
    check(page, "invitation")
    dialog.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text=f"{email} was invited.")).to_be_visible()
    expect(row_of(page, email)).to_contain_text("never")
    page.get_by_role("button", name="Sign out").click()


def accept_invitation(page: Page, link: str, email: str) -> None:
    """Ends signed in."""
    page.goto(link)
    page.get_by_label("New password").fill(OWN_PASSWORD)
    page.get_by_role("button", name="Change password").click()
    page.get_by_role("main").get_by_role("link", name="Sign in").click()
    submit_sign_in(page, email, OWN_PASSWORD)
    expect(page.get_by_role("heading", name="Analyse")).to_be_visible()


def export_audit(page: Page, administrator: str, email: str) -> None:
    """Of the account: first the invitation alone, then everything as CSV."""
    sign_in(page, administrator)
    page.get_by_role("link", name="Administration").click()
    row_of(page, email).get_by_role("link", name="Audit log").click()
    expect(row_of(page, "password reset by link")).to_contain_text(email)
    page.get_by_label("Event").select_option("invited")
    expect(page.get_by_role("row")).to_have_count(2)
    expect(row_of(page, "invited")).to_contain_text(administrator)
    page.get_by_label("Event").select_option("all")
    expect(page.get_by_role("row")).not_to_have_count(2)
    with page.expect_download() as export:
        page.get_by_role("button", name="Export as CSV").click()
    with export.value.path().open(newline="") as file:
        events = [row["event"] for row in csv.DictReader(file)]
    assert events == ["invited", "invitation_sent", "password_reset", "signed_in", "signed_out"]
