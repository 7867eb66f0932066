"""A real Chromium in front of the real stack with tiny models."""

from __future__ import annotations

import shutil
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FilePayload, Locator, Page, Route, expect, sync_playwright

from local_stack.demo import running_stack
from local_stack.settings import on_free_ports
from tests.end_to_end.conftest import Stack
from tests.support.pictures import encoded, gradient, nearly_flat
from tests.support.tiny_models import write_classifier, write_detector, write_input_check

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PASSWORD = "a long enough password"
BRIGHT, BLACK = encoded(gradient(256, 256)), encoded(nearly_flat(5, 256))

# The machine may be busy: an assertion that holds passes at once, however long it may wait.
TIMEOUT_MS = 120_000
expect.set_options(timeout=TIMEOUT_MS)

REQUIREMENTS = {
    "Chromium (Debian: apt-get install chromium)": CHROMIUM is not None,
    "web/dist (make web)": Path("web/dist/index.html").is_file(),
    "Lighthouse (make tests/browser/node_modules/.complete)": Path("tests/browser/node_modules/lighthouse").is_dir(),
}
if missing := [name for name, present in REQUIREMENTS.items() if not present]:
    collect_ignore_glob = ["test_*.py"]
    sys.stderr.write(f"tests/browser are not collected; missing: {', '.join(missing)}\n")


DETECTOR_CURVES = {
    "confusion": {
        "rows": ["cholangiocarcinoma", "metastasis", "no lesion"],
        "columns": ["cholangiocarcinoma", "metastasis", "missed"],
        "counts": [[8, 1, 1], [0, 7, 3], [2, 1, 0]],
    },
    "froc": {"x": [0, 0.2, 1.5], "y": [0.1, 0.6, 0.9]},
    "precision_recall": {"x": [0, 0.5, 1], "y": [1, 0.9, 0.2]},
}


def classifier_curves(correct: int) -> dict[str, object]:
    """correct: of ten images of each tumour."""
    labels = ["cholangiocarcinoma", "metastasis", "no_tumour"]
    return {
        "confusion": {
            "rows": labels,
            "columns": labels,
            "counts": [[correct, 10 - correct, 0], [10 - correct, correct, 0], [0, 0, 10]],
        },
        "roc": {label: {"x": [0, 0.1, 1], "y": [0, correct / 10, 1]} for label in labels},
        "reliability": [
            {"confidence": 0.55, "accuracy": 0.5, "images": 10},
            {"confidence": 0.9, "accuracy": 0.8, "images": 20},
        ],
    }


@contextmanager
def stack_for_browsers(folder: Path) -> Iterator[Stack]:
    repository = folder / "models"
    write_classifier(repository, "classify_one", (0.0, 2.0, 0.0), curves=classifier_curves(correct=9))
    write_classifier(repository, "classify_two", (0.0, 1.5, 0.0), curves=classifier_curves(correct=7))
    write_detector(repository, "detect_one", (0.25, 0.25, 0.5, 0.5), 0.9, 1, curves=DETECTOR_CURVES)
    write_detector(repository, "detect_two", (0.6, 0.3, 0.8, 0.5), 0.8, 0, curves=DETECTOR_CURVES)
    write_input_check(repository, "check_brightness", gain=1.9)
    settings = on_free_ports().model_copy(update={"triton_model_repository": repository})
    with running_stack(settings, folder, {"HEPAR_AUTH_SIGNUP_BURST": "1000"}) as process:
        yield Stack(settings, folder, process.pid)


@pytest.fixture(scope="session")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack_for_browsers(tmp_path_factory.mktemp("web")) as stack:
        yield stack


@pytest.fixture(scope="module")  # Playwright's event loop would otherwise run in the thread of all later tests
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser, web: Stack) -> Iterator[Page]:
    """A new visitor. Script errors, policy violations and requests to other hosts fail the test."""
    context = browser.new_context(
        base_url=web.settings.gateway_url, viewport={"width": 1280, "height": 900}, locale="en-GB"
    )
    context.set_default_timeout(TIMEOUT_MS)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened = context.new_page()
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on(
        "console", lambda message: faults.append(message.text) if "Content Security Policy" in message.text else None
    )
    opened.on("request", lambda request: None if is_local(request.url, web) else faults.append(request.url))
    yield opened
    context.close()
    assert faults == []


def is_local(url: str, web: Stack) -> bool:
    return url.startswith((web.settings.gateway_url, "blob:", "data:"))


def sign_up(page: Page) -> str:
    """Returns the e-mail address. Ends on the upload page."""
    email = f"{uuid.uuid4().hex}@example.org"
    page.goto("/sign-up")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("heading", name="Analyse")).to_be_visible()
    return email


def sign_in(page: Page, email: str, password: str = PASSWORD) -> None:
    """Loads the sign-in page, which discards all state of the tab."""
    page.goto("/sign-in")
    submit_sign_in(page, email, password)


def submit_sign_in(page: Page, email: str, password: str = PASSWORD) -> None:
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def payload(name: str, content: bytes) -> FilePayload:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": content}


def file_input(page: Page) -> Locator:
    return page.locator("input[type=file]").first


def choose(page: Page, *files: FilePayload) -> None:
    file_input(page).set_input_files(list(files))


def analyse(page: Page, *files: FilePayload) -> None:
    choose(page, *files)
    page.get_by_role("button", name="Analyse ").click()


def open_result(page: Page) -> None:
    """Of the only image in the list."""
    page.get_by_role("link", name="Open").click()
    expect(page.locator(".verdict")).to_be_visible()


def open_activation_map(page: Page, name: str) -> None:
    """The maps are fetched when the first is opened. Ends when it is drawn."""
    with page.expect_response("**/v1/classifications*"):
        page.get_by_label("Activation map").select_option(name)
    expect(page.locator(".image-panel").get_by_text("Loading")).to_have_count(0)
    wait_until_drawn(page)


def hold_requests(page: Page, pattern: str, times: int | None = None) -> list[Route]:
    """Requests that match are not answered. Their routes are added to the returned list as they arrive."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(pattern, hold, times=times)
    return held


def wait_for_held(page: Page, held: list[Route], count: int) -> None:
    """Until hold_requests holds this many requests."""
    deadline = time.monotonic() + TIMEOUT_MS / 1000
    while len(held) < count:
        assert time.monotonic() < deadline, f"{len(held)} of {count} requests arrived"
        page.wait_for_timeout(50)


def wait_until_drawn(page: Page) -> None:
    """Ten frames: enough for React, layout and canvas to follow the last event, however slow the machine is."""
    page.evaluate("async () => { for (let i = 0; i < 10; i += 1) await new Promise(requestAnimationFrame); }")


def row_of(page: Page, name: str) -> Locator:
    """The row of the upload list or of a table with this text."""
    return page.get_by_role("row").filter(has_text=name)
