"""Accessibility: keyboard only, the accessibility tree, axe on every page in both themes, and Lighthouse."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import (
    BRIGHT,
    PASSWORD,
    analyse,
    open_activation_map,
    open_result,
    payload,
    sign_in,
    sign_up,
    wait_until_drawn,
)
from tests.browser.lighthouse_pages import best, margin, measured_result
from tests.end_to_end.conftest import Stack

AXE = Path("web/node_modules/axe-core/axe.min.js")


def test_the_viewer_is_operated_by_keys(page: Page) -> None:
    sign_up(page)
    analyse(page, payload("slice.png", BRIGHT))
    open_result(page)
    canvas = page.locator("canvas[role=img]")
    canvas.focus()
    wait_until_drawn(page)

    def screenshot() -> bytes:
        wait_until_drawn(page)
        return canvas.screenshot()

    for key in ("+", "ArrowLeft", "[", ".", "i"):
        before = screenshot()
        page.keyboard.press(key)
        assert screenshot() != before, key
    page.keyboard.press("r")
    expect(page.get_by_role("button", name="Ruler")).to_have_attribute("aria-pressed", "true")
    for key in ("Enter", "ArrowRight", "ArrowRight", "Shift+ArrowDown"):
        page.keyboard.press(key)
    length = page.get_by_text("Ruler: ")
    expect(length).to_contain_text(" px")
    page.keyboard.press("Enter")
    expect(length).to_contain_text("0.0 px")
    page.keyboard.press("Escape")
    expect(length).to_have_count(0)


def test_from_sign_up_to_a_result_without_a_mouse(page: Page) -> None:
    """Tab until the wanted element has the focus, then type or press Enter."""
    # Registered first: the file chooser may open before a listener that is added next to the key press.
    page.on("filechooser", lambda chooser: chooser.set_files(payload("slice.png", BRIGHT)))
    page.goto("/")
    tab_to(page, "link", "Sign up")
    page.keyboard.press("Enter")
    tab_to(page, "textbox", "E-mail address")
    page.keyboard.type(f"{uuid.uuid4().hex}@example.org")
    tab_to(page, "textbox", "Password")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Analyse").wait_for()
    tab_to(page, "button", "Choose files")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Analyse 1").wait_for()
    tab_to(page, "button", "Analyse 1")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Open").wait_for()
    tab_to(page, "link", "Open")
    page.keyboard.press("Enter")
    page.locator(".verdict").wait_for()
    tab_to(page, "img", "CT image, 256 by 256 pixels")
    tab_to(page, "button", "Side by side")
    page.keyboard.press("Space")
    expect(page.locator("canvas[role=img]")).to_have_count(2)
    tab_to(page, "slider", "Minimum score")
    for _ in range(42):
        page.keyboard.press("ArrowRight")
    expect(page.get_by_text("1 lesion above the threshold")).to_be_visible()
    tab_to(page, "button", "Copy as text")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Copied")).to_be_visible()


def tab_to(page: Page, role: Literal["link", "textbox", "button", "img", "slider"], name: str) -> None:
    wanted = page.get_by_role(role, name=name).first
    for _ in range(60):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"Tab does not reach the {role} {name}")


def test_the_accessibility_tree_contains_the_result_and_each_lesion(page: Page) -> None:
    sign_up(page)
    analyse(page, payload("slice.png", BRIGHT))
    page.get_by_role("link", name="Open").click()
    expect(page.locator("main")).to_match_aria_snapshot("""
        - heading "slice.png" [level=1]
        - img "CT image, 256 by 256 pixels"
        - list:
          - listitem: /Lesion 1. Metastasis, score 0\\.45, detected by one, [\\d.]+ . [\\d.]+ px/
          - listitem: /Lesion 2. Cholangiocarcinoma, score 0\\.\\d+, detected by two/
        - status: /Metastasis, calibrated probability/
    """)


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("width", [360, 1280])
def test_every_page_is_accessible(page: Page, web: Stack, theme: str, width: int) -> None:
    """axe-core, WCAG 2.2 A and AA; no page is wider than the window."""
    page.set_viewport_size({"width": width, "height": 900})
    page.add_init_script(f"localStorage.setItem('hepar-theme', '{theme}')")
    for path in ("/", "/sign-in", "/sign-up", "/help"):
        page.goto(path)
        check(page, path)
    sign_up(page)
    analyse(page, payload("slice.png", BRIGHT), payload("notes.txt", b"words"))
    page.get_by_role("link", name="Open").wait_for()
    check(page, "/upload")
    page.get_by_role("link", name="Open").click()
    page.locator(".verdict").wait_for()
    open_activation_map(page, "ensemble")
    check(page, "/results")
    for path in ("models", "account"):
        page.goto(f"/{path}")
        page.get_by_role("heading", level=1).wait_for()
        page.wait_for_load_state("networkidle")
        check(page, path)
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, web.create_administrator())
    page.get_by_role("link", name="Administration").click()
    page.get_by_role("row").nth(1).wait_for()
    check(page, "administration")


def check(page: Page, path: str) -> None:
    page.evaluate(AXE.read_text())
    found = page.evaluate(
        "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']})"
        ".then(r => r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.html).join(' | ').slice(0, 300)))"
    )
    assert found == [], path
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


def test_lighthouse_scores(web: Stack) -> None:
    """At least 95 of 100 on home, upload and result."""
    found = best(lambda _: measured_result(web))
    assert [page["page"] for page in found] == ["home", "upload", "result, opening", "result"]
    assert {name for page in found for name in page["scores"]} == {"performance", "accessibility", "best-practices"}
    assert [page for page in found if margin(page) < 0] == []


def test_a_page_that_is_slow_for_its_machine_fails() -> None:
    scores = {"performance": 60, "accessibility": 95}
    assert margin({"benchmark": 1500, "scores": scores}) == -35
    assert margin({"benchmark": 800, "scores": scores}) < 0
    assert margin({"benchmark": 500, "scores": scores}) == 0
    assert margin({"benchmark": 500, "scores": {"performance": 100, "accessibility": 90}}) == -5
