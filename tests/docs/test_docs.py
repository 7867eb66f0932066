"""The documentation names nothing that does not exist."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.docs.references import (
    ROOT,
    SERVICES,
    dead_references,
    metric_names,
    read_page,
    setting_variables,
    tracked_files,
    tracked_folders,
)

# CHANGELOG.md is left out: it may name what a later version removed.
PAGES = sorted(
    name
    for name in tracked_files()
    if name.endswith(".md") and name != "CHANGELOG.md" and not name.startswith("LICENSE")
)


@pytest.mark.parametrize("name", PAGES)
def test_every_command_setting_path_and_link_of_a_page_exists(name: str) -> None:
    page = ROOT / name
    assert dead_references(page.read_text(encoding="utf-8"), page.parent) == []


@pytest.mark.parametrize(
    ("text", "dead"),
    [
        ("Run `make nothing`.", ["make nothing"]),
        ("    make lint nothing-either\n", ["make nothing-either"]),
        ("```console\nmake demo && make no-demo\n```", ["make no-demo"]),
        ("`python -m no_such_module`", ["python -m no_such_module"]),
        ("`python -m hepar.nothing`", ["python -m hepar.nothing"]),
        ("`python -m hepar`", ["python -m hepar"]),
        ("Set HEPAR_GATEWAY_NOTHING.", ["HEPAR_GATEWAY_NOTHING"]),
        ("| `HEPAR_<SERVICE>_QUORUM` | of two services only |", ["HEPAR_<SERVICE>_QUORUM"]),
        ("`HEPAR_NOTHING`", ["HEPAR_NOTHING"]),
        ("`python -m auth_service create-nothing`", ["auth_service create-nothing"]),
        ("    python -m training promote classify_unet 2 --nothing\n", ["training promote --nothing"]),
        ("`hepar.core.request_context.nothing`", ["hepar.core.request_context.nothing"]),
        ("`hepar.nothing`", ["hepar.nothing"]),
        ("`hepar_nothing_total`", ["hepar_nothing_total"]),
        ("Post to `/v1/nothing`.", ["/v1/nothing"]),
        ("http://127.0.0.1:8080/v1/users/me/nothing", ["/v1/users/me/nothing"]),
        ("See `gateway/store.py`.", ["gateway/store.py"]),
        ("See `store_of_nothing.py`.", ["store_of_nothing.py"]),
        ("    hepar/nothing/   a folder\n", ["hepar/nothing/"]),
        ("`triton_models/<name>/nothing.json`", ["triton_models/<name>/nothing.json"]),
        ("[a page](docs/nothing.md)", ["link docs/nothing.md"]),
        ("![a picture](docs/nothing.png)", ["link docs/nothing.png"]),
    ],
)
def test_a_dead_reference_is_found(text: str, dead: list[str]) -> None:
    assert dead_references(text, ROOT) == dead


@pytest.mark.parametrize(
    "text",
    [
        "Run `make demo IMAGE=path`, then `make lint test`. They make sense.",
        "`python -m gateway`, `python3 -m venv .venv`",
        "`python -m auth_service verify-audit [--anchor NUMBER:HASH]`, `python -m auth_service`",
        "`python -m training COMMAND --help`",
        "    python -m training --repository var/candidates export classify_unet   # with a comment\n",
        "`HEPAR_GATEWAY_PORT`, `HEPAR_<SERVICE>_LOG_LEVEL`, `HEPAR_TLS_NAMES`",
        "`hepar.core.request_context.stage`, `hepar.contracts`, `https://hepar.example.org`",
        "`hepar_requests_total`, `hepar_request_seconds`, `hepar_auth_database_url`",
        "`GET /v1/users/{id}/sign-ins`, /v1/openapi.json, OTLP over HTTP (`.../v1/traces`)",
        "`hepar/ensemble/voting.py`, `triton_models/<name>/card.json`, `var/anything`, `application/problem+json`",
        "[a page](docs/models.md#models), [elsewhere](https://example.org), [below](#here)",
    ],
)
def test_what_exists_is_accepted(text: str) -> None:
    assert dead_references(text, ROOT) == []


def test_links_are_relative_to_their_page() -> None:
    assert dead_references("[models](models.md)", ROOT / "docs") == []
    assert dead_references("[models](models.md)", Path(ROOT)) == ["link models.md"]


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs/operations/README.md").read_text(encoding="utf-8")
    documented = {
        variable
        for line in text.splitlines()
        for service in SERVICES
        for variable in re.findall(r"HEPAR_[A-Z0-9_]+", line.replace("<SERVICE>", service))
    }
    read_by_a_process = {name for prefix, names in setting_variables().items() if prefix != "HEPAR_" for name in names}
    assert read_by_a_process - documented == set()


def test_every_metric_is_documented() -> None:
    text = (ROOT / "docs/operations/observability.md").read_text(encoding="utf-8")
    assert metric_names() - set(re.findall(r"hepar_\w+", text)) == set()


def test_every_decision_is_in_the_list() -> None:
    records = sorted(path.name for path in (ROOT / "docs/decisions").glob("0*.md"))
    listed = read_page((ROOT / "docs/decisions/README.md").read_text(encoding="utf-8")).links
    assert list(listed) == records


@pytest.mark.parametrize("path", sorted((ROOT / "docs/decisions").glob("0*.md")), ids=lambda path: path.stem)
def test_a_decision_has_its_title_in_the_list(path: Path) -> None:
    title = path.read_text(encoding="utf-8").splitlines()[0].removeprefix(f"# {path.name[:4]}: ")
    assert f"| {title} |" in (ROOT / "docs/decisions/README.md").read_text(encoding="utf-8")


def test_the_architecture_page_lists_the_packages_in_the_order_of_the_layers() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    listed = [name.rstrip("/") for name in re.findall(r"^\| `([\w/]+)` \|", text, re.MULTILINE)]
    assert [name for name in listed if name not in tracked_folders()] == []
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    in_order = [package.strip().replace(".", "/") for layer in layers for package in re.split(r"[|:]", layer)]
    assert [name for name in listed if name in in_order] == in_order
