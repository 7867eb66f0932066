"""Studies that are dropped on any page."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from playwright.sync_api import Page, expect
from pydicom.fileset import FileSet

from tests.browser.conftest import sign_up
from tests.browser.dropping import DRAG, DROP, drop, send_drag
from tests.browser.test_accessibility import check
from tests.support.light_stack import LightStack, light_stack
from tests.support.study_api import ct_files, zipped


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LightStack]:
    with light_stack(tmp_path_factory.mktemp("drops")) as stack:
        yield stack


@pytest.fixture(scope="module")
def dropped(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By the page that it is dropped on."""
    folder = tmp_path_factory.mktemp("dropped")
    (archive := folder / "study.zip").write_bytes(zipped(ct_files()))
    values = np.full((32, 32, 6), -1000, dtype=np.int16)
    values[8:24, 8:24] = np.random.default_rng(5).integers(20, 90, (16, 16, 6))
    nib.Nifti1Image(values, np.diag([-0.8, -0.8, 5.0, 1.0])).to_filename(volume := folder / "volume.nii.gz")
    (series := folder / "series").mkdir()
    for number, content in enumerate(ct_files()):
        (series / f"IM{number}").write_bytes(content)
    media = FileSet()
    for content in ct_files():
        dataset = pydicom.dcmread(io.BytesIO(content))
        dataset.StudyID, dataset.StudyTime = "1", "120000"
        media.add(dataset)
    media.write(disc := folder / "disc")
    (disc / "README.TXT").write_text("a viewer")
    (disc / "LOGO.PNG").write_bytes(Path("samples/no_tumour.png").read_bytes())
    return {"Analyse": archive, "Models": series, "Account": volume, "Studies": disc}


def test_an_archive_a_folder_a_volume_and_media_are_studies_on_every_page(page: Page, dropped: dict[str, Path]) -> None:
    sign_up(page)
    for count, (name, path) in enumerate(dropped.items(), start=1):
        page.get_by_role("link", name=name, exact=True).click()
        expect(page).to_have_title(f"{name} · Hepar")
        drop(page, path)
        expect(page.get_by_role("heading", name="Studies")).to_be_visible()
        expect(page.get_by_role("row").filter(has_text="queued")).to_have_count(count)
    expect(page.get_by_role("status").filter(has_text="files are sent as one study")).to_be_attached()
    expect(page.get_by_role("status").filter(has_text="The study was sent and is in the list.")).to_be_visible()


def test_the_page_says_that_files_can_be_dropped_and_what_it_refuses(
    page: Page, dropped: dict[str, Path], tmp_path: Path
) -> None:
    (text := tmp_path / "notes.txt").write_text("no study")
    overlay = page.locator(".drop-overlay")
    page.goto("/")
    send_drag(page, DRAG, text)
    expect(overlay).to_contain_text("Sign in first")
    send_drag(page, DROP, text)
    expect(overlay).to_have_count(0)
    expect(page.get_by_role("heading", name="Hepar", exact=True)).to_be_visible()

    page.on("filechooser", lambda _: None)  # Chromium opens a dialog of its own where a key is faster than Playwright
    sign_up(page)
    page.get_by_role("link", name="Account").click()
    send_drag(page, DRAG, text)
    expect(overlay).to_have_role("status")
    expect(overlay).to_contain_text("Drop files to analyse them")
    check(page, "files over the page")
    # DevTools' dragCancel tells the page nothing.
    page.evaluate("document.body.dispatchEvent(new DragEvent('dragleave', { bubbles: true }))")
    expect(overlay).to_have_count(0)
    drop(page, text)
    expect(page.locator(".error")).to_contain_text("The upload is not a readable study")
    page.get_by_role("button", name="Choose a file").focus()
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(dropped["Analyse"])
    expect(page.locator(".error")).to_have_count(0)
    expect(page.get_by_role("row").filter(has_text="queued")).to_have_count(1)
