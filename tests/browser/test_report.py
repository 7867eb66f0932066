"""The report page of a study: preview, language, key images, the finding as text, and files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from playwright.sync_api import Page, Response, expect

from tests.browser.conftest import sign_up
from tests.browser.test_accessibility import check
from tests.support.light_stack import LightStack, light_stack
from tests.support.study_api import ct_files, zipped


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LightStack]:
    with light_stack(tmp_path_factory.mktemp("report")) as stack:
        yield stack


def _is_upload(answer: Response) -> bool:
    return answer.request.method == "POST" and answer.url.endswith("/v1/studies")


def send_study(page: Page) -> str:
    """Ends on the worklist. Returns the study's id."""
    sign_up(page)
    page.get_by_role("link", name="Studies").click()
    expect(page.get_by_text("No studies yet")).to_be_visible()
    with page.expect_response(_is_upload) as sent:
        content = zipped(ct_files())
        page.locator("input[type=file]").first.set_input_files(
            {"name": "study.zip", "mimeType": "application/zip", "buffer": content}
        )
    return str(sent.value.json()["id"])


def open_finished_study(page: Page, web: LightStack) -> str:
    """Sends a study, finishes it as a worker does, and opens it. Returns its id."""
    study_id = send_study(page)
    web.finish_study(study_id)
    page.get_by_role("row").nth(1).get_by_role("link").click()
    expect(page.locator(".verdict")).to_be_visible()
    return study_id


def test_the_sample_study_is_offered_until_there_is_a_study(page: Page) -> None:
    sign_up(page)
    offer = page.get_by_role("article", name="First steps")
    expect(offer).to_be_visible()
    check(page, "first steps")
    page.get_by_role("link", name="Studies").click()
    page.get_by_role("button", name="Analyse the sample study").click()
    expect(page.get_by_role("heading", name="Sample study")).to_be_visible()
    expect(page.get_by_text("queued")).to_be_visible()
    page.get_by_role("link", name="Analyse", exact=True).click()
    expect(page.get_by_role("heading", name="Analyse")).to_be_visible()
    page.wait_for_load_state("networkidle")
    expect(offer).to_have_count(0)


def test_a_refusal_is_german_and_can_be_read_in_english(page: Page) -> None:
    sign_up(page)
    page.get_by_label("Language").select_option("de")
    page.get_by_role("link", name="Studien").click()
    expect(page.get_by_role("heading", name="Studien")).to_be_visible()
    content = zipped([b"words"])
    page.locator("input[type=file]").first.set_input_files(
        {"name": "study.zip", "mimeType": "application/zip", "buffer": content}
    )
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Keine der gesendeten Dateien ist eine DICOM-Datei (Zahl der Dateien: 1).")
    alert.get_by_text("auf Englisch").click()
    english = alert.get_by_text("no uploaded file is DICOM (number of files: 1)")
    expect(english).to_be_visible()
    expect(english).to_have_attribute("lang", "en")
    check(page, "refusal")


def test_a_failed_study_is_analysed_again(page: Page, web: LightStack) -> None:
    study_id = send_study(page)
    web.fail_study(study_id)
    expect(page.get_by_role("row").nth(1)).to_contain_text("failed")
    page.get_by_role("row").nth(1).get_by_role("link").click()
    again = page.get_by_role("button", name="Try again")
    expect(page.get_by_role("status").filter(has_text="failed")).to_be_visible()
    check(page, "failed study")
    again.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="queued")).to_be_visible()
    expect(again).to_have_count(0)
    web.finish_study(study_id)
    expect(page.locator(".verdict")).to_be_visible()


def _printed_pages(page: Page) -> int:
    """On A4, as Chromium prints it."""
    content = page.pdf(format="A4")
    return len(re.findall(rb"/Type\s*/Page\b", content))


def test_the_report_is_printed_instead_of_the_study(page: Page, web: LightStack) -> None:
    page.add_init_script("window.print = () => { document.documentElement.dataset.printed = true; }")
    open_finished_study(page, web)
    page.keyboard.press("Control+p")
    expect(page.locator("html")).to_have_attribute("data-printed", "true")
    page.emulate_media(media="print")
    expect(page.get_by_role("img", name="Page of the report")).to_be_visible()
    expect(page.locator(".verdict")).to_be_hidden()
    assert _printed_pages(page) == 1
    page.emulate_media(media="screen")
    expect(page.locator(".verdict")).to_be_visible()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(page.get_by_role("img", name="Page of the report")).to_have_count(0)


def test_a_report_is_composed_read_and_downloaded(page: Page, web: LightStack) -> None:
    study_id = open_finished_study(page, web)
    page.get_by_role("link", name="Report, files").click()
    preview = page.get_by_role("img", name="Page of the report")
    expect(preview).to_be_visible()
    assert preview.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [1191, 1684]
    check(page, "report")

    page.get_by_role("button", name="Copy as a sentence").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("One liver lesion: L1, Metastasis, right lobe, 24.7 ")
    assert "19.1 mm in slice 4; Metastasis, calibrated probability 0.81" in copied
    assert "not a medical device" in copied

    pictures = [preview.screenshot()]
    page.get_by_label("Another slice").fill("2")
    with page.expect_response("**/report.png?*key_slices=3&key_slices=1"):
        page.get_by_role("button", name="Add slice").click()
    expect(page.locator(".preview")).to_have_attribute("aria-busy", "false")
    pictures.append(preview.screenshot())
    with page.expect_response("**/report.png?*language=de*"):
        page.get_by_label("Language of the report").select_option("de")
    expect(page.locator(".preview")).to_have_attribute("aria-busy", "false")
    pictures.append(preview.screenshot())
    assert len(set(pictures)) == len(pictures)
    expect(page.get_by_text("Eine Leberläsion: L1")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Slice 2", pressed=True)).to_be_visible()
    expect(page.get_by_label("Language of the report")).to_have_value("de")

    with page.expect_download() as report:
        page.get_by_role("button", name="Report (PDF)").click()
    assert report.value.path().read_bytes().startswith(b"%PDF-")
    assert report.value.suggested_filename == f"{study_id}-report.pdf"
    with page.expect_download() as masks:
        page.get_by_role("button", name="Masks (DICOM SEG)").click()
    assert pydicom.dcmread(masks.value.path()).Modality == "SEG"
    with page.expect_download() as image:
        page.get_by_role("button", name="Key image 2 (PNG)").click()
    assert Path(image.value.path()).read_bytes().startswith(b"\x89PNG")

    assert _printed_pages(page) == 1
    page.emulate_media(media="print")
    expect(page.get_by_role("img", name="Page of the report")).to_be_visible()
    expect(page.get_by_role("button", name="Report (PDF)")).to_be_hidden()
