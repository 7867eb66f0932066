"""For each published parameter and problem of studies and webhooks, requests that show it."""

from __future__ import annotations

import hashlib
import io
import json
import sqlite3
import zipfile
from collections.abc import Callable
from typing import Any

import httpx2
from pydicom.uid import generate_uid

from tests.support.finished_studies import fail_study, finish_study
from tests.support.public_api import PublicApi, filled
from tests.support.study_api import ZIP, ct_files, zipped

Call = Callable[[PublicApi], object]
Effect = tuple[Call, Call]
Request = Callable[[PublicApi], httpx2.Response]
STUDIES, STUDY = "/v1/studies", "/v1/studies/{study_id}"
HOOK = {"url": "https://hooks.example.org/hepar"}
_EXPORT = f"{STUDY}/deidentified.zip"
_FINISHED: dict[str, str] = {}


def send_bytes(api: PublicApi, content: bytes) -> httpx2.Response:
    return api.call("POST", STUDIES, content=content, headers=api.administrator.headers | ZIP)


def send(api: PublicApi, **params: str) -> httpx2.Response:
    """A study that was not sent before."""
    headers = api.administrator.headers | ZIP
    return api.call("POST", STUDIES, params=params, content=zipped(ct_files()), headers=headers)


def new(api: PublicApi) -> str:
    identity: str = send(api).json()["id"]
    return identity


def finished(api: PublicApi) -> str:
    """One for all tests of a system."""
    folder = str(api.study_settings.spool_folder)
    if folder not in _FINISHED:
        study_id = new(api)
        finish_study(api.study_settings, study_id)
        _FINISHED[folder] = study_id
    return _FINISHED[folder]


def with_images(api: PublicApi) -> str:
    """A finished study of DICOM images, one for all tests of a system."""
    folder = f"{api.study_settings.spool_folder} with images"
    if folder not in _FINISHED:
        study_uid = generate_uid()
        content = zipped(ct_files(study_uid=study_uid))
        study_id = send_bytes(api, content).json()["id"]
        finish_study(api.study_settings, study_id, [f"{study_uid[:50]}.{number}" for number in range(1, 7)])
        _FINISHED[folder] = study_id
    return _FINISHED[folder]


def exported(**params: str) -> Call:
    """Status of an export, and what its document says was done."""

    def answer(api: PublicApi) -> object:
        found = api.call("GET", place(_EXPORT, with_images(api)), params=params)
        if found.status_code != 200:
            return found.status_code
        with zipfile.ZipFile(io.BytesIO(found.content)) as archive:
            return json.loads(archive.read("export.json"))

    return answer


def place(path: str, study_id: str) -> str:
    return filled(path.replace("{study_id}", study_id))


def sent(name: str, value: str) -> Effect:
    """What the answer says of a parameter of the upload."""

    def call(params: dict[str, str]) -> Call:
        def answer(api: PublicApi) -> object:
            found = send(api, **params)
            return found.status_code, found.json().get(name)

        return answer

    return call({}), call({name: value})


def listed(name: str, value: str | None = None) -> Effect:
    """value: None for `next` of the first page of one item."""

    def call(with_it: bool) -> Call:
        def answer(api: PublicApi) -> object:
            query = {"limit": "1"} if name == "after" else {} if name == "limit" else {"limit": "100"}
            if with_it:
                query[name] = value or api.call("GET", STUDIES, params={"limit": "1"}).json()["next"]
            page = api.call("GET", STUDIES, params=query)
            assert page.status_code == 200, page.text
            return [item["id"] for item in page.json()["items"]]

        return answer

    return call(False), call(True)


def of_study(method: str, path: str, study: Callable[[PublicApi], str] = new) -> Effect:
    """Of an id that nothing has, and of a study."""
    return (
        lambda api: api.call(method, filled(path)).status_code,
        lambda api: api.call(method, place(path, study(api))).status_code,
    )


def read(path: str, without: dict[str, str], with_it: dict[str, str]) -> Effect:
    """Status and content of what is read of a finished study. Parameters: of the query, or `index` or headers."""

    def call(chosen: dict[str, str]) -> Call:
        def answer(api: PublicApi) -> object:
            params = {name: value for name, value in chosen.items() if name not in ("index", "If-None-Match")}
            where = place(path.replace("{index}", chosen.get("index", "0")), finished(api))
            headers = dict(api.administrator.headers)
            if "If-None-Match" in chosen:
                headers["if-none-match"] = api.call("GET", where).headers["etag"]
            found = api.call("GET", where, params=params, headers=headers)
            content = found.content if found.status_code == 200 else b""
            return found.status_code, hashlib.sha256(content).hexdigest()

        return answer

    return call(without), call(with_it)


def resumed(with_it: bool) -> Call:
    def answer(api: PublicApi) -> object:
        path = place(f"{STUDY}/events", finished(api))
        whole = api.call("GET", path).text
        last = whole.partition("id: ")[2].partition("\n")[0]
        headers = api.administrator.headers | ({"last-event-id": last} if with_it else {})
        return api.call("GET", path, headers=headers).text.count("event: ")

    return answer


def chosen_series(with_it: bool) -> Call:
    """What the worker will read of the study."""

    def answer(api: PublicApi) -> object:
        study_id = new(api)
        params = {"series": "series-2"} if with_it else {}
        assert api.call("POST", place(f"{STUDY}/analyses", study_id), params=params).status_code == 202
        with sqlite3.connect(api.study_settings.database_url.partition("///")[2]) as connection:
            return connection.execute("SELECT series_choice FROM studies WHERE id = ?", (study_id,)).fetchone()

    return answer


def webhook(api: PublicApi) -> str:
    made = api.call("POST", "/v1/webhooks", json=HOOK)
    assert made.status_code == 201, made.text
    identity: str = made.json()["id"]
    return identity


def called_for(api: PublicApi) -> object:
    identity = webhook(api)
    status = send(api, webhook=identity).status_code
    with sqlite3.connect(api.study_settings.database_url.partition("///")[2]) as connection:
        (count,) = connection.execute(
            "SELECT count(*) FROM study_webhooks WHERE webhook_id = ?", (identity,)
        ).fetchone()
    api.call("DELETE", f"/v1/webhooks/{identity}")
    return status, count


def called_for_none(api: PublicApi) -> object:
    return send(api).status_code, 0


_SLICE = f"{STUDY}/slices/{{index}}.png"
PICTURES = {
    "get_study_slice": _SLICE,
    "get_study_slice_values": f"{STUDY}/slices/{{index}}.hu",
    "get_study_mask": f"{STUDY}/masks/{{index}}.png",
}
READS = PICTURES | {"get_study_result": f"{STUDY}/result", "get_study_masks": f"{STUDY}/masks.nii.gz"}
READS |= {"get_study_slices_values": f"{STUDY}/slices.hu", "get_study_model_answers": f"{STUDY}/model-answers"}
READS |= {"get_study_file": f"{STUDY}/files/lesions.csv"}
_FILE = f"{STUDY}/files/{{name}}"


def attention_first(order: str) -> Call:
    """Where a failed study stands after a newer one."""

    def answer(api: PublicApi) -> object:
        failed = new(api)
        fail_study(api.study_settings, failed)
        newer = new(api)
        page = api.call("GET", STUDIES, params={"order": order, "limit": "100"}).json()
        ids = [item["id"] for item in page["items"]]
        return ids.index(failed) < ids.index(newer)

    return answer


STUDY_EFFECTS: dict[tuple[str, str], Effect] = {
    ("list_studies", "order"): (attention_first("newest"), attention_first("attention")),
    ("create_study", "name"): sent("name", "Follow-up 3"),
    ("create_study", "priority"): sent("priority", "urgent"),
    ("create_study", "series"): sent("series", "series-9"),
    ("create_study", "webhook"): (called_for_none, called_for),
    ("list_studies", "accession"): listed("accession", "another"),
    ("list_studies", "date_from"): listed("date_from", "2030-01-01"),
    ("list_studies", "date_to"): listed("date_to", "1990-01-01"),
    ("list_studies", "status"): listed("status", "cancelled"),
    ("list_studies", "label"): listed("label", "another"),
    ("list_studies", "search"): listed("search", "another"),
    ("list_studies", "limit"): listed("limit", "1"),
    ("list_studies", "after"): listed("after"),
    ("get_study", "study_id"): of_study("GET", STUDY),
    ("delete_study", "study_id"): of_study("DELETE", STUDY),
    ("cancel_study", "study_id"): of_study("POST", f"{STUDY}/cancel"),
    ("analyse_study_again", "study_id"): of_study("POST", f"{STUDY}/analyses"),
    ("analyse_study_again", "series"): (chosen_series(False), chosen_series(True)),
    ("follow_study", "study_id"): of_study("GET", f"{STUDY}/events", finished),
    ("follow_study", "Last-Event-ID"): (resumed(False), resumed(True)),
    **{(name, "study_id"): of_study("GET", path, finished) for name, path in READS.items()},
    **{(name, "version"): read(path, {}, {"version": "2"}) for name, path in READS.items()},
    **{(name, "index"): read(path, {}, {"index": "2"}) for name, path in PICTURES.items()},
    **{
        (name, "If-None-Match"): read(path, {}, {"If-None-Match": "its own"})
        for name, path in READS.items()
        if name != "get_study_result"
    },
    ("get_study_file", "name"): (
        read(_FILE.replace("{name}", "lesions.csv"), {}, {})[0],
        read(_FILE.replace("{name}", "result.json"), {}, {})[0],
    ),
    ("get_study_file", "language"): read(_FILE.replace("{name}", "report.pdf"), {}, {"language": "de"}),
    ("export_deidentified_study", "study_id"): of_study("GET", _EXPORT, with_images),
    ("export_deidentified_study", "version"): (exported(), exported(version="2")),
    ("export_deidentified_study", "dates"): (exported(), exported(dates="shifted")),
    ("export_deidentified_study", "characteristics"): (exported(), exported(characteristics="retained")),
    ("get_study_slices_values", "first"): read(READS["get_study_slices_values"], {}, {"first": "2"}),
    ("get_study_slices_values", "count"): read(READS["get_study_slices_values"], {}, {"count": "2"}),
    ("get_study_file", "key_slices"): read(_FILE.replace("{name}", "report.png"), {}, {"key_slices": "4"}),
    ("get_study_slice", "center"): read(
        PICTURES["get_study_slice"], {"width": "400"}, {"width": "400", "center": "40"}
    ),
    ("get_study_slice", "width"): read(PICTURES["get_study_slice"], {"center": "40"}, {"width": "400", "center": "40"}),
    ("get_study_slice", "low"): read(PICTURES["get_study_slice"], {"high": "90"}, {"low": "0", "high": "90"}),
    ("get_study_slice", "high"): read(PICTURES["get_study_slice"], {"low": "0"}, {"low": "0", "high": "90"}),
    ("delete_webhook", "webhook_id"): (
        lambda api: api.call("DELETE", filled("/v1/webhooks/{webhook_id}")).status_code,
        lambda api: api.call("DELETE", f"/v1/webhooks/{webhook(api)}").status_code,
    ),
}


def nothing(method: str, path: str) -> Request:
    return lambda api: api.call(method, filled(path))


def unfinished(path: str) -> Request:
    return lambda api: api.call("GET", place(path, new(api)))


def beyond_the_last(path: str) -> Request:
    return lambda api: api.call("GET", place(path.replace("{index}", "99"), finished(api)))


def many_webhooks(api: PublicApi) -> httpx2.Response:
    person = api.person()
    answers = [api.call("POST", "/v1/webhooks", json=HOOK, headers=person.headers) for _ in range(21)]
    return answers[-1]


def cancelled_twice(api: PublicApi) -> httpx2.Response:
    path = place(f"{STUDY}/cancel", new(api))
    assert api.call("POST", path).status_code == 200
    return api.call("POST", path)


def wrong_length(api: PublicApi) -> httpx2.Response:
    headers: dict[str, Any] = api.administrator.headers | ZIP | {"content-length": "many"}
    return api.call("POST", STUDIES, content=b"PK", headers=headers)


STUDY_PROBLEMS: dict[tuple[str, str], Request] = {
    ("create_study", "bad-content-length"): wrong_length,
    ("create_study", "unreadable-study"): lambda api: send_bytes(api, b"no study"),
    ("create_study", "unsafe-archive"): lambda api: send_bytes(api, zipped(ct_files())[:-40]),
    ("create_study", "no-such-webhook"): lambda api: send(api, webhook="0" * 32),
    ("get_study", "no-such-study"): nothing("GET", STUDY),
    ("delete_study", "no-such-study"): nothing("DELETE", STUDY),
    ("cancel_study", "no-such-study"): nothing("POST", f"{STUDY}/cancel"),
    ("cancel_study", "study-ended"): cancelled_twice,
    ("analyse_study_again", "no-such-study"): nothing("POST", f"{STUDY}/analyses"),
    ("follow_study", "no-such-study"): nothing("GET", f"{STUDY}/events"),
    **{(name, "no-such-study"): nothing("GET", path) for name, path in READS.items()},
    **{(name, "study-not-finished"): unfinished(path) for name, path in READS.items()},
    **{(name, "no-such-slice"): beyond_the_last(path) for name, path in PICTURES.items()},
    ("get_study_slices_values", "no-such-slice"): lambda api: api.call(
        "GET", place(READS["get_study_slices_values"], finished(api)), params={"first": "99"}
    ),
    ("get_study_file", "http-404"): lambda api: api.call(
        "GET", place(_FILE.replace("{name}", "segmentation.dcm"), finished(api))
    ),
    ("export_deidentified_study", "no-such-study"): nothing("GET", _EXPORT),
    ("export_deidentified_study", "study-not-finished"): unfinished(_EXPORT),
    ("export_deidentified_study", "not-deidentifiable"): lambda api: api.call("GET", place(_EXPORT, finished(api))),
    ("get_study_file", "no-such-slice"): lambda api: api.call(
        "GET", place(_FILE.replace("{name}", "report.pdf"), finished(api)), params={"key_slices": "99"}
    ),
    ("register_webhook", "too-many-webhooks"): many_webhooks,
    ("delete_webhook", "no-such-webhook"): nothing("DELETE", "/v1/webhooks/{webhook_id}"),
}
