"""Folders that are dropped or chosen."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import BRIGHT, open_result, row_of, sign_up
from tests.browser.dropping import drop


@pytest.fixture
def study(tmp_path: Path) -> Path:
    folder = tmp_path / "study"
    for name in ("series-2/slice-10.png", "series-2/slice-9.png", "series-10/slice-1.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(BRIGHT)
    (folder / "notes.txt").write_text("not an image")
    return folder


EXPECTED = [
    "study/notes.txt",
    "study/series-2/slice-9.png",
    "study/series-2/slice-10.png",
    "study/series-10/slice-1.png",
]


def test_a_dropped_folder_is_listed_with_all_of_its_files_in_natural_order(page: Page, study: Path) -> None:
    sign_up(page)
    drop(page, study)
    expect(page.locator(".queue tbody th")).to_contain_text(EXPECTED)
    expect(row_of(page, "notes.txt")).to_contain_text("Not an image in a supported format")
    page.get_by_role("button", name="Analyse 3").click()
    expect(page.get_by_role("link", name="Open")).to_have_count(3)


def test_a_folder_of_more_than_one_hundred_files_is_read_completely(page: Page, tmp_path: Path) -> None:
    """Chromium returns the entries of a folder in portions of 100."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(130):
        (folder / f"{number}.png").write_bytes(BRIGHT)
    sign_up(page)
    drop(page, folder)
    expect(page.get_by_role("button", name="Analyse 130")).to_be_visible()


def test_a_folder_is_chosen(page: Page, study: Path) -> None:
    sign_up(page)
    page.locator("input[webkitdirectory]").set_input_files(study)
    expect(page.locator(".queue tbody th")).to_contain_text(EXPECTED)


def test_an_image_that_is_dropped_on_another_page_is_opened_in_the_viewer(page: Page, tmp_path: Path) -> None:
    (image := tmp_path / "slice.png").write_bytes(BRIGHT)
    sign_up(page)
    page.get_by_role("link", name="Studies").click()
    expect(page.get_by_text("No studies yet")).to_be_visible()
    drop(page, image)
    expect(page.get_by_text("1 image was added to the list")).to_be_attached()
    page.get_by_role("button", name="Analyse 1").click()
    open_result(page)
    expect(page.locator("canvas[role=img]")).to_be_visible()
