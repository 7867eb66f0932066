"""The order of the worklist by need of attention, in pages, on both databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.finished_studies import fail_study, finish_study, small_study
from tests.support.study_api import StudyApi, ct_files, study_api
from tests.support.tokens import TokenAuthority

_UNDECIDED = {"outcome": "type_undecided", "label": None}
_FREE = {"label": "no_tumour", "lesions": [], "tumour": False}
_FREE_WITH_LESION = {"label": "no_tumour", "tumour": False}
_TUMOUR_WITHOUT_LESION = {"lesions": []}


@pytest.fixture
def api(authority: TokenAuthority, tmp_path_factory: pytest.TempPathFactory, database_url: str) -> Iterator[StudyApi]:
    with study_api(tmp_path_factory.mktemp("attention"), authority, database_url=database_url) as running:
        yield running


def test_what_somebody_should_look_at_comes_first(api: StudyApi) -> None:
    made: dict[str, str] = {}
    for name, changes in {
        "free": _FREE,
        "undecided": _UNDECIDED,
        "tumour": {},
        "free, with a lesion": _FREE_WITH_LESION,
        "tumour, without a lesion": _TUMOUR_WITHOUT_LESION,
        "failed": None,
        "queued": None,
    }.items():
        study_id = api.send(ct_files())["id"]
        made[study_id] = name
        if name == "failed":
            fail_study(api.settings, study_id)
        elif changes is not None:
            finish_study(api.settings, study_id, **small_study() | changes)
    listed, after = [], None
    while True:
        cursor = {} if after is None else {"after": after}
        page = api.call("GET", "/v1/studies", params={"order": "attention", "limit": "2"} | cursor).json()
        listed += [made[item["id"]] for item in page["items"]]
        if (after := page["next"]) is None:
            break
    assert listed == [
        "failed", "tumour, without a lesion", "free, with a lesion", "undecided", "tumour", "queued", "free",
    ]  # fmt: skip


def test_an_unknown_cursor_is_refused(api: StudyApi) -> None:
    query = {"order": "attention", "after": "0b0e7f0a-5d4e-4c8a-9a5e-0d7f6b3f7c11"}
    answer = api.call("GET", "/v1/studies", params=query)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "unknown_cursor")
