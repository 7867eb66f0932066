"""Pages for links by e-mail: a forgotten password, the confirmation of an address."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PASSWORD, sign_in, stack_for_browsers, submit_sign_in
from tests.browser.test_accessibility import check
from tests.browser.test_language import assert_german
from tests.end_to_end.conftest import Stack
from tests.support.mail_server import MailServer, mail_server, mail_variables

EMAIL, ANOTHER = "ada@example.org", "yet another long passphrase"


@pytest.fixture(scope="module")
def mail() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture(scope="module")
def mailing(mail: MailServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with ExitStack() as running:
        with pytest.MonkeyPatch.context() as environment:
            for name, value in mail_variables(mail.port, email_verification="true").items():
                environment.setenv(name, value)
            stack = running.enter_context(stack_for_browsers(tmp_path_factory.mktemp("mailing")))
        yield stack


@pytest.fixture
def visitor(browser: Browser, mailing: Stack) -> Iterator[Page]:
    context = browser.new_context(base_url=mailing.settings.gateway_url, locale="en-GB")
    yield context.new_page()
    context.close()


def link_in(mail: MailServer, email: str, count: int = 1) -> str:
    """Path and fragment of the newest message's link."""
    found = re.search(r"https?://[^/\s]+(/\S+#\S+)", mail.wait_for(email, count).get_content())
    assert found is not None
    return found[1]


def test_an_address_is_confirmed_and_a_forgotten_password_replaced(visitor: Page, mail: MailServer) -> None:
    visitor.goto("/sign-up")
    visitor.get_by_label("E-mail address").fill(EMAIL)
    visitor.get_by_label("Password").fill(PASSWORD)
    visitor.get_by_role("button", name="Sign up").click()
    expect(visitor.get_by_text("We have sent a link to your e-mail address")).to_be_visible()
    sign_in(visitor, EMAIL)
    expect(visitor.get_by_role("alert")).to_contain_text("The e-mail address is not verified")

    visitor.goto(link_in(mail, EMAIL))
    expect(visitor.get_by_role("button", name="Confirm e-mail address")).to_be_visible()
    assert "#" not in visitor.url, "the token is in no history"
    check(visitor, visitor.url)
    visitor.get_by_role("button", name="Confirm e-mail address").click()
    expect(visitor.get_by_text("Your e-mail address is confirmed.")).to_be_visible()

    visitor.goto("/sign-in")
    visitor.get_by_role("link", name="Forgotten password").click()
    check(visitor, visitor.url)
    visitor.get_by_label("E-mail address").fill(EMAIL)
    visitor.get_by_role("button", name="Send link").click()
    expect(visitor.get_by_text("If the address belongs to an account")).to_be_visible()
    visitor.goto(link_in(mail, EMAIL, count=2))
    visitor.get_by_label("New password").fill(ANOTHER)
    check(visitor, visitor.url)
    visitor.get_by_role("button", name="Change password").click()
    expect(visitor.get_by_text("The password has been changed")).to_be_visible()
    visitor.get_by_role("main").get_by_role("link", name="Sign in").click()
    submit_sign_in(visitor, EMAIL, ANOTHER)
    expect(visitor.get_by_role("heading", name="Analyse")).to_be_visible()


def test_a_link_that_is_not_valid_is_explained(visitor: Page) -> None:
    visitor.goto(f"/reset-password#{'x' * 43}")
    visitor.get_by_label("New password").fill(ANOTHER)
    visitor.get_by_role("button", name="Change password").click()
    expect(visitor.get_by_role("alert")).to_contain_text("The link is not valid")


def test_the_pages_are_german(visitor: Page) -> None:
    visitor.goto("/sign-in")
    visitor.get_by_label("Language").select_option("de")
    expect(visitor.get_by_role("link", name="Passwort vergessen")).to_be_visible()
    for path in ("/sign-in", "/forgotten-password", "/reset-password", "/verify-address"):
        visitor.goto(path)
        expect(visitor.get_by_role("main").get_by_role("button").first).to_be_visible()
        assert_german(visitor)


def test_without_a_mail_server_nothing_is_shown(page: Page) -> None:
    with page.expect_response("**/v1/account-options"):
        page.goto("/sign-in")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(page.get_by_role("link", name="Forgotten password")).to_have_count(0)
    expect(page.get_by_role("link", name="Confirm e-mail address")).to_have_count(0)
    for path in ("/forgotten-password", "/verify-address"):
        page.goto(path)
        expect(page.get_by_text("This page does not exist")).to_be_visible()
