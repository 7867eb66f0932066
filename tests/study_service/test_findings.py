"""Findings that readers correct, over HTTP: measurements, history, conflicts, versions, documents, export."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

from hepar.contracts.study_results import StudyResult
from study_service.findings.store import CORRECTIONS_MAX
from tests.support.finished_studies import GEOMETRY, fill_corrections, finish_study, lesions
from tests.support.study_api import StudyApi, ct_files, study_api
from tests.support.tokens import TokenAuthority

Json = dict[str, Any]
SQUARE = [[8.0, 10.0], [18.0, 10.0], [18.0, 20.0], [8.0, 20.0]]
VOXEL_ML = np.prod(GEOMETRY.spacing_mm) / 1000


@pytest.fixture(scope="module")
def api(authority: TokenAuthority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudyApi]:
    with study_api(tmp_path_factory.mktemp("findings"), authority) as running:
        yield running


@pytest.fixture
def path(api: StudyApi) -> str:
    """Of a new study with two lesions, L1 with a mask and L2 without."""
    study_id = api.send(ct_files())["id"]
    finish(api, study_id)
    return f"/v1/studies/{study_id}"


def finish(api: StudyApi, study_id: str) -> None:
    finish_study(api.settings, study_id, lesions=lesions(), liver_ml=10.0)


def as_reader(api: StudyApi, subject: str = "ann", scope: str = "analyses studies account") -> dict[str, str]:
    """With a session, as people have one."""
    return {"authorization": f"Bearer {api.authority.issuer.issue(subject, scope, session='s1', group='liver')}"}


def listed(api: StudyApi, path: str, **params: str) -> Json:
    answer = api.client.get(f"{path}/findings", headers=as_reader(api), params=params)
    assert answer.status_code == 200, answer.text
    assert answer.headers["etag"] == answer.json()["etag"]
    document: Json = answer.json()
    return document


def finding(api: StudyApi, path: str, finding_id: str = "L1") -> Json:
    found: Json = next(item for item in listed(api, path)["items"] if item["id"] == finding_id)
    return found


def post(api: StudyApi, path: str, etag: str, body: Json, **who: str) -> httpx2.Response:
    return api.client.post(path, json=body, headers=as_reader(api, **who) | {"if-match": etag})


def correct(api: StudyApi, path: str, finding_id: str = "L1", **body: object) -> Json:
    """As somebody who has just read it."""
    etag = finding(api, path, finding_id)["etag"]
    answer = post(api, f"{path}/findings/{finding_id}/corrections", etag, body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["etag"] == answer.json()["etag"] != etag
    document: Json = answer.json()
    return document


def add(api: StudyApi, path: str, **body: object) -> Json:
    answer = post(api, f"{path}/findings", listed(api, path)["etag"], body)
    assert answer.status_code == 201, answer.text
    document: Json = answer.json()
    return document


def test_each_finding_has_the_models_answer_and_no_judgement_at_first(api: StudyApi, path: str) -> None:
    found = listed(api, path)
    states = [(item["id"], item["source"], item["status"], item["changed"], item["history"]) for item in found["items"]]
    assert states == [("L1", "models", "unreviewed", [], []), ("L2", "models", "unreviewed", [], [])]
    assert found["items"][0]["model"] == lesions()[0].model_dump(mode="json")
    assert (found["summary"]["lesions"], found["summary"]["tumour_ml"]) == (2, 0.36)


def test_a_correction_is_kept_with_author_role_and_time_and_can_be_undone(api: StudyApi, path: str) -> None:
    assert correct(api, path, action="reject", comment="a vessel")["status"] == "rejected"
    assert listed(api, path)["summary"] | {"last_at": None} == {
        "corrections": 1, "unreviewed": 1, "accepted": 0, "rejected": 1, "added": 0, "lesions": 1, "tumour_ml": None,
        "tumour_percent": None, "last_at": None, "last_role": "clinician",
    }  # fmt: skip
    retyped = correct(api, path, action="retype", label="haemangioma")
    assert (retyped["status"], retyped["label"], retyped["changed"]) == ("accepted", "haemangioma", ["label"])
    assert retyped["model"]["label"] == "metastasis"
    assert correct(api, path, action="undo")["status"] == "rejected"
    assert correct(api, path, action="undo")["status"] == "unreviewed"
    history = finding(api, path)["history"]
    assert [(item["action"], item["undone"]) for item in history] == [
        ("reject", True), ("retype", True), ("undo", False), ("undo", False),
    ]  # fmt: skip
    assert {(item["author"], item["author_role"]) for item in history} == {("ann", "clinician")}
    etag = finding(api, path)["etag"]
    refused = post(api, f"{path}/findings/L1/corrections", etag, {"action": "undo"})
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/correction-not-possible")


@pytest.mark.parametrize(
    ("scope", "role"),
    [
        ("studies models", "researcher"),
        ("studies models clients", "integrator"),
        ("studies all-studies models clients", "administrator"),
    ],
)
def test_the_role_is_what_the_token_states(api: StudyApi, path: str, scope: str, role: str) -> None:
    etag = finding(api, path)["etag"]
    answer = post(api, f"{path}/findings/L1/corrections", etag, {"action": "accept"}, scope=scope)
    assert answer.json()["history"][0]["author_role"] == role


def test_a_hospital_system_corrects_as_a_system(api: StudyApi, path: str) -> None:
    headers = api.headers() | {"if-match": finding(api, path)["etag"]}
    answer = api.client.post(f"{path}/findings/L1/corrections", json={"action": "accept"}, headers=headers)
    assert answer.json()["history"][0]["author_role"] == "system"


def test_an_outline_replaces_the_mask_of_its_slice_and_everything_is_measured_again(api: StudyApi, path: str) -> None:
    """The mask has 6 rows of 4, 5, 6 and 7 pixels in slices 1 to 4, each slice half a pixel less as an outline."""
    outlined = correct(api, path, action="outline", outlines=[{"slice": 4, "polygon": SQUARE}])
    measured = outlined["measurement"]
    assert (measured["measured_on"], measured["first_slice"], measured["last_slice"]) == ("outline", 1, 4)
    assert measured["volume_ml"] == pytest.approx((24 + 30 + 36 - 1.5 + 100) * VOXEL_ML, abs=0.001)
    assert measured["long_axis"]["length_mm"] == pytest.approx((8.0**2 + 7.0**2) ** 0.5, abs=0.06)
    assert outlined["model"]["volume_ml"] == 0.36
    summary = listed(api, path)["summary"]
    assert summary["tumour_ml"] == measured["volume_ml"]
    assert summary["tumour_percent"] == pytest.approx(measured["volume_ml"] * 10, abs=0.001)
    shorter = correct(api, path, action="outline", outlines=[{"slice": 1, "polygon": []}, {"slice": 2, "polygon": []}])
    assert shorter["measurement"]["first_slice"] == 3
    assert [item["slice"] for item in shorter["outlines"]] == [1, 2, 4]
    assert correct(api, path, action="undo")["measurement"] == measured


def test_a_finding_without_a_mask_gets_a_volume_by_its_outlines(api: StudyApi, path: str) -> None:
    one = correct(api, path, "L2", action="outline", outlines=[{"slice": 2, "polygon": SQUARE}])
    assert (one["measurement"]["volume_ml"], one["measurement"]["measurable"]) == (None, True)
    two = correct(api, path, "L2", action="outline", outlines=[{"slice": 3, "polygon": SQUARE}])
    assert two["measurement"]["volume_ml"] == pytest.approx(200 * VOXEL_ML, abs=0.001)


def test_a_missed_lesion_is_added_and_can_be_taken_back(api: StudyApi, path: str) -> None:
    outlines = [{"slice": 0, "polygon": SQUARE}, {"slice": 1, "polygon": SQUARE}]
    added = add(api, path, label="cyst", outlines=outlines, comment="seen on MR")
    assert (added["id"], added["source"], added["status"], added["model"]) == ("R1", "reader", "accepted", None)
    assert added["measurement"]["volume_ml"] == pytest.approx(200 * VOXEL_ML, abs=0.001)
    assert add(api, path, outlines=outlines)["id"] == "R2"
    assert correct(api, path, "R1", action="undo")["status"] == "withdrawn"
    etag = finding(api, path, "R1")["etag"]
    refused = post(api, f"{path}/findings/R1/corrections", etag, {"action": "accept"})
    assert refused.json()["type"] == "/problems/correction-not-possible"
    assert listed(api, path)["summary"]["added"] == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"action": "outline", "outlines": [{"slice": 6, "polygon": SQUARE}]}, "no_such_slice"),
        ({"action": "outline", "outlines": [{"slice": 2, "polygon": SQUARE}] * 2}, "slice_twice"),
        ({"action": "outline", "outlines": [{"slice": 2, "polygon": [[1, 1], [40, 30], [40, 1], [1, 30]]}]}, None),
        ({"action": "outline", "outlines": [{"slice": 2, "polygon": [[1, 1], [49, 1], [1, 9]]}]}, "invalid_outline"),
        ({"action": "outline", "outlines": [{"slice": index, "polygon": []} for index in range(1, 5)]}, "nothing_left"),
        ({"action": "outline"}, None),
        ({"action": "accept", "label": "cyst"}, None),
        ({"action": "retype", "label": "no_tumour"}, None),
        ({"action": "comment"}, None),
    ],
)
def test_what_cannot_be_meant_is_refused(api: StudyApi, path: str, body: Json, code: str | None) -> None:
    answer = post(api, f"{path}/findings/L1/corrections", finding(api, path)["etag"], body)
    assert answer.status_code == 422, answer.text
    assert code is None or answer.json()["errors"][0]["code"] == code
    assert finding(api, path)["history"] == []


def test_two_readers_do_not_overwrite_each_other(api: StudyApi, path: str) -> None:
    before, whole = finding(api, path), listed(api, path)["etag"]
    corrections = f"{path}/findings/L1/corrections"
    assert post(api, corrections, before["etag"], {"action": "accept"}).status_code == 200
    late = post(api, corrections, before["etag"], {"action": "reject"})
    assert (late.status_code, late.json()["type"]) == (412, "/problems/finding-changed")
    new = {"outlines": [{"slice": 0, "polygon": SQUARE}]}
    assert post(api, f"{path}/findings", whole, new).status_code == 412
    other = post(api, f"{path}/findings/L2/corrections", finding(api, path, "L2")["etag"], {"action": "accept"})
    assert other.status_code == 200
    assert [item["action"] for item in finding(api, path)["history"]] == ["accept"]
    without = api.client.post(corrections, json={"action": "accept"}, headers=as_reader(api))
    assert without.status_code == 422


def test_corrections_stay_with_their_version(api: StudyApi, path: str) -> None:
    before = correct(api, path, action="retype", label="cyst")
    assert api.call("POST", f"{path}/analyses").status_code == 202
    assert listed(api, path)["version"] == 1
    finish(api, path.rpartition("/")[2])
    found = listed(api, path)
    assert (found["version"], found["items"][0]["status"], found["summary"]["corrections"]) == (2, "unreviewed", 0)
    assert [(item["version"], item["id"], item["label"]) for item in found["earlier"]] == [(1, "L1", "cyst")]
    late = post(api, f"{path}/findings/L1/corrections", before["etag"], {"action": "accept"})
    assert late.status_code == 412
    assert listed(api, path, version="1")["items"][0]["label"] == "cyst"


def test_strangers_see_and_change_nothing(api: StudyApi, path: str) -> None:
    headers = {"authorization": f"Bearer {api.authority.issuer.issue('eve', 'studies')}", "if-match": '"1.L1.0"'}
    for answer in (
        api.client.get(f"{path}/findings", headers=headers),
        api.client.post(f"{path}/findings/L1/corrections", json={"action": "accept"}, headers=headers),
    ):
        assert answer.json()["type"] == "/problems/no-such-study"
    etag = finding(api, path)["etag"]
    missing = post(api, f"{path}/findings/L9/corrections", etag, {"action": "accept"})
    assert missing.json()["type"] == "/problems/no-such-finding"


def test_documents_state_corrections_beside_the_models_answer(api: StudyApi, path: str) -> None:
    assert StudyResult.model_validate(api.call("GET", f"{path}/result").json()).reading is None
    before = api.call("GET", f"{path}/files/lesions.csv")
    correct(api, path, "L2", action="reject")
    correct(api, path, action="retype", label="cyst", comment="water")
    add(api, path, outlines=[{"slice": 0, "polygon": SQUARE}])
    result = StudyResult.model_validate(api.call("GET", f"{path}/result").json())
    assert result.reading is not None
    assert result.lesions == lesions()
    assert [(item.id, item.status, item.label, item.comments) for item in result.reading.findings] == [
        ("L1", "accepted", "cyst", ["water"]),
        ("L2", "rejected", "cholangiocarcinoma", []),
        ("R1", "accepted", None, []),
    ]
    assert json.loads(api.call("GET", f"{path}/files/result.json").content) == result.model_dump(mode="json")
    after = api.call("GET", f"{path}/files/lesions.csv", headers={"if-none-match": before.headers["etag"]})
    assert after.status_code == 200
    rows = {row["lesion"]: row for row in csv.DictReader(io.StringIO(after.text, newline=""))}
    assert (rows["L1"]["label"], rows["L1"]["reader_label"], rows["L1"]["reader_role"]) == (
        "metastasis", "cyst", "clinician",
    )  # fmt: skip
    assert (rows["L2"]["reader_status"], rows["R1"]["source"], rows["R1"]["probability"]) == ("rejected", "reader", "")


def test_the_export_says_which_models_said_what_and_leaves_comments_out(api: StudyApi, path: str) -> None:
    study_id = path.rpartition("/")[2]
    correct(api, path, action="retype", label="cyst", comment="Marie Curie")
    correct(api, path, action="undo")
    added = add(api, path, outlines=[{"slice": 0, "polygon": SQUARE}])

    def exported(subject: str, scope: str, **params: str) -> list[Json]:
        answer = api.client.get("/v1/corrections", headers=as_reader(api, subject, scope), params=params)
        assert answer.headers["content-type"] == "application/jsonl"
        assert "Marie" not in answer.text
        lines = [json.loads(line) for line in answer.text.splitlines()]
        return [line for line in lines if line["study_id"] == study_id]

    records = exported("ann", "studies")
    assert [(item["finding_id"], item["action"], item["undone"]) for item in records] == [
        ("L1", "retype", True), ("L1", "undo", False), ("R1", "add", False),
    ]  # fmt: skip
    assert records[0]["model_answer"] == lesions()[0].model_dump(mode="json")
    assert records[0]["models"] == [{"model": "segment_resunet", "version": "1"}]
    assert (records[2]["model_answer"], records[2]["measurement"]) == (None, added["measurement"])
    assert exported("root", "studies all-studies") == records
    assert len(exported("ann", "studies", since=added["history"][0]["at"])) == 1
    assert exported("eve", "studies") == []
    for since in ("2026-11-26T10:00:00", "12", "tomorrow"):
        refused = api.client.get("/v1/corrections", headers=as_reader(api), params={"since": since})
        assert refused.status_code == 422, since
    assert exported("ann", "studies", since="0001-01-01T00:00:00+23:59") == records
    assert exported("ann", "studies", since="9999-12-31T23:59:59-23:59") == []


def test_readers_and_corrections_are_recorded_without_what_was_said(api: StudyApi, path: str) -> None:
    correct(api, path, action="retype", label="cyst", comment="Marie Curie")
    with sqlite3.connect(api.settings.database_url.partition("///")[2]) as connection:
        wanted = "SELECT event, actor, details FROM study_accesses WHERE study_id = ? ORDER BY number DESC LIMIT 2"
        corrected, read = connection.execute(wanted, (path.rpartition("/")[2],))
        (stored,) = connection.execute("SELECT document FROM study_corrections ORDER BY at DESC LIMIT 1").fetchone()
    assert (read[0], corrected[:2]) == ("findings_read", ("corrected", "ann"))
    assert json.loads(corrected[2]) == {"version": 1, "finding": "L1", "action": "retype", "number": 1}
    assert b"Marie" not in stored
    assert b"cyst" not in stored


def test_a_long_export_has_each_correction_once(api: StudyApi, path: str) -> None:
    """Several batches, and all corrections of one moment."""
    study_id = path.rpartition("/")[2]
    fill_corrections(api.settings, study_id)
    answer = api.client.get("/v1/corrections", headers=as_reader(api))
    lines = [json.loads(line) for line in answer.text.splitlines()]
    numbers = [line["number"] for line in lines if line["study_id"] == study_id]
    assert numbers == list(range(1, CORRECTIONS_MAX + 1))


def test_an_export_without_a_database_is_refused_before_it_begins(authority: TokenAuthority, tmp_path: Path) -> None:
    nowhere = {"database_url": "postgresql+asyncpg://nobody@127.0.0.1:9/studies", "migrate_at_start": False}
    with study_api(tmp_path, authority, **nowhere) as without:
        answer = without.client.get("/v1/corrections", headers=as_reader(without))
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable")
