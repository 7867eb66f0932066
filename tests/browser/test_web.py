"""What people do in a browser, from sign-up to a result."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from pyotp.totp import TOTP

from tests.browser.conftest import (
    BLACK,
    BRIGHT,
    PASSWORD,
    administrator,
    analyse,
    choose,
    named,
    sign_in,
    sign_up,
    stack_for_browsers,
)
from tests.end_to_end.conftest import Stack


def test_from_sign_up_to_a_result(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_text("not a medical device").first).to_be_visible()
    sign_up(page)
    with page.expect_request("**/v1/analyses?*") as asked:
        analyse(page, named("slice.png", BRIGHT))
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", asked.value.headers["traceparent"]), "the trace begins here"
    page.get_by_role("link", name="Open").click()
    expect(page.locator(".verdict")).to_contain_text("calibrated probability")
    expect(page.get_by_text("networks agree")).to_be_visible()
    expect(page.get_by_text("2 boxes above the threshold")).to_be_visible()
    page.get_by_label("Score from").fill("0.42")
    expect(page.get_by_text("1 boxes above the threshold")).to_be_visible()
    page.get_by_label("Where the networks looked").select_option("ensemble")
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
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the picture").click()
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")
    page.go_back()
    expect(page.get_by_role("heading", name="Analyse")).to_be_visible()
    expect(page.get_by_text("slice.png")).to_be_visible()


def test_graphs_of_every_model_are_drawn_from_its_card(page: Page) -> None:
    sign_up(page)
    page.get_by_role("link", name="Models").click()
    classifiers = page.get_by_role("article").filter(has=page.get_by_role("heading", name="classification"))
    expect(classifiers.get_by_role("img", name="ROC, each label against the rest")).to_be_visible()
    expect(classifiers.get_by_role("img", name="Reliability")).to_be_visible()
    expect(classifiers.get_by_role("table", name="Confusion matrix").get_by_role("row").nth(1)).to_have_text(
        "cholangiocarcinoma9 90 %1 10 %0 0 %"
    )
    classifiers.get_by_label("Graphs of").select_option("classify_two")
    expect(classifiers.get_by_role("table", name="Confusion matrix").get_by_role("row").nth(1)).to_have_text(
        "cholangiocarcinoma7 70 %3 30 %0 0 %"
    )
    detectors = page.get_by_role("article").filter(has=page.get_by_role("heading", name="detection"))
    expect(detectors.get_by_role("img", name="FROC, at an overlap of 0.5")).to_be_visible()
    expect(detectors.get_by_role("img", name="Precision and recall, at an overlap of 0.5")).to_be_visible()


def test_an_image_out_of_scope_gets_no_label(page: Page) -> None:
    sign_up(page)
    analyse(page, named("black.png", BLACK))
    page.get_by_role("link", name="Open").click()
    expect(page.locator(".verdict")).to_contain_text("Out of scope")
    expect(page.get_by_text("No box above the threshold")).to_be_visible()
    expect(page.locator(".votes")).to_have_count(0)


def test_a_session_goes_on_by_itself_and_ends_in_words(page: Page, web: Stack) -> None:
    sign_up(page)
    page.reload()
    expect(page.get_by_role("heading", name="Analyse")).to_be_visible()
    choose(page, named("slice.png", BRIGHT))
    page.evaluate("sessionStorage.setItem('hepar-refresh-token', 'nonsense')")
    page.route("**/v1/analyses?*", lambda route: route.fulfill(status=401, body="{}"), times=1)
    page.get_by_role("button", name="Analyse 1").click()
    expect(page.get_by_text("Your session has ended")).to_be_visible()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_server_that_goes_away_is_said_and_nothing_is_lost(page: Page) -> None:
    sign_up(page)
    page.route("**/v1/analyses?*", lambda route: route.abort(), times=1)
    analyse(page, named("slice.png", BRIGHT))
    expect(page.get_by_text("The server does not answer")).to_be_visible()
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("link", name="Open")).to_be_visible()
    page.context.set_offline(True)
    expect(page.get_by_text("You are offline")).to_be_visible()
    page.context.set_offline(False)


def test_an_administrator_changes_a_role(page: Page, browser: Browser, web: Stack) -> None:
    somebody = sign_up(page)
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, administrator(web))
    page.get_by_role("link", name="Administration").click()
    row = page.get_by_role("row").filter(has_text=somebody)
    row.get_by_role("combobox").select_option("clinician")
    expect(row.get_by_role("combobox")).to_have_value("clinician")
    row.get_by_role("button", name="Deactivate").click()
    expect(row.get_by_text("deactivated")).to_be_visible()


def test_an_administrator_lets_a_clinician_in(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where sign-up waits for approval."""
    monkeypatch.setenv("HEPAR_AUTH_SIGNUP", "approval")
    monkeypatch.setenv("HEPAR_AUTH_SIGNUP_ROLE", "clinician")
    with stack_for_browsers(tmp_path) as stack:
        url = stack.settings.gateway_url
        page = browser.new_context(base_url=url, locale="en-GB").new_page()
        page.goto("/sign-up")
        page.get_by_label("E-mail address").fill("clinician@example.org")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign up").click()
        expect(page.get_by_text("waits for an administrator's approval")).to_be_visible()
        sign_in(page, "clinician@example.org")
        expect(page.get_by_role("alert")).to_contain_text("The account is not active")
        office = browser.new_context(base_url=url, locale="en-GB").new_page()
        sign_in(office, administrator(stack))
        office.get_by_role("link", name="Administration").click()
        row = office.get_by_role("row").filter(has_text="clinician@example.org")
        row.get_by_role("button", name="Approve").click()
        expect(row.get_by_text("active", exact=True)).to_be_visible()
        sign_in(page, "clinician@example.org")
        expect(page.get_by_role("heading", name="Analyse")).to_be_visible()


def test_a_second_factor_is_set_up_and_asked_for(page: Page) -> None:
    email = sign_up(page)
    page.get_by_role("link", name="Account").click()
    page.get_by_role("button", name="Set up").click()
    secret = page.locator("form code").inner_text()
    page.get_by_label("Code of your second factor").fill(TOTP(secret).now())
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_text("Each counts once and is shown only now")).to_be_visible()
    recovery = page.locator(".codes code").first.inner_text()
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, email)
    page.get_by_label("Code of your second factor").fill(recovery)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def test_a_wrong_password_is_told_in_words(page: Page) -> None:
    page.goto("/sign-in")
    page.get_by_label("E-mail address").fill("nobody@example.org")
    page.get_by_label("Password").fill("a wrong but long one")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("The address or the password is wrong")


def test_another_language(page: Page) -> None:
    page.goto("/")
    page.get_by_label("Language").select_option("de")
    expect(page.get_by_text("kein Medizinprodukt").first).to_be_visible()
    page.reload()
    expect(page.locator("html")).to_have_attribute("lang", "de")


@pytest.mark.parametrize("address", ["/docs", "/redoc"])
def test_the_documentation_is_shown_under_its_policy(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.get_by_text("Classify one CT image").filter(visible=True).first).to_be_visible(timeout=20_000)


def test_a_result_is_printed_without_what_is_only_for_a_screen(page: Page) -> None:
    page.add_init_script("window.print = () => { window.printed = true; }")
    sign_up(page)
    analyse(page, named("slice.png", BRIGHT))
    page.get_by_role("link", name="Open").click()
    page.get_by_role("button", name="Print").click()
    assert page.evaluate("window.printed")
    page.emulate_media(media="print")
    for kept in (page.locator(".verdict"), page.locator("canvas"), page.get_by_text("not a medical device").first):
        expect(kept).to_be_visible()
    for left_out in (page.locator("header"), page.get_by_role("button", name="Print"), page.get_by_label("Score from")):
        expect(left_out).to_be_hidden()


def test_the_map_of_each_model_can_be_seen_through(page: Page) -> None:
    sign_up(page)
    analyse(page, named("slice.png", BRIGHT))
    page.get_by_role("link", name="Open").click()
    page.locator(".verdict").wait_for()
    canvas = page.locator("canvas[role=img]")

    def seen() -> bytes:
        page.wait_for_timeout(150)
        return canvas.screenshot()

    plain = seen()
    page.get_by_label("Where the networks looked").select_option("classify_two")
    mapped = seen()
    assert mapped != plain
    page.get_by_label("Opacity").fill("0")
    assert seen() == plain


def test_what_a_verdict_leaves_open_is_said(page: Page) -> None:
    """Degraded and indeterminate, as the services say them."""

    def unsure(route: Route) -> None:
        answer = route.fetch()
        document = answer.json()
        document["classification"] |= {
            "outcome": "indeterminate",
            "label": None,
            "missing_models": ["classify_three"],
        }
        route.fulfill(response=answer, json=document)

    sign_up(page)
    page.route("**/v1/analyses?*", unsure)
    analyse(page, named("slice.png", BRIGHT))
    page.get_by_role("link", name="Open").click()
    expect(page.locator(".verdict")).to_contain_text(
        "Indeterminate: no label reaches the ensemble's decision threshold"
    )
    expect(page.get_by_text("Without classify_three: they did not answer.")).to_be_visible()


def test_a_password_is_changed_and_another_session_ended(page: Page, browser: Browser, web: Stack) -> None:
    email = sign_up(page)
    elsewhere = browser.new_context(base_url=web.settings.gateway_url, locale="en-GB").new_page()
    sign_in(elsewhere, email)
    elsewhere.get_by_role("heading", name="Analyse").wait_for()
    page.get_by_role("link", name="Account").click()
    expect(page.get_by_text("this one")).to_be_visible()
    page.get_by_role("button", name="End it").click()
    expect(page.get_by_role("button", name="End it")).to_have_count(0)
    elsewhere.reload()
    expect(elsewhere.get_by_role("link", name="Sign in")).to_be_visible()
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_label("New password").fill("another long enough one")
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_text("Done. Sign in again.")).to_be_visible()
    sign_in(page, email, "another long enough one")
    expect(page.get_by_role("heading", name="Analyse")).to_be_visible()
