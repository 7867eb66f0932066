"""A reader judges, corrects and completes the findings of a study that is open."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import wait_until_drawn
from tests.browser.test_accessibility import check


def correct_findings(page: Page) -> None:
    """The first finding is judged by buttons and keys, retyped, commented and outlined; a lesion is added."""
    card = page.get_by_role("article", name="L1", exact=True)
    state, heading = card.locator(".state"), card.get_by_role("button", name="L1 ·")
    expect(state).to_have_text("not reviewed")
    heading.click()
    wait_until_drawn(page)
    drawn = page.locator("canvas[role=img]").screenshot()
    card.get_by_role("button", name="Reject").click()
    expect(state).to_have_text("rejected")
    wait_until_drawn(page)
    assert page.locator("canvas[role=img]").screenshot() != drawn, "the box does not say that it was rejected"
    expect(page.locator(".saved")).to_contain_text("Saved: L1, rejected.")
    heading.focus()
    page.keyboard.press("u")
    expect(state).to_have_text("not reviewed")
    page.keyboard.press("a")
    expect(state).to_have_text("accepted")
    card.get_by_label("Type").select_option("Cyst")
    expect(heading).to_have_text("L1 · Cyst")
    expect(card).to_contain_text("The models said: ")
    heading.focus()
    page.keyboard.press("c")
    page.keyboard.type("water, 8 HU")
    card.get_by_role("button", name="Save comment").click()
    card.get_by_text(re.compile("^History")).click()
    expect(card.get_by_role("listitem").last).to_contain_text("you: commented: water, 8 HU")
    check(page, "findings")
    outline_first_finding(page)
    add_missed_lesion(page)
    page.reload()
    expect(state).to_have_text("accepted")
    expect(page.get_by_role("article", name="R1", exact=True)).to_be_visible()


def outline_first_finding(page: Page) -> None:
    """By clicks."""
    card = page.get_by_role("article", name="L1", exact=True)
    before = card.inner_text()
    card.get_by_role("button", name="Outline").click()
    canvas = page.get_by_role("dialog").get_by_role("application")
    box = canvas.bounding_box()
    assert box is not None
    for x, y in ((0.3, 0.3), (0.7, 0.3), (0.7, 0.7), (0.3, 0.7)):
        canvas.click(position={"x": x * box["width"], "y": y * box["height"]})
    expect(page.get_by_role("dialog").get_by_text("4 corners")).to_be_visible()
    check(page, "outline")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert card.inner_text() != before
    expect(card.get_by_role("listitem").last).to_contain_text("outline corrected")


def add_missed_lesion(page: Page) -> None:
    """By keys; an outline that is none is refused, and nothing of it is lost."""
    page.get_by_role("button", name="Add a missed lesion").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("application").focus()
    for keys in ("Enter", "Shift+ArrowRight", "Shift+ArrowRight", "Enter", "Shift+ArrowRight", "Enter"):
        page.keyboard.press(keys)
    expect(dialog.get_by_text("3 corners")).to_be_visible()
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("three corners")
    dialog.get_by_role("application").focus()
    for keys in ("Backspace", "Shift+ArrowDown", "Enter"):
        page.keyboard.press(keys)
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("article", name="R1", exact=True)).to_contain_text("accepted")
