"""A study from an archive or a drop to its findings, in the worklist, the viewer and the report."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from local_stack.demo import running_stack
from local_stack.settings import on_free_ports
from tests.browser.conftest import PASSWORD, TIMEOUT_MS, file_input, sign_in, sign_up, wait_until_drawn
from tests.browser.finding_steps import correct_findings
from tests.browser.journey_steps import (
    ANALYSED_MS,
    STUDY,
    accept_invitation,
    check_report,
    check_table,
    export_audit,
    invite,
    send_part_of_study,
)
from tests.browser.shown_planes import check_planes
from tests.browser.test_accessibility import check
from tests.browser.test_email_links import link_in
from tests.end_to_end.conftest import Stack
from tests.support.mail_server import MailServer, mail_server, mail_variables
from tests.support.orthanc import AE_TITLE, Orthanc, free_ports, orthanc_server
from tests.support.raw_http import wait_until

GROUP = "liver-board"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """With the sample study."""
    with orthanc_server(tmp_path_factory.mktemp("archive")) as running:
        with zipfile.ZipFile(STUDY) as files:
            running.store([files.read(name) for name in files.namelist() if not name.endswith("/")])
        yield running


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, archive: Orthanc, mail: MailServer) -> Iterator[Stack]:
    """The trained models: the sample study has lesions that they find. What the archive sends is the group's."""
    settings, folder, (port,) = on_free_ports(), tmp_path_factory.mktemp("studies"), free_ports(1)
    peer = {"ae_title": AE_TITLE, "networks": ["127.0.0.1"], "owner": "archive", "group": GROUP}
    variables = mail_variables(mail.port) | {
        "HEPAR_STUDY_LISTEN_PORT": str(port),
        "HEPAR_STUDY_LISTEN_PEERS": json.dumps([peer]),
        "HEPAR_STUDY_QUIET_S": "2",
        "HEPAR_AUTH_ACCESS_TOKEN_S": "3600",
    }
    with running_stack(settings, folder, variables) as process:
        archive.put("/modalities/hepar", {"AET": "HEPAR", "Host": "127.0.0.1", "Port": port})
        yield Stack(settings, folder, process.pid)


@pytest.fixture(scope="module")
def mail() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@dataclass(frozen=True)
class Reader:
    """A radiologist with the sample study in the worklist. result, masks: as the API gives them."""

    email: str
    result: dict[str, Any]
    masks: bytes


@pytest.fixture(scope="module")
def reader(browser: Browser, web: Stack, archive: Orthanc) -> Reader:
    url = web.settings.gateway_url
    page = browser.new_page(base_url=url, locale="en-GB")
    page.set_default_timeout(TIMEOUT_MS)
    email = sign_up(page)
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        put_into_group(client, web.create_administrator(), email)
        receive_study(page, email, archive)
        page.close()
        client.headers["authorization"] = f"Bearer {access_token(client, email)}"
        (study,) = client.get("/v1/studies").json()["items"]
        path = f"/v1/studies/{study['id']}"
        return Reader(email, client.get(f"{path}/result").json(), client.get(f"{path}/masks.nii.gz").content)


def access_token(client: httpx.Client, email: str) -> str:
    answer = client.post("/v1/token", data={"username": email, "password": PASSWORD})
    token: str = answer.raise_for_status().json()["access_token"]
    return token


def put_into_group(client: httpx.Client, administrator: str, email: str) -> None:
    headers = {"authorization": f"Bearer {access_token(client, administrator)}"}
    (account,) = client.get("/v1/users", params={"search": email}, headers=headers).json()["items"]
    form = {"group": GROUP, "password": PASSWORD}
    client.put(f"/v1/users/{account['id']}/group", json=form, headers=headers).raise_for_status()


def receive_study(page: Page, email: str, archive: Orthanc) -> None:
    """The worklist is open when the archive sends the study by C-STORE. Ends when it is analysed."""
    page.get_by_role("button", name="Sign out").click()  # tokens have the group from the next sign-in on
    sign_in(page, email)
    page.get_by_role("link", name="Studies").click()
    expect(page.get_by_text("No studies yet")).to_be_visible()
    (study,) = archive.get("/studies")
    archive.post("/modalities/hepar/store", study)
    expect(page.get_by_role("row")).to_have_count(2)
    expect(page.locator(".thumbnail")).to_be_visible(timeout=ANALYSED_MS)


def open_study(page: Page, reader: Reader) -> None:
    """Ends on the study, its first slice drawn."""
    sign_in(page, reader.email)
    page.get_by_role("link", name="Studies").click()
    page.get_by_role("row").nth(1).get_by_role("link").click()
    wait_until_drawn(page)


def test_a_study_from_the_archive_is_read_corrected_and_reported(page: Page, reader: Reader) -> None:
    sign_in(page, reader.email)
    page.get_by_role("link", name="Studies").click()
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
    wait_until(lambda: canvas.screenshot() != picture, 30, "the next slice is not drawn")
    page.get_by_role("button", name="L1 ·").click()
    wait_until_drawn(page)
    shown = canvas.screenshot()
    page.get_by_role("button", name="Soft tissue").click()
    wait_until_drawn(page)
    assert canvas.screenshot() != shown
    page.get_by_label("Diameters").uncheck()
    without = canvas.screenshot()
    with page.expect_response("**/masks.nii.gz?*"):
        page.get_by_label("Masks", exact=True).check()
    wait_until_drawn(page)
    assert canvas.screenshot() != without
    for theme in ("light", "dark"):
        page.get_by_label("Theme").select_option(theme)
        check(page, f"study, {theme}")
    correct_findings(page)
    page.get_by_text("How this result was computed").click()
    expect(page.get_by_text("portal venous").first).to_be_visible()
    check_report(page)
    assert address is not None
    sign_in(page, reader.email)
    page.goto(address)
    expect(page.locator(".verdict")).to_be_visible()


def test_a_researcher_sends_a_zip_and_gets_its_findings_as_a_table(page: Page, tmp_path: Path) -> None:
    sign_up(page)
    send_part_of_study(page, tmp_path)
    check_table(page)


def test_an_administrator_invites_somebody_and_exports_what_happened(
    page: Page, web: Stack, mail: MailServer, reader: Reader
) -> None:
    """Who was invited reads the group's study."""
    administrator, email = web.create_administrator(), f"invited-{reader.email}"
    invite(page, administrator, email, GROUP)
    accept_invitation(page, link_in(mail, email), email)
    page.get_by_role("link", name="Studies").click()
    expect(page.get_by_role("row")).to_have_count(2)
    page.get_by_role("button", name="Sign out").click()
    export_audit(page, administrator, email)


def test_the_value_under_the_pointer_is_shown_and_the_right_button_sets_the_window(page: Page, reader: Reader) -> None:
    open_study(page, reader)
    canvas = page.locator("canvas[role=img]")
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


def test_masks_and_boxes_lie_where_the_known_lesions_are_in_every_plane(page: Page, reader: Reader) -> None:
    open_study(page, reader)
    check_planes(page, reader.result, reader.masks)
    check(page, "three planes")


def test_keys_move_the_crosshair_and_measure_a_length(page: Page, reader: Reader) -> None:
    open_study(page, reader)
    axial, coronal = page.locator("[data-plane=axial]"), page.locator("[data-plane=coronal]")
    axial.locator("canvas").focus()
    page.keyboard.press("v")
    expect(coronal).to_be_visible()
    row, slice_ = (int(pane.get_attribute("data-index") or "") for pane in (coronal, axial))
    axial.locator("canvas").focus()
    for key in ("c", "ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
    expect(coronal).to_have_attribute("data-index", str(row + 2))
    coronal.locator("canvas").focus()
    page.keyboard.press("ArrowUp")
    expect(axial).to_have_attribute("data-index", str(slice_ + 1))
    page.keyboard.press("c")
    page.keyboard.press("Home")
    expect(coronal).to_have_attribute("data-index", "0")
    for key in ("r", "Shift+ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    expect(coronal.get_by_role("status")).to_contain_text(re.compile(r"Ruler: \d+\.\d mm"))
    page.keyboard.press("ArrowUp")
    page.keyboard.press("r")
    page.keyboard.press("PageUp")
    expect(coronal.get_by_role("status")).to_be_empty()


def test_layers_of_single_models_and_a_second_pane_are_shown(page: Page, reader: Reader) -> None:
    open_study(page, reader)
    page.get_by_role("button", name=re.compile("^L1 ")).click()
    page.get_by_text("Layers of single models").click()
    canvas = page.locator("canvas[role=img]").first
    expect(page.get_by_role("row").filter(has_text="densenet")).to_be_visible()
    wait_until_drawn(page)
    before = canvas.screenshot()
    page.get_by_label("Faster R-CNN").check()
    wait_until_drawn(page)
    single = canvas.screenshot()
    assert single != before
    with page.expect_response("**/v1/classifications?*") as computed:
        page.get_by_label("Activation map").select_option("classify_densenet")
    assert computed.value.ok
    page.wait_for_timeout(300)
    wait_until_drawn(page)
    assert canvas.screenshot() != single
    page.get_by_label("Layout").select_option("compare")
    panes = page.locator("[data-plane=axial]")
    expect(panes).to_have_count(2)
    check(page, "two panes")
    panes.nth(1).locator("canvas").focus()
    page.keyboard.press("End")
    expect(panes.nth(0)).to_have_attribute("data-index", str(reader.result["volume"]["slices"] - 1))
    for width in (360, 3840):
        page.set_viewport_size({"width": width, "height": 900})
        wait_until_drawn(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_file_that_is_no_study_is_refused_with_its_reason(page: Page) -> None:
    sign_up(page)
    page.get_by_role("link", name="Studies").click()
    expect(page.get_by_text("No studies yet")).to_be_visible()
    file_input(page).set_input_files({"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no study"})
    expect(page.locator(".error")).to_contain_text("The upload is not a readable study")
    expect(page.get_by_text("No studies yet")).to_be_visible()
