"""The states of the worklist; what the viewer writes on a study; jumps between findings; undo of every correction."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import hold_requests, sign_up, wait_for_held, wait_until_drawn
from tests.browser.finding_steps import add_missed_lesion, outline_first_finding
from tests.browser.test_accessibility import check
from tests.browser.test_report import open_finished_study, send_study
from tests.support.light_stack import LightStack, light_stack

RECORD_TEXT = """
    window.written = new Map();
    const fillText = CanvasRenderingContext2D.prototype.fillText;
    CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
        window.written.set(text, [x, y]);
        fillText.call(this, text, x, y);
    };
"""
RECORD_SCALE = """
    const drawImage = CanvasRenderingContext2D.prototype.drawImage;
    CanvasRenderingContext2D.prototype.drawImage = function (...parameters) {
        const { a, d, e, f } = this.getTransform();
        const [across, down, left, top] = [a, d, e, f].map((value) => value / devicePixelRatio);
        if (this.canvas.role === "img") window.drawn = { across, down, left, top };
        drawImage.apply(this, parameters);
    };
"""
EDGE_PX = 40


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LightStack]:
    with light_stack(tmp_path_factory.mktemp("reading")) as stack:
        yield stack


def test_the_worklist_says_that_it_loads_that_it_failed_and_that_it_is_offline(page: Page) -> None:
    sign_up(page)
    held = hold_requests(page, "**/v1/studies?*")
    page.get_by_role("link", name="Studies").click()
    expect(page.get_by_role("status").filter(has_text="Loading")).to_be_attached()
    expect(page.locator(".skeleton")).to_be_visible()
    check(page, "loading")
    wait_for_held(page, held, 1)
    for route in held:
        route.abort()
    expect(page.get_by_role("alert")).to_contain_text("The server does not respond")
    expect(page.locator(".skeleton")).to_have_count(0)
    check(page, "failed")
    page.unroute("**/v1/studies?*")
    page.reload()
    expect(page.get_by_text("No studies yet")).to_be_visible()
    with page.expect_response("**/v1/studies?order=attention&status=failed"):
        page.get_by_label("Order").select_option("attention")
        page.get_by_label("Status").select_option("failed")
    page.get_by_role("searchbox").fill("nobody")
    expect(page.get_by_text("No study matches.")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/studies\?search=nobody&status=failed&order=attention$"))
    page.context.set_offline(True)
    expect(page.get_by_text("You are offline")).to_be_visible()
    check(page, "offline")
    page.context.set_offline(False)
    expect(page.get_by_text("You are offline")).to_have_count(0)


def test_the_worklist_follows_a_running_study(page: Page, web: LightStack) -> None:
    study_id = send_study(page)
    row = page.get_by_role("row").nth(1)
    expect(row).to_contain_text("queued")
    for done in (2, 5):
        web.begin_study(study_id, done, 6)
        expect(row).to_contain_text(f"{done} of 6 slices of the liver analysed")
    web.finish_study(study_id)
    expect(row).to_contain_text("1 lesion, largest 24.7 mm")


def test_sides_slice_and_window_are_written_on_the_image(page: Page, web: LightStack) -> None:
    page.add_init_script(RECORD_TEXT)
    open_finished_study(page, web)
    canvas = page.locator("canvas[role=img]")
    wait_until_drawn(page)
    box = canvas.bounding_box()
    assert box is not None
    written = page.evaluate("Object.fromEntries(window.written)")
    assert written["R"][0] < EDGE_PX, "the patient's right is at the left"
    assert written["L"][0] > box["width"] - EDGE_PX
    assert written["A"][1] < EDGE_PX
    assert written["P"][1] > box["height"] - EDGE_PX
    for corner in ("Slice 4 of 6", "W 250 L 125"):
        x, y = written[corner]
        assert x < EDGE_PX
        assert y > box["height"] - 2 * EDGE_PX


def test_two_fingers_zoom_and_move_the_image(page: Page, web: LightStack) -> None:
    page.add_init_script(RECORD_SCALE)
    open_finished_study(page, web)
    wait_until_drawn(page)
    box = page.locator("canvas[role=img]").bounding_box()
    assert box is not None
    middle = (box["width"] / 2, box["height"] / 2)
    touch = page.context.new_cdp_session(page)

    def fingers(kind: str, distance: float, right: float = 0) -> None:
        ends = [middle[0] - distance / 2 + right, middle[0] + distance / 2 + right]
        points = [{"x": box["x"] + x, "y": box["y"] + middle[1], "id": number} for number, x in enumerate(ends)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [] if kind == "touchEnd" else points})

    def under_the_middle(drawn: dict[str, float]) -> tuple[float, float]:
        return (middle[0] - drawn["left"]) / drawn["across"], (middle[1] - drawn["top"]) / drawn["down"]

    fitted = page.evaluate("window.drawn")
    fingers("touchStart", 100)
    fingers("touchMove", 200)
    page.wait_for_function("(fitted) => window.drawn.across > 1.98 * fitted.across", arg=fitted)
    zoomed = page.evaluate("window.drawn")
    assert [zoomed[name] for name in ("across", "down")] == pytest.approx([2 * fitted["across"], 2 * fitted["down"]])
    assert under_the_middle(zoomed) == pytest.approx(under_the_middle(fitted))
    fingers("touchMove", 200, right=30)
    page.wait_for_function("(zoomed) => window.drawn.left > zoomed.left + 29", arg=zoomed)
    assert page.evaluate("window.drawn") == pytest.approx(zoomed | {"left": zoomed["left"] + 30})
    fingers("touchEnd", 200)


def test_n_and_p_jump_to_the_next_finding_above_and_below(page: Page, web: LightStack) -> None:
    open_finished_study(page, web)
    pane = page.locator("[data-plane=axial]")
    pane.locator("canvas").focus()
    for far, index, jump in (("Home", "0", "n"), ("End", "5", "p")):
        page.keyboard.press(far)
        expect(pane).to_have_attribute("data-index", index)
        page.keyboard.press(jump)
        expect(pane).to_have_attribute("data-index", "3")


def test_every_correction_of_a_finding_is_undone(page: Page, web: LightStack) -> None:
    open_finished_study(page, web)
    card = page.get_by_role("article", name="L1", exact=True)
    state, heading, size = card.locator(".state"), card.get_by_role("button", name="L1 ·"), card.get_by_text(" mm")
    undo = card.get_by_role("button", name="Undo")
    for action, status in (("Accept", "accepted"), ("Reject", "rejected")):
        card.get_by_role("button", name=action).click()
        expect(state).to_have_text(status)
        undo.click()
        expect(state).to_have_text("not reviewed")
    expect(undo).to_have_count(0)

    card.get_by_label("Type").select_option("Cyst")
    expect(heading).to_have_text("L1 · Cyst")
    undo.click()
    expect(heading).to_have_text("L1 · Metastasis")

    card.get_by_role("button", name="Comment").click()
    card.get_by_label("Comment").fill("to be seen again")
    card.get_by_role("button", name="Save comment").click()
    card.get_by_text(re.compile("^History")).click()
    expect(card.get_by_role("listitem").last).to_contain_text("to be seen again")
    undo.click()
    expect(card.get_by_text("to be seen again (undone)")).to_be_visible()

    before = size.first.inner_text()
    outline_first_finding(page)
    expect(size.first).not_to_have_text(before)
    undo.click()
    expect(size.first).to_have_text(before)

    add_missed_lesion(page)
    page.locator(".saved").get_by_role("button", name="Undo").click()
    expect(page.get_by_role("article", name="R1", exact=True).locator(".state")).to_have_text("taken back")
