"""The documentation site: complete, without dead links, and without anything from another host."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.support.docs_site import ROOT, build_site

LOADING_RELATIONS = {"stylesheet", "icon", "preload", "preconnect", "modulepreload", "dns-prefetch", "manifest"}
CSS_LOAD = re.compile(r"""(?:url\(\s*|@import\s+)["']?((?:https?:)?//[^"')\s]+)""")


class _Loads(HTMLParser):
    """Collects what a page loads by itself, unlike the links that a reader may follow."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        relations = set(values.get("rel", "").split())
        if tag == "link" and relations & LOADING_RELATIONS:
            self.found.append(values.get("href", ""))
        self.found += [values[name] for name in ("src", "srcset", "data", "poster") if name in values and tag != "a"]
        self.found += CSS_LOAD.findall(values.get("style", ""))


def external_loads(page: str) -> list[str]:
    loads = _Loads()
    loads.feed(page)
    return [address for address in loads.found if re.match(r"(?:https?:)?//", address)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / "site"
    built = build_site(folder)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def test_no_page_loads_anything_from_another_host(site: Path) -> None:
    pages = {
        str(page.relative_to(site)): external_loads(page.read_text(encoding="utf-8")) for page in site.rglob("*.html")
    }
    styles = {
        str(style.relative_to(site)): CSS_LOAD.findall(style.read_text(encoding="utf-8"))
        for style in site.rglob("*.css")
    }
    assert "index.html" in pages
    assert {name: loads for name, loads in (pages | styles).items() if loads} == {}


@pytest.mark.parametrize(
    "page",
    [
        '<script src="https://cdn.example.org/a.js"></script>',
        '<link rel="stylesheet" href="//fonts.example.org/a.css">',
        '<img src="http://example.org/a.png">',
        '<p style="background: url(https://example.org/a.png)"></p>',
    ],
)
def test_a_load_from_another_host_is_found(page: str) -> None:
    assert len(external_loads(page)) == 1
    assert external_loads('<a href="https://example.org">a link</a><img src="data:,">') == []


def test_search_finds_operations_terms_cards_and_decisions(site: Path) -> None:
    index = json.loads((site / "search/search_index.json").read_text(encoding="utf-8"))
    locations = {page["location"].partition("#")[0] for page in index["docs"]}
    assert {"reference.html", "glossary.html", "problems.html", "CHANGELOG.html", "CONTRIBUTING.html"} <= locations
    assert any(location.startswith("model-cards/") for location in locations)
    assert any(location.startswith("decisions/") for location in locations)
    reference = " ".join(page["text"] for page in index["docs"] if page["location"].startswith("reference.html"))
    document = json.loads((ROOT / "docs/openapi.json").read_text(encoding="utf-8"))
    assert [path for path in document["paths"] if path not in reference] == []


def test_dead_links_anchors_and_pictures_stop_the_build(tmp_path: Path) -> None:
    for name in ("docs", "mkdocs.yml", "CHANGELOG.md", "CONTRIBUTING.md", "examples"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    with (tmp_path / "docs/accounts.md").open("a", encoding="utf-8") as page:
        page.write("\n\n[a page](no-page.md) [a part](models.md#no-part) ![a picture](no-picture.png)\n")
    built = build_site(tmp_path / "site", tmp_path / "mkdocs.yml")
    assert built.returncode != 0
    complaints = built.stdout + built.stderr
    assert [name for name in ("no-page.md", "#no-part", "no-picture.png") if name not in complaints] == []
