"""One tab, several users: nobody sees or sends the images of another user."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import (
    BRIGHT,
    analyse,
    choose,
    hold_requests,
    open_result,
    payload,
    row_of,
    sign_up,
    submit_sign_in,
    wait_for_held,
)


def end_session(page: Page, email: str) -> None:
    """The next upload finds that the session of the user has ended. Ends on the sign-in page."""
    page.evaluate("sessionStorage.setItem('hepar-refresh-token', 'nonsense')")
    page.route("**/v1/analyses*", lambda route: route.fulfill(status=401, body="{}"), times=1)
    page.get_by_role("button", name="Analyse 1").click()
    expect(page.get_by_text("Your session has ended")).to_be_visible()
    expect(page.get_by_text(email)).to_have_count(0)


def test_signing_out_deletes_lists_and_results_and_aborts_uploads(page: Page) -> None:
    second_user = sign_up(page)
    page.get_by_role("button", name="Sign out").click()
    sign_up(page)
    analyse(page, payload("finished.png", BRIGHT))
    open_result(page)
    result_path = page.evaluate("location.pathname")
    page.go_back()
    held = hold_requests(page, "**/v1/analyses*")
    analyse(page, *(payload(f"sending-{number}.png", BRIGHT) for number in range(4)))
    wait_for_held(page, held, 2)
    failed: list[str] = []
    page.on("requestfailed", lambda request: failed.append(request.url))

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    submit_sign_in(page, second_user)

    expect(page.get_by_role("heading", name="Analyse")).to_be_visible()
    expect(page.locator(".queue")).to_have_count(0)
    assert len([url for url in failed if "/v1/analyses" in url]) == 2, "both uploads are aborted"
    assert len(held) == 2, "the two that were waiting are never sent"
    page.evaluate(
        "path => { history.pushState({}, '', path); dispatchEvent(new PopStateEvent('popstate')); }", result_path
    )
    expect(page.get_by_text("This result does not exist here")).to_be_visible()
    expect(page).to_have_title("Results · Hepar")
    expect(page.get_by_text("finished.png")).to_have_count(0)


def test_the_sign_in_of_another_user_after_the_end_of_a_session_deletes_the_list(page: Page) -> None:
    second_user = sign_up(page)
    page.get_by_role("button", name="Sign out").click()
    first_user = sign_up(page)
    choose(page, payload("private.png", BRIGHT))
    end_session(page, first_user)
    uploads: list[str] = []
    page.on("request", lambda request: uploads.append(request.url) if "/v1/analyses" in request.url else None)
    submit_sign_in(page, second_user)
    expect(page.get_by_role("heading", name="Analyse")).to_be_visible()
    page.get_by_role("link", name="Account").click()
    expect(page.get_by_text(second_user)).to_be_visible()
    page.get_by_role("link", name="Analyse").click()
    expect(page.get_by_text("private.png")).to_have_count(0)
    assert uploads == []


def test_the_same_user_continues_after_the_end_of_a_session(page: Page) -> None:
    email = sign_up(page)
    choose(page, payload("mine.png", BRIGHT))
    end_session(page, email)
    submit_sign_in(page, email)
    expect(row_of(page, "mine.png").get_by_role("link", name="Open")).to_be_visible()


def test_a_second_sign_in_without_signing_out_deletes_the_list(page: Page) -> None:
    second_user = sign_up(page)
    page.get_by_role("button", name="Sign out").click()
    sign_up(page)
    held = hold_requests(page, "**/v1/analyses*")
    analyse(page, *(payload(f"private-{number}.png", BRIGHT) for number in range(3)))
    wait_for_held(page, held, 2)
    page.evaluate("() => { history.pushState({}, '', '/sign-in'); dispatchEvent(new PopStateEvent('popstate')); }")
    submit_sign_in(page, second_user)
    expect(page.get_by_role("heading", name="Analyse")).to_be_visible()
    expect(page.locator(".queue")).to_have_count(0)
    assert len(held) == 2


def test_a_token_renewal_that_ends_after_signing_out_does_not_sign_in_again(page: Page) -> None:
    sign_up(page)
    choose(page, payload("slice.png", BRIGHT))
    held = hold_requests(page, "**/v1/token", times=1)
    page.route("**/v1/analyses*", lambda route: route.fulfill(status=401, body="{}"), times=1)
    page.get_by_role("button", name="Analyse 1").click()
    wait_for_held(page, held, 1)
    renewal = held[0].fetch()
    new_token = renewal.json()["refresh_token"]

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    with page.expect_request(lambda request: new_token in (request.post_data or "")) as revocation:
        held[0].fulfill(response=renewal)

    assert revocation.value.url.endswith("/v1/token/revoke")
    assert page.evaluate("sessionStorage.getItem('hepar-refresh-token')") is None
    page.reload()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
