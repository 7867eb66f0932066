"""Every page and state that is photographed, in one table."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page, expect
from pyotp.totp import TOTP

from tests.browser.conftest import (
    BLACK,
    analyse,
    file_input,
    hold_requests,
    open_activation_map,
    payload,
    submit_sign_in,
)
from tests.browser.screenshots.scene import ADMINISTRATOR, COLLEAGUE, NEWCOMER, READER, WITH_SECOND_FACTOR, Scene
from tests.support.auth_client import PASSWORD

SAMPLES = sorted(Path("samples").glob("*.png"))
UNKNOWN = "00000000-0000-4000-8000-000000000000"
NOTES = payload("notes.txt", b"words")


@dataclass(frozen=True)
class State:
    """account: who looks; None for a visitor.  open: ends with the state on the page, from any other page."""

    name: str
    account: str | None
    open: Callable[[Page, Scene], None]


def _at(path: str, shown: str | None = None) -> Callable[[Page, Scene], None]:
    """path: may hold the name of a study in braces.  shown: a selector of what appears last."""

    def open_path(page: Page, scene: Scene) -> None:
        page.goto(path.format(**scene.studies))
        page.locator(shown or "h1").first.wait_for()
        page.wait_for_load_state("networkidle")

    return open_path


def _wrong_password(page: Page, _: Scene) -> None:
    page.goto("/sign-in")
    submit_sign_in(page, READER, "a wrong but long one")
    page.get_by_role("alert").wait_for()


def _code_required(page: Page, _: Scene) -> None:
    page.goto("/sign-in")
    submit_sign_in(page, WITH_SECOND_FACTOR)
    page.get_by_label("Second factor code").wait_for()


def _sign_up_pending(page: Page, _: Scene) -> None:
    page.goto("/sign-up")
    page.get_by_label("E-mail address").fill(f"{secrets.token_hex(4)}@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign up").click()
    page.get_by_text("awaiting approval").wait_for()


def _link_sent(page: Page, _: Scene) -> None:
    page.goto("/forgotten-password")
    page.get_by_label("E-mail address").fill(READER)
    page.get_by_role("button", name="Send link").click()
    page.get_by_text("If the address belongs").wait_for()


def _confirm_address(page: Page, _: Scene) -> None:
    """The stack of the pictures confirms no addresses: accounts are made without a mail server."""
    options = {"password_reset": True, "address_verification": True}
    page.route("**/v1/account-options", lambda route: route.fulfill(json=options))
    page.goto(f"/verify-address#{'x' * 43}")
    page.get_by_role("button", name="Confirm e-mail address").wait_for()


def _offline(page: Page, _: Scene) -> None:
    page.goto("/studies")
    page.locator(".thumbnail").first.wait_for()
    page.context.set_offline(True)
    page.get_by_text("You are offline").wait_for()


def _loading(page: Page, _: Scene) -> None:
    hold_requests(page, "**/v1/studies?*")
    page.goto("/studies")
    page.locator(".skeleton").wait_for(state="attached")


def _server_down(page: Page, _: Scene) -> None:
    page.route("**/v1/studies?*", lambda route: route.abort())
    page.goto("/studies")
    page.get_by_role("alert").wait_for()


def _refused_upload(page: Page, _: Scene) -> None:
    page.goto("/studies")
    file_input(page).set_input_files([NOTES])
    page.get_by_role("alert").wait_for()


def _upload_list(page: Page, _: Scene) -> None:
    page.goto("/upload")
    files = [payload(path.name, path.read_bytes()) for path in SAMPLES]
    analyse(page, *files, payload("black.png", BLACK), NOTES)
    page.get_by_role("link", name="Open").nth(len(SAMPLES)).wait_for()


def _result(name: str, activation_map: str | None = None) -> Callable[[Page, Scene], None]:
    def open_result(page: Page, _: Scene) -> None:
        page.goto("/upload")
        content = BLACK if name == "black.png" else Path("samples", name).read_bytes()
        analyse(page, payload(name, content))
        page.get_by_role("link", name="Open").click()
        page.locator(".verdict").wait_for()
        if activation_map:
            open_activation_map(page, activation_map)

    return open_result


def _open_study(page: Page, scene: Scene) -> None:
    page.goto(f"/studies/{scene.studies['lesions']}")
    page.locator(".verdict").wait_for()
    page.locator("canvas[role=img]").first.wait_for()
    page.wait_for_load_state("networkidle")


def _three_planes(page: Page, scene: Scene) -> None:
    _open_study(page, scene)
    page.get_by_label("Masks", exact=True).check()
    page.get_by_label("Layout").select_option("planes")
    page.locator("[data-plane=coronal] canvas").wait_for()


def _compared(page: Page, scene: Scene) -> None:
    _open_study(page, scene)
    page.get_by_label("Layout").select_option("compare")
    prior = page.get_by_label("Compare with").locator("option", has_text="prior")
    page.get_by_label("Compare with").select_option(prior.get_attribute("value"))
    expect(page.locator("[data-plane=axial] canvas")).to_have_count(2)
    page.wait_for_load_state("networkidle")


def _model_layers(page: Page, scene: Scene) -> None:
    _open_study(page, scene)
    page.get_by_text("Layers of single models").click()
    page.get_by_label("Faster R-CNN").check()
    with page.expect_response("**/v1/classifications?*"):
        page.get_by_label("Activation map").select_option("classify_densenet")
    page.wait_for_load_state("networkidle")


def _full_window(page: Page, scene: Scene) -> None:
    _open_study(page, scene)
    page.get_by_role("button", name="Full window").click()


def _corrected(page: Page, scene: Scene) -> None:
    _open_study(page, scene)
    cards = page.locator("article.lesion")
    cards.nth(0).get_by_role("button", name="Accept").click()
    expect(cards.nth(0).locator(".state")).to_have_text("accepted")
    cards.nth(0).get_by_label("Type").select_option("Cyst")
    expect(cards.nth(0)).to_contain_text("The models said")
    cards.nth(0).get_by_text(re.compile("^History")).click()
    cards.nth(1).get_by_role("button", name="Reject").click()
    expect(cards.nth(1).locator(".state")).to_have_text("rejected")


def _outline(page: Page, scene: Scene) -> None:
    _open_study(page, scene)
    page.locator("article.lesion").first.get_by_role("button", name="Outline").click()
    canvas = page.get_by_role("dialog").get_by_role("application")
    canvas.wait_for()
    box = canvas.bounding_box()
    assert box is not None
    for x, y in ((0.36, 0.4), (0.5, 0.33), (0.64, 0.42), (0.62, 0.6), (0.46, 0.64)):
        canvas.click(position={"x": x * box["width"], "y": y * box["height"]})


def _send_dialog(page: Page, scene: Scene) -> None:
    _at("/studies/{lesions}/report", ".preview img")(page, scene)
    page.get_by_role("button", name="Send to Hospital archive").click()
    page.get_by_role("dialog").get_by_role("img", name="Key image 5").wait_for()
    page.wait_for_load_state("networkidle")


def _second_factor_code(page: Page, scene: Scene) -> None:
    """Of an account of its own: the sign-in of the others needs no code."""
    email = f"maria-{secrets.token_hex(2)}@example.org"
    scene.add_account(email, "Maria Goeppert")
    page.goto("/sign-in")
    submit_sign_in(page, email, PASSWORD)
    page.get_by_role("link", name="Account").click()
    form = page.locator("form", has=page.get_by_role("button", name="Set up"))
    form.get_by_label("Password", exact=True).fill(PASSWORD)
    form.get_by_role("button").click()
    page.get_by_role("img", name="QR code").wait_for()


def _recovery_codes(page: Page, scene: Scene) -> None:
    _second_factor_code(page, scene)
    form = page.locator("form", has=page.get_by_role("button", name="Confirm"))
    form.get_by_label("Password", exact=True).fill(PASSWORD)
    form.get_by_label("Second factor code").fill(TOTP(form.locator("code").inner_text()).now())
    form.get_by_role("button", name="Confirm").click()
    page.locator(".codes").wait_for()


def _group_dialog(page: Page, scene: Scene) -> None:
    _at("/administration", "tbody tr")(page, scene)
    page.get_by_role("row").filter(has_text=READER).get_by_role("button", name="Change group").click()
    page.get_by_role("dialog").wait_for()


def _all_sends(page: Page, scene: Scene) -> None:
    _at("/administration/sending", "tbody tr")(page, scene)
    page.get_by_label("Status").select_option("")
    page.get_by_role("row").filter(has_text="sent").first.wait_for()
    for title, answer in (("Hospital archive", "Reachable"), ("Second site", "failed")):
        page.get_by_role("button", name=f"Test: {title}").click()
        page.get_by_role("row").filter(has_text=title).get_by_text(answer).first.wait_for()


# Corrections stay in the study: what shows it without them comes before.
STATES = (
    State("home", None, _at("/")),
    State("sign-in", None, _at("/sign-in")),
    State("sign-in-refused", None, _wrong_password),
    State("sign-in-second-factor", None, _code_required),
    State("sign-up", None, _at("/sign-up")),
    State("sign-up-pending", None, _sign_up_pending),
    State("forgotten-password", None, _at("/forgotten-password")),
    State("forgotten-password-sent", None, _link_sent),
    State("new-password", None, _at(f"/reset-password#{'x' * 43}")),
    State("confirm-address", None, _confirm_address),
    State("help", None, _at("/help")),
    State("not-found", None, _at("/no-such-page")),
    State("upload-empty", NEWCOMER, _at("/upload", "article")),
    State("worklist-empty", NEWCOMER, _at("/studies", ".empty")),
    State("worklist-upload-refused", NEWCOMER, _refused_upload),
    State("worklist", READER, _at("/studies", ".thumbnail")),
    State("worklist-no-match", READER, _at("/studies?search=nobody", ".empty")),
    State("worklist-loading", READER, _loading),
    State("worklist-failed", READER, _server_down),
    State("worklist-offline", READER, _offline),
    State("study", READER, _open_study),
    State("study-three-planes", READER, _three_planes),
    State("study-compared", READER, _compared),
    State("study-model-layers", READER, _model_layers),
    State("study-full-window", READER, _full_window),
    State("study-outline", READER, _outline),
    State("study-no-lesion", READER, _at("/studies/{none}", "canvas")),
    State("study-running", READER, _at("/studies/{running}", "progress")),
    State("study-queued", READER, _at("/studies/{queued}")),
    State("study-failed", READER, _at("/studies/{failed}", ".error")),
    State("study-unknown", READER, _at(f"/studies/{UNKNOWN}", "[role=alert]")),
    State("report", READER, _at("/studies/{lesions}/report", ".preview img")),
    State("report-sending", READER, _send_dialog),
    State("study-corrected", READER, _corrected),
    State("upload", READER, _upload_list),
    State("result", READER, _result("metastasis.png", "ensemble")),
    State("result-no-tumour", READER, _result("no_tumour.png")),
    State("result-out-of-scope", READER, _result("black.png")),
    State("models", READER, _at("/models", "article")),
    State("account", COLLEAGUE, _at("/account", "main li")),
    State("second-factor", None, _second_factor_code),
    State("recovery-codes", None, _recovery_codes),
    State("administration-accounts", ADMINISTRATOR, _at("/administration", "tbody tr")),
    State("administration-confirm", ADMINISTRATOR, _group_dialog),
    State("administration-audit", ADMINISTRATOR, _at("/administration/audit", "tbody tr")),
    State("administration-audit-empty", ADMINISTRATOR, _at("/administration/audit?date_to=2020-01-01", ".empty")),
    State("administration-sending", ADMINISTRATOR, _all_sends),
    State("administration-system", ADMINISTRATOR, _at("/administration/system", "tbody tr")),
)
