"""The order of the worklist by need of attention, in pages, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.finished_studies import fail_study, finish_study, small_study
from tests.support.study_api import StudyApi, ct_files, study_api
from tests.support.tokens import TokenAuthority

_CHANGES: dict[str, dict[str, Any]] = {
    "free": {"label": "no_tumour", "lesions": [], "tumour": False},
    "undecided": {"outcome": "type_undecided", "label": None},
    "tumour": {},
    "free, with a lesion": {"label": "no_tumour", "tumour": False},
    "tumour, without a lesion": {"lesions": []},
}
"""Of the finished studies' results."""


@pytest.fixture
def api(authority: TokenAuthority, tmp_path_factory: pytest.TempPathFactory, database_url: str) -> Iterator[StudyApi]:
    with study_api(tmp_path_factory.mktemp("attention"), authority, database_url=database_url) as running:
        yield running


def test_what_somebody_should_look_at_comes_first(api: StudyApi) -> None:
    made: dict[str, str] = {}
    for name in (*_CHANGES, "failed", "queued"):
        study_id = api.send(ct_files())["id"]
        made[study_id] = name
        if name == "failed":
            fail_study(api.settings, study_id)
        elif name in _CHANGES:
            finish_study(api.settings, study_id, **small_study() | _CHANGES[name])
    listed: list[str] = []
    query = {"order": "attention", "limit": "2"}
    while "after" not in query or query["after"]:
        page = api.call("GET", "/v1/studies", params=query).json()
        listed += [made[item["id"]] for item in page["items"]]
        query["after"] = page["next"]
    assert listed == [
        "failed", "tumour, without a lesion", "free, with a lesion", "undecided", "tumour", "queued", "free",
    ]  # fmt: skip


def test_an_unknown_cursor_is_refused(api: StudyApi) -> None:
    query = {"order": "attention", "after": "0b0e7f0a-5d4e-4c8a-9a5e-0d7f6b3f7c11"}
    answer = api.call("GET", "/v1/studies", params=query)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "unknown_cursor")
