"""The documentation names nothing that does not exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.references import ROOT, dead_references, tracked_files

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
        "`HEPAR_GATEWAY_PORT`, `HEPAR_<SERVICE>_LOG_LEVEL`, `HEPAR_TLS_NAMES`",
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
