"""From sign-up to a result, and what a result shows."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import (
    BLACK,
    BRIGHT,
    analyse,
    open_activation_map,
    open_result,
    payload,
    row_of,
    sign_up,
    wait_until_drawn,
)


def test_from_sign_up_to_a_result(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_text("not a medical device").first).to_be_visible()
    sign_up(page)
    with page.expect_request("**/v1/analyses*") as request:
        analyse(page, payload("slice.png", BRIGHT))
    trace = request.value.headers["traceparent"]
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", trace), "the browser starts the trace"
    open_result(page)
    expect(page.locator(".verdict")).to_contain_text("calibrated probability")
    expect(page.get_by_text("2 of 2 networks agree")).to_be_visible()
    expect(page.get_by_text("2 lesions above the threshold")).to_be_visible()
    page.get_by_label("Minimum score").fill("0.42")
    expect(page.get_by_text("1 lesion above the threshold")).to_be_visible()
    open_activation_map(page, "ensemble")
    page.get_by_role("button", name="Side by side").click()
    expect(page.locator("canvas[role=img]")).to_have_count(2)
    page.get_by_role("button", name="Copy as text").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert "slice.png" in copied
    assert "not a medical device" in copied
    with page.expect_download() as download:
        page.get_by_role("button", name="Download JSON").click()
    document = json.loads(Path(download.value.path()).read_text())
    assert len(document["classification"]["votes"]) == 2
    assert document["classification"]["explanation"] is document["detection"]["annotated_png"] is None
    with page.expect_download() as download:
        page.get_by_role("button", name="Download annotated image").click()
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")
    page.go_back()
    expect(page.get_by_role("heading", name="Analyse")).to_be_visible()
    expect(page.get_by_text("slice.png")).to_be_visible()


def test_a_result_opens_at_its_top_with_the_file_name_as_title(page: Page) -> None:
    sign_up(page)
    expect(page).to_have_title("Analyse · Hepar")
    names = [f"slice-{number}.png" for number in range(12)]
    analyse(page, *(payload(name, BRIGHT) for name in names))
    links = [row_of(page, name).get_by_role("link", name="Open") for name in names]
    for link in links:
        link.wait_for()
    link = links[-1]
    link.scroll_into_view_if_needed()
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    assert page.evaluate("scrollY") > 0
    link.click()
    page.locator(".verdict").wait_for()
    expect(page).to_have_title(f"{names[-1]} · Hepar")
    expect(page.get_by_role("heading", level=1)).to_be_in_viewport()
    assert page.evaluate("scrollY") == 0
    page.get_by_role("link", name="Models").click()
    expect(page).to_have_title("Models · Hepar")


def test_the_curves_of_every_model_card_are_drawn(page: Page) -> None:
    sign_up(page)
    page.get_by_role("link", name="Models").click()
    classifiers = page.get_by_role("article").filter(has=page.get_by_role("heading", name="Classification"))
    expect(classifiers.get_by_role("img", name="ROC, each class against the rest")).to_be_visible()
    expect(classifiers.get_by_role("img", name="Reliability")).to_be_visible()
    first_row = classifiers.get_by_role("table", name="Confusion matrix").get_by_role("row").nth(1)
    expect(first_row).to_have_text("Cholangiocarcinoma9 90%1 10%0 0%")
    classifiers.get_by_label("Graphs of").select_option("classify_two")
    expect(first_row).to_have_text("Cholangiocarcinoma7 70%3 30%0 0%")
    detectors = page.get_by_role("article").filter(has=page.get_by_role("heading", name="Detection"))
    expect(detectors.get_by_role("img", name="FROC at an overlap of 0.5")).to_be_visible()
    expect(detectors.get_by_role("img", name="Precision and recall at an overlap of 0.5")).to_be_visible()


def test_an_image_out_of_scope_gets_no_class(page: Page) -> None:
    sign_up(page)
    analyse(page, payload("black.png", BLACK))
    open_result(page)
    expect(page.locator(".verdict")).to_contain_text(
        re.compile(r"Out of scope: .*typicality 0\.\d\d, at least 0\.50 required")
    )
    expect(page.get_by_text("No lesion above the threshold")).to_have_count(0)
    expect(page.get_by_label("Minimum score")).to_have_count(0)
    expect(page.locator(".votes")).to_have_count(0)


def test_an_indeterminate_result_and_missing_models_are_named(page: Page) -> None:
    def change(route: Route) -> None:
        response = route.fetch()
        document = response.json()
        document["classification"] |= {
            "outcome": "indeterminate",
            "label": None,
            "missing_models": ["classify_three"],
        }
        route.fulfill(response=response, json=document)

    sign_up(page)
    page.route("**/v1/analyses*", change)
    analyse(page, payload("slice.png", BRIGHT))
    expect(row_of(page, "slice.png")).to_contain_text(re.compile(r"Indeterminate0\.\d\dMetastasis"))
    open_result(page)
    expect(page.locator(".verdict")).to_contain_text("Indeterminate: it is open whether there is a tumour")
    expect(page.get_by_text("does not include these models, which did not respond: three")).to_be_visible()


def test_an_undecided_type_and_a_contradiction_are_shown(page: Page) -> None:
    def change(route: Route) -> None:
        response = route.fetch()
        document = response.json()
        document["classification"] |= {"outcome": "type_undecided", "label": None, "tumour_probability": 0.93}
        document["consistency"] = {"code": "tumour_without_box", "text": "as the gateway says it"}
        document["detection"] |= {"boxes": [], "boxes_outside_liver": 2}
        route.fulfill(response=response, json=document)

    sign_up(page)
    page.route("**/v1/analyses*", change)
    analyse(page, payload("slice.png", BRIGHT))
    open_result(page)
    expect(page.locator(".verdict")).to_contain_text("Tumour, type undecided: probability of a tumour 0.93")
    expect(page.get_by_text("Classified as tumour, but no detector found a lesion")).to_be_visible()
    expect(page.get_by_text("2 boxes outside the liver are not shown.")).to_be_visible()


def test_a_server_failure_is_reported_and_the_image_is_kept(page: Page) -> None:
    sign_up(page)
    page.route("**/v1/analyses*", lambda route: route.abort(), times=1)
    analyse(page, payload("slice.png", BRIGHT))
    expect(page.get_by_text("The server does not respond")).to_be_visible()
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("link", name="Open")).to_be_visible()
    page.context.set_offline(True)
    expect(page.get_by_text("You are offline")).to_be_visible()
    page.context.set_offline(False)


def test_a_rate_limited_image_is_sent_again_after_the_time_that_the_gateway_asks_for(page: Page) -> None:
    sign_up(page)
    page.route("**/v1/analyses*", lambda route: route.fulfill(status=429, headers={"Retry-After": "1"}), times=1)
    analyse(page, payload("slice.png", BRIGHT))
    expect(page.get_by_role("link", name="Open")).to_be_visible()


@pytest.mark.parametrize("address", ["/docs", "/redoc"])
def test_the_api_documentation_works_under_the_content_security_policy(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.get_by_text("Classify one CT image").filter(visible=True).first).to_be_visible()


def test_the_printed_result_has_no_controls(page: Page) -> None:
    page.add_init_script("window.print = () => { window.printed = true; }")
    sign_up(page)
    analyse(page, payload("slice.png", BRIGHT))
    open_result(page)
    page.get_by_role("button", name="Print").click()
    assert page.evaluate("window.printed")
    page.emulate_media(media="print")
    for printed in (page.locator(".verdict"), page.locator("canvas"), page.get_by_text("not a medical device").first):
        expect(printed).to_be_visible()
    for omitted in (
        page.locator("header"),
        page.get_by_role("button", name="Print"),
        page.get_by_label("Minimum score"),
    ):
        expect(omitted).to_be_hidden()


def test_the_activation_map_of_each_model_is_shown_with_its_opacity(page: Page) -> None:
    sign_up(page)
    analyse(page, payload("slice.png", BRIGHT))
    open_result(page)
    canvas = page.locator("canvas[role=img]")

    def screenshot() -> bytes:
        wait_until_drawn(page)
        return canvas.screenshot()

    plain = screenshot()
    open_activation_map(page, "classify_two")
    assert screenshot() != plain
    page.get_by_label("Opacity").fill("0")
    assert screenshot() == plain
