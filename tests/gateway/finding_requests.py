"""For each published parameter and problem of findings, requests that show it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import httpx2

from tests.gateway.study_requests import STUDY, Call, Effect, Request, new, place
from tests.support.finished_studies import fill_corrections, finish_study, lesions
from tests.support.public_api import PublicApi, filled

Body = Mapping[str, object]
_LIST = f"{STUDY}/findings"
_CORRECTIONS = f"{_LIST}/{{finding_id}}/corrections"
_ACCEPT = {"action": "accept"}
_ADD = {"outlines": [{"slice": 2, "polygon": [[8, 10], [18, 10], [18, 20]]}]}
_LATER = "2099-01-01T00:00:00Z"
_OTHER_ETAG = '"7.7"'


_CORRECTED: dict[str, str] = {}


def with_lesions(api: PublicApi) -> str:
    """A study with findings, one for all tests of a system."""
    folder = str(api.study_settings.spool_folder)
    if folder not in _CORRECTED:
        _CORRECTED[folder] = analysed(api)
    return _CORRECTED[folder]


def analysed(api: PublicApi) -> str:
    study_id = new(api)
    finish_study(api.study_settings, study_id, lesions=lesions())
    return study_id


def read(api: PublicApi, study_id: str) -> dict[str, str]:
    """The ETags of the list and of its findings."""
    found = api.call("GET", place(_LIST, study_id)).json()
    return {"list": found["etag"]} | {item["id"]: item["etag"] for item in found["items"]}


def add(api: PublicApi, study_id: str, etag: str | None = None, **params: str) -> httpx2.Response:
    headers = api.administrator.headers | {"if-match": etag or read(api, study_id)["list"]}
    return api.call("POST", place(_LIST, study_id), json=_ADD, headers=headers, params=params)


def correct(
    api: PublicApi,
    study_id: str,
    action: str = "accept",
    finding_id: str = "L1",
    etag: str | None = None,
    **params: str,
) -> httpx2.Response:
    headers = api.administrator.headers | {"if-match": etag or read(api, study_id).get(finding_id, _OTHER_ETAG)}
    path = place(_CORRECTIONS.replace("{finding_id}", finding_id), study_id)
    return api.call("POST", path, json={"action": action}, headers=headers, params=params)


def statuses(without: Callable[[PublicApi, str], object], with_it: Callable[[PublicApi, str], object]) -> Effect:
    """What two requests about a study with lesions are answered with."""

    def call(request: Callable[[PublicApi, str], object]) -> Call:
        return lambda api: request(api, with_lesions(api))

    return call(without), call(with_it)


def exported(**params: str) -> Call:
    def answer(api: PublicApi) -> object:
        assert correct(api, with_lesions(api)).status_code == 200
        found = api.call("GET", "/v1/corrections", params=params)
        assert found.status_code == 200, found.text
        lines = [json.loads(line) for line in found.text.splitlines()]
        return {line["study_id"] == with_lesions(api) for line in lines}

    return answer


def of_nothing(method: str, path: str, body: Body | None = None) -> Request:
    return lambda api: sent(api, method, filled(path), body)


def unfinished(method: str, path: str, body: Body | None = None) -> Request:
    return lambda api: sent(api, method, place(path, new(api)), body)


def sent(api: PublicApi, method: str, path: str, body: Body | None) -> httpx2.Response:
    headers = api.administrator.headers | ({"if-match": _OTHER_ETAG} if body else {})
    return api.call(method, path, headers=headers, **({"json": body} if body else {}))


def withdrawn(api: PublicApi) -> httpx2.Response:
    study_id = with_lesions(api)
    added: str = add(api, study_id).json()["id"]
    assert correct(api, study_id, "undo", added).status_code == 200
    return correct(api, study_id, "accept", added)


def full(api: PublicApi) -> httpx2.Response:
    """A version with as many corrections as it may have."""
    study_id = analysed(api)
    fill_corrections(api.study_settings, study_id)
    return add(api, study_id)


FINDING_EFFECTS: dict[tuple[str, str], Effect] = {
    ("list_findings", "study_id"): (
        lambda api: api.call("GET", filled(_LIST)).status_code,
        lambda api: api.call("GET", place(_LIST, with_lesions(api))).status_code,
    ),
    ("list_findings", "version"): statuses(
        lambda api, study_id: api.call("GET", place(_LIST, study_id)).status_code,
        lambda api, study_id: api.call("GET", place(_LIST, study_id), params={"version": "9"}).status_code,
    ),
    ("add_finding", "study_id"): (
        lambda api: of_nothing("POST", _LIST, _ADD)(api).status_code,
        lambda api: add(api, with_lesions(api)).status_code,
    ),
    ("add_finding", "version"): statuses(
        lambda api, study_id: add(api, study_id).status_code,
        lambda api, study_id: add(api, study_id, version="9").status_code,
    ),
    ("add_finding", "If-Match"): statuses(
        lambda api, study_id: add(api, study_id, _OTHER_ETAG).status_code,
        lambda api, study_id: add(api, study_id).status_code,
    ),
    ("correct_finding", "study_id"): (
        lambda api: of_nothing("POST", _CORRECTIONS, _ACCEPT)(api).status_code,
        lambda api: correct(api, with_lesions(api)).status_code,
    ),
    ("correct_finding", "finding_id"): statuses(
        lambda api, study_id: correct(api, study_id, finding_id="L9").status_code,
        lambda api, study_id: correct(api, study_id).status_code,
    ),
    ("correct_finding", "version"): statuses(
        lambda api, study_id: correct(api, study_id).status_code,
        lambda api, study_id: correct(api, study_id, version="9").status_code,
    ),
    ("correct_finding", "If-Match"): statuses(
        lambda api, study_id: correct(api, study_id, etag=_OTHER_ETAG).status_code,
        lambda api, study_id: correct(api, study_id).status_code,
    ),
    ("export_corrections", "since"): (exported(), exported(since=_LATER)),
    ("export_corrections", "deidentified"): (exported(), exported(deidentified="true")),
}
FINDING_PROBLEMS: dict[tuple[str, str], Request] = {
    ("list_findings", "no-such-study"): of_nothing("GET", _LIST),
    ("list_findings", "study-not-finished"): unfinished("GET", _LIST),
    ("add_finding", "no-such-study"): of_nothing("POST", _LIST, _ADD),
    ("add_finding", "study-not-finished"): unfinished("POST", _LIST, _ADD),
    ("add_finding", "finding-changed"): lambda api: add(api, with_lesions(api), _OTHER_ETAG),
    ("add_finding", "correction-not-possible"): full,
    ("correct_finding", "no-such-study"): of_nothing("POST", _CORRECTIONS, _ACCEPT),
    ("correct_finding", "study-not-finished"): unfinished("POST", _CORRECTIONS, _ACCEPT),
    ("correct_finding", "no-such-finding"): lambda api: correct(api, with_lesions(api), finding_id="L9"),
    ("correct_finding", "finding-changed"): lambda api: correct(api, with_lesions(api), etag=_OTHER_ETAG),
    ("correct_finding", "correction-not-possible"): withdrawn,
}
