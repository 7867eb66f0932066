"""The documentation site in a browser: it shows the API and answers a search, and asks no other host for anything."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, expect

from tests.support.docs_site import build_site


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Writes nothing."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("docs") / "site"
    built = build_site(folder)
    assert built.returncode == 0, built.stdout + built.stderr
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_it_shows_the_api_and_answers_a_search_without_another_host(address: str, browser: Browser) -> None:
    page = browser.new_page()
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    try:
        page.goto(f"{address}/index.html")
        search = page.get_by_placeholder("Search")
        search.click()
        search.press_sequentially("typicality")
        expect(page.locator(".md-search-result__item").first).to_be_visible()
        page.goto(f"{address}/reference.html")
        page.locator("iframe").scroll_into_view_if_needed()
        operations = page.frame_locator("iframe").locator(".opblock-summary-path")
        expect(operations.filter(has_text="/v1/analyses").first).to_be_visible()
        page.goto(f"{address}/evaluation/report.html")
        expect(page.locator("img").first).to_be_visible()
    finally:
        page.close()
    assert {host for host in hosts if host} == {urlsplit(address).netloc}
