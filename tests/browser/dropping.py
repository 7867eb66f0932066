"""Drops from the file manager, folders included. Playwright has no call for them; Chromium's DevTools do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Page

DRAG, DROP = ("dragEnter", "dragOver"), ("drop",)


def drop(page: Page, *paths: Path) -> None:
    """In the middle of the window."""
    send_drag(page, [*DRAG, *DROP], *paths)


def send_drag(page: Page, kinds: Sequence[str], *paths: Path) -> None:
    """kinds: of DevTools' Input.dispatchDragEvent."""
    assert page.viewport_size is not None
    middle = {"x": page.viewport_size["width"] / 2, "y": page.viewport_size["height"] / 2}
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    devtools = page.context.new_cdp_session(page)
    for kind in kinds:
        devtools.send("Input.dispatchDragEvent", {"type": kind, **middle, "data": data})
    devtools.detach()
