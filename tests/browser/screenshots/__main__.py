"""`make screenshots`: every page and state, both themes, three widths; the trained models and the sample study."""

from __future__ import annotations

import argparse
import io
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.conftest import CHROMIUM, TIMEOUT_MS, submit_sign_in, wait_until_drawn
from tests.browser.screenshots.scene import Scene, running_scene
from tests.browser.screenshots.states import STATES, State
from tests.support.auth_client import PASSWORD

THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WINDOWS = ((360, 740), (1280, 800), (1920, 1080))
_WEBP_QUALITY = 25
_HEIGHT_MAX_PX = 1200
_NARROW_PX, _NARROW_HEIGHT_MAX_PX = 400, 1600
"""Of a long page, the beginning is enough."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="for the pictures; old ones of the same states are replaced")
    parser.add_argument("states", nargs="*", metavar="state", help="all by default")
    arguments = parser.parse_args()
    chosen = [state for state in STATES if not arguments.states or state.name in arguments.states]
    with tempfile.TemporaryDirectory() as folder, running_scene(Path(folder)) as scene:
        take_pictures(scene, chosen, arguments.folder)


def take_pictures(
    scene: Scene,
    states: Sequence[State],
    folder: Path,
    windows: Sequence[tuple[int, int]] = WINDOWS,
    language: str = "en",
) -> None:
    """language: of the pages when they are photographed. They are operated in English."""
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for state in states:
            with _page_of(browser, scene, state.account) as page:
                state.open(page, scene)
                _take(page, folder / state.name, windows, language)
        browser.close()


@contextmanager
def _page_of(browser: Browser, scene: Scene, account: str | None) -> Iterator[Page]:
    """account: who is signed in."""
    width, height = WINDOWS[1]
    context = browser.new_context(base_url=scene.url, locale="en-GB", viewport={"width": width, "height": height})
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    if account is not None:
        page.goto("/sign-in")
        submit_sign_in(page, account, PASSWORD)
        page.get_by_role("button", name="Sign out").wait_for()
    yield page
    context.close()


def _take(page: Page, stem: Path, windows: Sequence[tuple[int, int]], language: str) -> None:
    """The page follows the window and the theme of the system. stem: the beginning of the names of files."""
    if language != "en":
        page.get_by_label("Language", exact=True).select_option(language)
    for width, height in windows:
        page.set_viewport_size({"width": width, "height": height})
        for theme in THEMES:
            page.emulate_media(color_scheme=theme)
            wait_until_drawn(page)
            whole = page.locator("dialog[open], .full").count() == 0  # these cover the window
            png = page.screenshot(full_page=whole, animations="disabled")
            _save(png, Path(f"{stem}-{width}-{theme}.webp"))


def _save(png: bytes, path: Path) -> None:
    with Image.open(io.BytesIO(png)) as image:
        highest = _NARROW_HEIGHT_MAX_PX if image.width < _NARROW_PX else _HEIGHT_MAX_PX
        top = image.crop((0, 0, image.width, min(image.height, highest)))
        top.convert("RGB").save(path, "WEBP", quality=_WEBP_QUALITY, method=6)


if __name__ == "__main__":
    main()
