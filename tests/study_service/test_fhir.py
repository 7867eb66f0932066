"""Results over FHIR: read and searched through the gateway, by whom they may be seen, and each disclosure recorded."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from tests.support.fhir_api import CALLER, FHIR_JSON, FhirApi, fhir_api
from tests.support.fhir_validator import errors_of
from tests.support.finished_studies import finish_study

TYPES = ("DiagnosticReport", "Observation", "ImagingStudy", "Device", "Provenance")
UID_ROOT = "1.2.826.0.1.3680043.8.498.77"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FhirApi]:
    with fhir_api(tmp_path_factory.mktemp("fhir")) as running:
        yield running


@pytest.fixture(scope="module")
def study_id(api: FhirApi) -> str:
    return api.finished_study(patient="4711", accession="A-1042", study_uid=f"{UID_ROOT}.1")


@pytest.fixture(scope="module")
def other_id(api: FhirApi, study_id: str) -> str:
    assert study_id
    return api.finished_study(patient="4712", accession="A-2000", study_uid=f"{UID_ROOT}.2")


def outcome(api: FhirApi, path: str, **request: Any) -> tuple[int, str, str]:  # noqa: ANN401
    """Status, code and diagnostics."""
    answer = api.get(path, **request)
    assert answer.headers["content-type"] == FHIR_JSON, answer.text
    (issue,) = answer.json()["issue"]
    assert answer.json()["resourceType"] == "OperationOutcome"
    return answer.status_code, issue["code"], issue["diagnostics"]


def accesses(api: FhirApi) -> list[tuple[str, str, str | None, dict[str, Any]]]:
    """Event, study, origin and details of all entries, oldest first."""
    with sqlite3.connect(api.public.study_settings.database_url.partition("///")[2]) as connection:
        rows = connection.execute("SELECT event, study_id, origin, details FROM study_accesses ORDER BY number")
        return [(event, study, origin, json.loads(details)) for event, study, origin, details in rows]


def test_every_kind_of_answer_is_valid(api: FhirApi, study_id: str, tmp_path: Path) -> None:
    """One Bundle of all of them for the validator of npm; fhir.resources checks each."""
    answers = [api.found(kind) for kind in TYPES]
    answers += [api.found("metadata"), api.found("DiagnosticReport?_count=1&colour=blue")]
    answers += [api.get("Patient").json(), api.found("AuditEvent", api.public.administrator)]
    for answer in answers:
        get_fhir_model_class(answer["resourceType"]).model_validate(answer)
    entries = [{"resource": answer} for answer in answers]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    assert errors_of(json.dumps(bundle).encode(), tmp_path) == []
    assert {answer["resourceType"] for answer in answers} == {
        "Bundle", "CapabilityStatement", "OperationOutcome",
    }  # fmt: skip


def test_a_resource_is_what_the_file_has_and_links_to_its_parts(api: FhirApi, study_id: str) -> None:
    (report,) = api.resources(f"DiagnosticReport?_id={study_id}.1.report")
    assert report["id"] == f"{study_id}.1.report"
    path = f"/v1/studies/{study_id}/files/report.fhir.json"
    file = api.public.client.get(path, headers=api.ann.headers).json()
    (stated,) = [entry["resource"] for entry in file["entry"] if entry["resource"]["id"] == report["id"]]
    for name in ("identifier", "status", "code", "subject", "effectiveDateTime", "issued", "conclusion"):
        assert report[name] == stated[name], name
    for part in [*report["result"], *report["imagingStudy"]]:
        assert api.found(part["reference"])["resourceType"] == part["type"]
    (lesion,) = api.resources("Observation?identifier=L1")
    assert api.found(lesion["device"]["reference"])["version"][0]["value"] == "2.0.0"
    url = report["presentedForm"][0]["url"]
    assert url.startswith("http://127.0.0.1/v1/studies/")
    pdf = api.public.client.get(url, headers=api.ann.headers)
    assert (pdf.headers["content-type"], pdf.content[:5]) == ("application/pdf", b"%PDF-")
    assert "not" in report["conclusion"].lower()  # the research-use notice


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("identifier=urn:dicom:uid|urn:oid:{uid}", True),
        ("identifier=urn:oid:{uid}", True),
        ("identifier=A-1042", True),
        ("identifier=|A-1042", True),
        ("identifier=A-9999,A-1042", True),
        ("patient:identifier=4711", True),
        ("patient.identifier=|4711", True),
        ("subject:identifier=4711&identifier=A-1042", True),
        ("_lastUpdated=ge2020&_lastUpdated=lt2999-01-01", True),
        ("identifier=A-1042&identifier=A-2000", False),
        ("identifier=urn:dicom:uid|A-1042", False),
        ("identifier=a-1042", False),
        ("patient:identifier=4712", False),
        ("patient:identifier=A-1042", False),
        ("_lastUpdated=lt2020-01-01T00:00:00Z", False),
        ("_id={id}.1.study", True),
        ("_id={id}.2.study", False),
        ("_id={id}.1.report", False),
    ],
)
def test_a_study_is_found_by(api: FhirApi, study_id: str, other_id: str, query: str, found: bool) -> None:
    stated = query.format(uid=f"{UID_ROOT}.1", id=study_id).replace("|", "%7C")
    ids = [item["id"] for item in api.resources(f"ImagingStudy?{stated}")]
    assert (f"{study_id}.1.study" in ids) is found
    assert (f"{other_id}.1.study" in ids) is query.startswith(("_lastUpdated=ge", "patient:identifier=4712"))


def test_parts_are_found_by_their_study(api: FhirApi, study_id: str, other_id: str) -> None:
    study = f"ImagingStudy/{study_id}.1.study"
    assert [item["id"] for item in api.resources(f"DiagnosticReport?study={study}")] == [f"{study_id}.1.report"]
    observations = {item["id"] for item in api.resources(f"Observation?derived-from=http://127.0.0.1/fhir/{study}")}
    assert observations == {f"{study_id}.1.{name}" for name in ("presence", "liver", "lesion-L1")}
    target = f"Provenance?target=Observation/{study_id}.1.liver&entity={study}"
    assert [item["id"] for item in api.resources(target)] == [f"{study_id}.1.provenance"]
    assert api.resources(f"DiagnosticReport?study=ImagingStudy/{other_id}.7.study") == []


def test_a_long_answer_comes_in_pages(api: FhirApi, study_id: str, other_id: str) -> None:
    whole = [item["id"] for item in api.resources("Observation?_count=50")]
    assert len(whole) == len(set(whole)) >= 6
    assert {f"{study_id}.1.liver", f"{other_id}.1.liver"} <= set(whole)
    read, path = list[str](), "Observation?_count=2"
    while path:
        page = api.found(path)
        links = {link["relation"]: link["url"] for link in page["link"]}
        assert links["self"].startswith("http://127.0.0.1/fhir/Observation?_count=2")
        assert all(entry["fullUrl"].endswith(f"/fhir/Observation/{entry['resource']['id']}") for entry in page["entry"])
        assert len(page["entry"]) <= 2
        read += [entry["resource"]["id"] for entry in page["entry"]]
        path = links.get("next", "").partition("/fhir/")[2]
    assert read == whole


def test_a_search_may_be_posted(api: FhirApi, study_id: str) -> None:
    form = {"patient:identifier": "4711", "_count": "1"}
    answer = api.public.client.post("/fhir/DiagnosticReport/_search", data=form, headers=api.ann.headers)
    assert [entry["resource"]["id"] for entry in answer.json()["entry"]] == [f"{study_id}.1.report"]
    refused = api.public.client.post("/fhir/DiagnosticReport/_search", json=form, headers=api.ann.headers)
    assert (refused.status_code, refused.json()["issue"][0]["code"]) == (415, "not-supported")


def test_what_is_not_supported_is_ignored_and_named_or_refused(api: FhirApi, study_id: str) -> None:
    path = "DiagnosticReport?colour=blue&identifier=A-1042&_include=DiagnosticReport:result"
    bundle = api.found(path)
    modes = [entry["search"]["mode"] for entry in bundle["entry"]]
    assert modes == ["match", "outcome"]
    issues = bundle["entry"][1]["resource"]["issue"]
    assert [issue["diagnostics"].partition(":")[0] for issue in issues] == ["colour", "_include"]
    assert bundle["link"][0]["url"] == "http://127.0.0.1/fhir/DiagnosticReport?identifier=A-1042"
    strict = outcome(api, path, headers={"prefer": "handling=strict"})
    assert strict[:2] == (400, "invalid")
    assert strict[2].startswith("colour: there is no such search parameter")
    assert api.get(path, headers={"prefer": "handling=lenient"}).status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("DiagnosticReport?patient=Patient/1", 400, "invalid"),
        ("DiagnosticReport?identifier:exact=A", 400, "invalid"),
        ("DiagnosticReport?identifier=urn:dicom:uid%7C", 400, "invalid"),
        ("DiagnosticReport?_count=0", 400, "invalid"),
        ("DiagnosticReport?_count=1&_count=2", 400, "invalid"),
        ("DiagnosticReport?_lastUpdated=yesterday", 400, "invalid"),
        ("DiagnosticReport?_lastUpdated=2026-13-01", 400, "invalid"),
        ("DiagnosticReport?_after=1", 400, "invalid"),
        ("DiagnosticReport?study=Observation/1", 400, "invalid"),
        ("DiagnosticReport?_format=xml", 406, "not-supported"),
        ("Patient", 404, "not-found"),
        ("DiagnosticReport/nothing", 404, "not-found"),
        ("DiagnosticReport/1/_history", 404, "not-found"),
        ("", 404, "not-found"),
    ],
)
def test_errors_are_operation_outcomes(api: FhirApi, path: str, status: int, code: str) -> None:
    assert outcome(api, path)[:2] == (status, code)


@pytest.mark.parametrize(
    "query",
    [
        "identifier=%00", "identifier=" + "a," * 60, "&".join(["identifier=a"] * 40), "_count=" + "9" * 30,
        "_lastUpdated=ge0001-01-01T00:00:00%2B14:00", "_lastUpdated=9999", "_lastUpdated=lt9999-12-31T23:59:59-14:00",
        "_id=" + "0b0e7f0a-5d4e-4c8a-9a5e-0d7f6b3f7c11.99999999999.report", "_id=%FF", "identifier=%F0%9F%A6%A0|x",
        "_after=0b0e7f0a-5d4e-4c8a-9a5e-0d7f6b3f7c11.1.report", "study=/", "study=//ImagingStudy/", "=", "&&", "_count",
        "identifier=%5C%5C,", "patient:identifier='%20OR%201=1--", "identifier", "_count=%C2%B2",
    ],
)  # fmt: skip
def test_a_hostile_search_is_answered(api: FhirApi, query: str) -> None:
    for path, who in (("DiagnosticReport", api.ann), ("AuditEvent", api.public.administrator)):
        for named in (query, query.replace("_lastUpdated", "date").replace("identifier=", "agent:identifier=")):
            answer = api.get(f"{path}?{named}", who)
            assert answer.status_code in (200, 400), (path, named, answer.text)
            assert answer.headers["content-type"] == FHIR_JSON


def test_errors_of_the_gateway_are_operation_outcomes_too(api: FhirApi, study_id: str) -> None:
    client = api.public.client
    nobody = client.get("/fhir/DiagnosticReport")
    assert (nobody.status_code, nobody.json()["issue"][0]["code"]) == (401, "login")
    assert nobody.headers["www-authenticate"] == "Bearer"
    written = client.put(f"/fhir/DiagnosticReport/{study_id}.1.report", headers=api.ann.headers, json={})
    assert (written.status_code, written.json()["resourceType"]) == (405, "OperationOutcome")
    assert client.get("/v1/nothing").headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/fhir+json", 200),
        ("application/fhir+json; fhirVersion=4.0", 200),
        ("application/json;q=0.9, text/html", 200),
        ("*/*", 200),
        ("application/fhir+json; fhirVersion=5.0", 406),
        ("application/fhir+xml", 406),
    ],
)
def test_json_of_r4_is_what_there_is(api: FhirApi, accept: str, status: int) -> None:
    assert api.get("Device", headers={"accept": accept}).status_code == status
    assert api.get("Device?_format=json", headers={"accept": accept}).status_code == 200


def test_the_capability_statement_is_public_and_says_what_there_is(api: FhirApi) -> None:
    statement = api.public.client.get("/fhir/metadata").json()
    assert (statement["fhirVersion"], statement["implementation"]["url"]) == ("4.0.1", "http://127.0.0.1/fhir")
    (rest,) = statement["rest"]
    assert {item["type"] for item in rest["resource"]} == {*TYPES, "AuditEvent"}
    for resource in rest["resource"]:
        who = api.public.administrator if resource["type"] == "AuditEvent" else api.ann
        for parameter in resource["searchParam"]:
            name = parameter["name"] + (":identifier" if "documentation" in parameter else "")
            value = {"date": "2026-11-26", "reference": "x" if ":" not in name else "4711"}.get(parameter["type"], "x")
            answer = api.get(f"{resource['type']}?{name}={value}", who, headers={"prefer": "handling=strict"})
            assert answer.status_code == 200, (resource["type"], name, answer.text)


def test_others_see_nothing_and_administrators_everything(api: FhirApi, study_id: str) -> None:
    report = f"DiagnosticReport/{study_id}.1.report"
    assert api.get(report, api.ben).status_code == 404
    assert api.resources("DiagnosticReport", api.ben) == []
    assert api.resources("DiagnosticReport?identifier=A-1042", api.ben) == []
    assert api.found(report, api.public.administrator)["id"] == f"{study_id}.1.report"
    ids = {item["id"] for item in api.resources("DiagnosticReport?_count=50", api.public.administrator)}
    assert f"{study_id}.1.report" in ids


def test_a_new_version_is_found_and_the_old_one_stays_readable(api: FhirApi) -> None:
    study_id = api.finished_study(patient="4713", accession="A-3000", study_uid=f"{UID_ROOT}.3")
    first = api.found(f"DiagnosticReport/{study_id}.1.report")
    again = api.public.client.post(f"/v1/studies/{study_id}/analyses", headers=api.ann.headers)
    assert again.status_code == 202
    finish_study(api.public.study_settings, study_id)
    assert [item["id"] for item in api.resources("DiagnosticReport?identifier=A-3000")] == [f"{study_id}.2.report"]
    assert api.found(f"DiagnosticReport/{study_id}.1.report") == first
    both = f"DiagnosticReport?_id={study_id}.1.report,{study_id}.2.report"
    assert len(api.resources(both)) == 2
    assert api.public.client.delete(f"/v1/studies/{study_id}", headers=api.ann.headers).status_code == 204
    assert api.get(f"DiagnosticReport/{study_id}.2.report").status_code == 404
    assert api.resources("DiagnosticReport?identifier=A-3000") == []


def test_a_correction_makes_a_new_version_of_the_report(api: FhirApi) -> None:
    study_id = api.finished_study(patient="4714", accession="A-4000", study_uid=f"{UID_ROOT}.4")
    address = f"DiagnosticReport/{study_id}.1.report"
    before = api.get(address)
    path, client = f"/v1/studies/{study_id}/findings", api.public.client
    (item,) = client.get(path, headers=api.ann.headers).json()["items"]
    headers = api.ann.headers | {"if-match": item["etag"]}
    done = client.post(f"{path}/L1/corrections", json={"action": "reject"}, headers=headers)
    assert done.status_code == 200, done.text
    after = api.get(address)
    assert (before.headers["etag"], after.headers["etag"]) == ('W/"1"', 'W/"2"')
    assert "rejected" not in before.json()["conclusion"]
    assert "L1: rejected" in after.json()["conclusion"]
    updated = after.json()["meta"]["lastUpdated"]
    assert before.json()["issued"] <= after.json()["issued"] == updated
    file = client.get(f"/v1/studies/{study_id}/files/report.fhir.json", headers=api.ann.headers).json()
    assert file["entry"][0]["resource"]["conclusion"] == after.json()["conclusion"]
    query = f"identifier=A-4000&_lastUpdated=ge{updated}"
    assert [found["id"] for found in api.resources(f"DiagnosticReport?{query}")] == [f"{study_id}.1.report"]
    assert api.resources(f"DiagnosticReport?identifier=A-4000&_lastUpdated=lt{updated}") == []
    assert api.found(f"Observation/{study_id}.1.liver")["meta"]["versionId"] == "1"


def test_each_disclosure_is_recorded_without_what_was_searched_for(api: FhirApi, study_id: str) -> None:
    before = len(accesses(api))
    api.found(f"Observation/{study_id}.1.liver")
    api.found("DiagnosticReport?patient:identifier=4711")
    read, searched, disclosed = accesses(api)[before:]
    assert read == ("result_read", study_id, CALLER, {"version": 1, "resource": "Observation"})
    query = {"query": "DiagnosticReport?patient:identifier", "studies": [study_id]}
    assert searched == ("searched", "", CALLER, query)
    assert disclosed == ("result_read", study_id, CALLER, {"version": 1, "resource": "DiagnosticReport"})


def test_a_caller_cannot_forge_its_address_or_ours(api: FhirApi, study_id: str) -> None:
    forged = {"x-forwarded-for": "198.51.100.1", "x-forwarded-host": "evil.example", "x-forwarded-proto": "https"}
    bundle = api.found("Device?_count=1", headers=forged)
    assert bundle["link"][0]["url"].startswith("http://127.0.0.1/fhir/")
    assert accesses(api)[-1][2] == CALLER


def test_pages_end_after_many_studies_without_the_resource(
    api: FhirApi, study_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty page has a link to the next one."""
    monkeypatch.setattr("study_service.fhir.searching._EXAMINED_MAX", 1)
    pages, path = list[dict[str, Any]](), "ImagingStudy?_count=5"
    while path:
        pages.append(api.found(path))
        assert len(pages) < 20
        links = {link["relation"]: link["url"] for link in pages[-1]["link"]}
        path = links.get("next", "").partition("/fhir/")[2]
    ids = [entry["resource"]["id"] for page in pages for entry in page.get("entry", [])]
    assert len(ids) == len(set(ids))
    assert f"{study_id}.1.study" in ids
    assert len(pages) > len(ids)


def test_no_identifier_is_stored_in_clear(api: FhirApi, study_id: str) -> None:
    api.found("ImagingStudy?identifier=A-1042")
    folder = Path(api.public.study_settings.database_url.partition("///")[2]).parent
    for file in folder.glob("studies.sqlite3*"):
        assert b"A-1042" not in file.read_bytes()
        assert UID_ROOT.encode() not in file.read_bytes()
