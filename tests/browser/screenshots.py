"""`make screenshots`: every page in both themes, with the trained models and the sample images of the repository."""

from __future__ import annotations

import secrets
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from local_stack.demo import running_stack
from local_stack.settings import on_free_ports
from tests.browser.conftest import CHROMIUM, file_input, open_activation_map, sign_in, wait_until_drawn
from tests.end_to_end.conftest import Stack

SAMPLES = sorted(Path("samples").glob("*.png"))
STUDY = Path("samples/study.zip")
ANALYSED_MS = 300_000


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    settings = on_free_ports()
    with (
        tempfile.TemporaryDirectory() as state,
        running_stack(settings, Path(state)) as process,
        sync_playwright() as playwright,
    ):
        email = Stack(settings, Path(state), process.pid).create_administrator()
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for theme in ("dark", "light"):
            context = browser.new_context(base_url=settings.gateway_url, viewport={"width": 1440, "height": 1000})
            page = context.new_page()
            page.add_init_script(f"localStorage.setItem('hepar-theme', '{theme}')")
            _capture_pages(page, partial(_screenshot_path, folder, theme))
            page.get_by_role("button", name="Sign out").click()
            sign_in(page, email)
            page.get_by_role("link", name="Administration").click()
            page.get_by_role("row").nth(1).wait_for()
            page.screenshot(path=_screenshot_path(folder, theme, "administration"), full_page=True)
            context.close()
        browser.close()


def _screenshot_path(folder: Path, theme: str, name: str) -> Path:
    return folder / f"{name}-{theme}.png"


def _capture_pages(page: Page, path_of: Callable[[str], Path]) -> None:
    for path, name in (("/", "home"), ("/sign-up", "sign-up"), ("/sign-in", "sign-in"), ("/help", "help")):
        page.goto(path)
        page.screenshot(path=path_of(name))
    page.goto("/sign-up")
    page.get_by_label("E-mail address").fill(f"ada-{secrets.token_hex(3)}@example.org")
    page.get_by_label("Password").fill("a long enough password")
    page.get_by_role("button", name="Sign up").click()
    file_input(page).set_input_files(SAMPLES)
    page.get_by_role("button", name="Analyse ").click()
    page.get_by_role("link", name="Open").nth(len(SAMPLES) - 1).wait_for()
    page.screenshot(path=path_of("upload"))
    page.get_by_role("row").filter(has_text="metastasis.png").get_by_role("link", name="Open").click()
    page.locator(".verdict").wait_for()
    open_activation_map(page, "ensemble")
    page.screenshot(path=path_of("result"), full_page=True)
    page.get_by_role("link", name="Studies").click()
    file_input(page).set_input_files(STUDY)
    page.locator(".thumbnail").wait_for(timeout=ANALYSED_MS)
    wait_until_drawn(page)
    page.screenshot(path=path_of("studies"))
    page.get_by_role("row").nth(1).get_by_role("link").click()
    page.locator(".verdict").wait_for()
    page.locator("canvas[role=img]").wait_for()
    wait_until_drawn(page)
    page.screenshot(path=path_of("study"), full_page=True)
    page.get_by_role("link", name="Report, files").click()
    page.locator(".preview img").wait_for()
    page.wait_for_load_state("networkidle")
    page.screenshot(path=path_of("report"), full_page=True)
    for name, content in (("models", "main article"), ("account", "main li")):
        page.get_by_role("link", name=name.capitalize()).click()
        page.locator(content).first.wait_for()
        wait_until_drawn(page)
        page.screenshot(path=path_of(name), full_page=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
