"""Accounts: sessions, roles, approval, passwords, second factor."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from pyotp.totp import TOTP

from tests.browser.conftest import (
    BRIGHT,
    PASSWORD,
    choose,
    payload,
    row_of,
    sign_in,
    sign_up,
    stack_for_browsers,
)
from tests.end_to_end.conftest import Stack


def test_a_session_survives_a_reload_and_its_end_is_announced(page: Page) -> None:
    sign_up(page)
    page.reload()
    expect(page.get_by_role("heading", name="Analyse")).to_be_visible()
    choose(page, payload("slice.png", BRIGHT))
    page.evaluate("sessionStorage.setItem('hepar-refresh-token', 'nonsense')")
    page.route("**/v1/analyses*", lambda route: route.fulfill(status=401, body="{}"), times=1)
    page.get_by_role("button", name="Analyse 1").click()
    expect(page.get_by_text("Your session has ended")).to_be_visible()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def confirm(page: Page, password: str) -> None:
    form = page.locator("form", has=page.get_by_role("button", name="Confirm"))
    form.get_by_label("Password", exact=True).fill(password)
    form.get_by_role("button", name="Confirm").click()


def test_an_administrator_changes_a_role_and_deactivates_an_account(page: Page, web: Stack) -> None:
    email = sign_up(page)
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, web.create_administrator())
    page.get_by_role("link", name="Administration").click()
    row = row_of(page, email)
    assert row.get_by_role("combobox").input_value() != "clinician"
    row.get_by_role("combobox").select_option("clinician")
    confirm(page, "a wrong but long one")
    expect(page.get_by_role("alert")).to_contain_text("The password is wrong")
    expect(row.get_by_role("combobox")).not_to_have_value("clinician")
    confirm(page, PASSWORD)
    expect(row.get_by_role("combobox")).to_have_value("clinician")
    row.get_by_role("button", name="Deactivate").click()
    expect(row.get_by_text("deactivated")).to_be_visible()


def test_an_administrator_approves_a_sign_up(browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEPAR_AUTH_SIGNUP", "approval")
    monkeypatch.setenv("HEPAR_AUTH_SIGNUP_ROLE", "clinician")
    with stack_for_browsers(tmp_path) as stack:
        url = stack.settings.gateway_url
        page = browser.new_context(base_url=url, locale="en-GB").new_page()
        page.goto("/sign-up")
        page.get_by_label("E-mail address").fill("clinician@example.org")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign up").click()
        expect(page.get_by_text("awaiting approval by an administrator")).to_be_visible()
        sign_in(page, "clinician@example.org")
        expect(page.get_by_role("alert")).to_contain_text("The account is not active")
        admin_page = browser.new_context(base_url=url, locale="en-GB").new_page()
        sign_in(admin_page, stack.create_administrator())
        admin_page.get_by_role("link", name="Administration").click()
        row = row_of(admin_page, "clinician@example.org")
        row.get_by_role("button", name="Approve").click()
        expect(row.get_by_text("active", exact=True)).to_be_visible()
        sign_in(page, "clinician@example.org")
        expect(page.get_by_role("heading", name="Analyse")).to_be_visible()


def set_up_second_factor(page: Page) -> None:
    page.get_by_role("link", name="Account").click()
    set_up = page.locator("form", has=page.get_by_role("button", name="Set up"))
    set_up.get_by_label("Password", exact=True).fill(PASSWORD)
    set_up.get_by_role("button").click()
    expect(page.get_by_role("img", name="QR code")).to_be_visible()
    secret = page.locator("form code").inner_text()
    confirm = page.locator("form", has=page.get_by_role("button", name="Confirm"))
    confirm.get_by_label("Password", exact=True).fill(PASSWORD)
    confirm.get_by_label("Second factor code").fill(TOTP(secret).now())
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_text("Each code works once")).to_be_visible()


def test_a_second_factor_is_set_up_and_required(page: Page) -> None:
    email = sign_up(page)
    set_up_second_factor(page)
    recovery_code = page.locator(".codes code").first.inner_text()
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, email)
    page.get_by_label("Second factor code").fill(recovery_code)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def test_an_administrator_resets_a_second_factor(page: Page, web: Stack) -> None:
    email = sign_up(page)
    set_up_second_factor(page)
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, web.create_administrator())
    page.get_by_role("link", name="Administration").click()
    row_of(page, email).get_by_role("button", name="Reset second factor").click()
    confirm(page, "a wrong but long one")
    expect(page.get_by_role("alert")).to_contain_text("The password is wrong")
    confirm(page, PASSWORD)
    expect(row_of(page, email).get_by_role("button", name="Reset second factor")).to_be_hidden()
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, email)
    expect(page.get_by_role("heading", name="Analyse")).to_be_visible()


def test_a_wrong_password_is_reported(page: Page) -> None:
    page.goto("/sign-in")
    page.get_by_label("E-mail address").fill("nobody@example.org")
    page.get_by_label("Password").fill("a wrong but long one")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("The address or the password is wrong")


def test_a_password_is_changed_and_another_session_is_ended(page: Page, browser: Browser, web: Stack) -> None:
    email = sign_up(page)
    other_device = browser.new_context(base_url=web.settings.gateway_url, locale="en-GB").new_page()
    sign_in(other_device, email)
    other_device.get_by_role("heading", name="Analyse").wait_for()
    page.get_by_role("link", name="Account").click()
    expect(page.get_by_text("this session")).to_be_visible()
    page.get_by_role("button", name="End session").click()
    expect(page.get_by_role("button", name="End session")).to_have_count(0)
    other_device.reload()
    expect(other_device.get_by_role("link", name="Sign in")).to_be_visible()
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_label("New password").fill("another long enough one")
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_text("The password has been changed. Please sign in again.")).to_be_visible()
    sign_in(page, email, "another long enough one")
    expect(page.get_by_role("heading", name="Analyse")).to_be_visible()
