"""Adds to the site: the pages in the repository's root, and a list of all operations that search can find."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT_PAGES = ("CHANGELOG.md", "CONTRIBUTING.md")
OPERATIONS_MARK = "<!-- operations -->"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that live in the repository's root; their links into docs/ become links within the site."""
    root = Path(config.docs_dir).parent
    for name in ROOT_PAGES:
        text = (root / name).read_text(encoding="utf-8")
        files.append(File.generated(config, name, content=text.replace("](docs/", "](")))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Puts the list of operations into a page that has a place for it."""
    if OPERATIONS_MARK not in markdown:
        return markdown
    document = json.loads((Path(config.docs_dir) / "openapi.json").read_text(encoding="utf-8"))
    return markdown.replace(OPERATIONS_MARK, "\n".join(operation_lines(document)))


def operation_lines(document: dict[str, Any]) -> Iterator[str]:
    """A table of method, path and summary under a heading for each tag."""
    operations = [
        (operation["tags"][0], method.upper(), path, operation["summary"])
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    for tag in document["tags"]:
        yield from (
            f"### {tag['name'].capitalize()}",
            "",
            tag["description"],
            "",
            "| operation | what it does |",
            "|---|---|",
        )
        yield from (
            f"| `{method} {path}` | {summary} |" for name, method, path, summary in operations if name == tag["name"]
        )
        yield ""
