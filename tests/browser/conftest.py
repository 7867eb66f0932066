"""A real Chromium before the real stack with tiny models."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from local_stack.demo import running_stack
from local_stack.settings import on_free_ports
from tests.end_to_end.conftest import Stack
from tests.tiny_models import write_classifier, write_detector, write_input_check

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
BUILT = Path("web/dist/index.html")
PASSWORD = "a long enough password"

if CHROMIUM is None or not BUILT.is_file():
    collect_ignore_glob = ["test_*.py"]
    missing = "Chromium (Debian: apt-get install chromium)" if CHROMIUM is None else "web/dist (make web)"
    sys.stderr.write(f"tests/browser are left out: there is no {missing}\n")


@contextmanager
def stack_for_browsers(folder: Path) -> Iterator[Stack]:
    repository = folder / "models"
    write_classifier(repository, "classify_one", (0.0, 2.0, 0.0))
    write_classifier(repository, "classify_two", (0.0, 1.5, 0.0))
    write_detector(repository, "detect_one", (0.25, 0.25, 0.5, 0.5), 0.9, 1)
    write_detector(repository, "detect_two", (0.6, 0.3, 0.8, 0.5), 0.8, 0)
    write_input_check(repository, "check_brightness", gain=2.0)
    settings = on_free_ports().model_copy(update={"triton_model_repository": repository})
    with running_stack(settings, folder) as process:
        yield Stack(settings, folder, process.pid)


@pytest.fixture(scope="session")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack_for_browsers(tmp_path_factory.mktemp("web")) as stack:
        yield stack


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser, web: Stack) -> Iterator[Page]:
    """A fresh visitor, who hears of every error of the page and of every request to another host."""
    context = browser.new_context(
        base_url=web.settings.gateway_url, viewport={"width": 1280, "height": 900}, locale="en-GB"
    )
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened = context.new_page()
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("console", lambda said: faults.append(said.text) if "Content Security Policy" in said.text else None)
    opened.on("request", lambda request: faults.append(request.url) if not ours(request.url, web) else None)
    yield opened
    context.close()
    assert faults == []


def ours(url: str, web: Stack) -> bool:
    return url.startswith((web.settings.gateway_url, "blob:", "data:"))


def sign_up(page: Page) -> str:
    """Ends on the page where images are chosen."""
    email = f"{uuid.uuid4().hex}@example.org"
    page.goto("/sign-up")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign up").click()
    page.get_by_role("heading", name="Analyse").wait_for()
    return email


def sign_in(page: Page, email: str, password: str = PASSWORD) -> None:
    page.goto("/sign-in")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def administrator(web: Stack) -> str:
    email = f"{uuid.uuid4().hex}@example.org"
    accounts = {
        "HEPAR_AUTH_DATABASE_URL": f"sqlite+aiosqlite:///{web.folder / 'accounts.sqlite3'}",
        "HEPAR_AUTH_KEYS_FOLDER": str(web.folder / "keys"),
        "HEPAR_AUTH_SECRET_KEY_FILE": str(web.folder / "secret.key"),
        "HEPAR_ADMIN_PASSWORD": PASSWORD,
    }
    subprocess.run(
        [sys.executable, "-m", "auth_service", "create-admin", email], env=os.environ | accounts, check=True, timeout=60
    )
    return email
