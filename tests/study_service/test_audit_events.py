"""The access log and sign-ins as AuditEvents: their codes, who may read them, and by what they are found."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any, get_args

import pytest

from study_service.documents import AccessEvent
from study_service.fhir.audit_events import PSEUDONYM_SYSTEM
from study_service.fhir.audit_kinds import STUDY_KINDS
from tests.support.auth_client import PASSWORD
from tests.support.fhir_api import CALLER, FhirApi, fhir_api

PROFILES = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
DCM = "http://dicom.nema.org/resources/ontology/DCM"
Event = dict[str, Any]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FhirApi]:
    with fhir_api(tmp_path_factory.mktemp("audit")) as running:
        yield running


@pytest.fixture(scope="module")
def study_id(api: FhirApi) -> str:
    """Sent, analysed, read in several ways, and deleted."""
    made = api.finished_study(patient="4711")
    client, headers = api.public.client, api.ann.headers
    client.get(f"/v1/studies/{made}/result", headers=headers)
    client.get(f"/v1/studies/{made}/files/lesions.csv", headers=headers)
    client.get("/v1/studies", headers=headers)
    client.post(f"/v1/studies/{made}/analyses", headers=headers)
    client.delete(f"/v1/studies/{made}", headers=headers)
    return made


def events(api: FhirApi, query: str = "") -> list[Event]:
    return api.resources(f"AuditEvent?{query}", api.public.administrator)


def of_study(study_id: str) -> str:
    return f"entity:identifier=urn:ietf:rfc:3986%7Curn:uuid:{study_id}"


def test_every_access_has_a_code() -> None:
    assert set(get_args(AccessEvent)) <= STUDY_KINDS.keys()


@pytest.mark.parametrize(
    ("event", "subtype", "action", "profile"),
    [
        ("created", "create", "C", "PatientCreate"),
        ("result_read", "read", "R", "PatientRead"),
        ("downloaded", "disclose", "R", "PrivacyDisclosure.Source"),
        ("reanalysed", "update", "U", "PatientUpdate"),
        ("deleted", "delete", "D", "PatientDelete"),
    ],
)
def test_an_access_follows_the_profile(
    api: FhirApi, study_id: str, event: str, subtype: str, action: str, profile: str
) -> None:
    found = next(item for item in events(api, of_study(study_id)) if item["outcomeDesc"] == event)
    assert (found["subtype"][0]["code"], found["action"], found["outcome"]) == (subtype, action, "0")
    assert found["meta"]["profile"] == [PROFILES + profile]
    client, server, user = found["agent"]
    assert (client["network"], client["requestor"]) == ({"address": CALLER, "type": "2"}, False)
    assert server["network"] == {"address": "http://127.0.0.1", "type": "5"}
    assert (user["who"]["identifier"]["value"], user["requestor"]) == (api.ann.id, True)
    patient, data = found["entity"]
    assert patient["what"]["identifier"]["system"] == PSEUDONYM_SYSTEM
    assert data["what"]["identifier"]["value"] == f"urn:uuid:{study_id}"


def test_client_and_server_have_the_roles_of_the_profiles(api: FhirApi, study_id: str) -> None:
    """BALP: data flow from the source to the destination; a query flows as a creation does."""
    roles = {}
    for item in events(api, "_count=50&type=rest"):
        roles[item["subtype"][0]["code"]] = [agent["type"]["coding"][0]["code"] for agent in item["agent"]]
    assert roles["read"] == ["110152", "110153", "IRCP"]
    assert roles["create"] == roles["update"] == ["110153", "110152", "AUT"]
    assert roles["search-type"] == ["110153", "110152", "IRCP"]
    assert roles["delete"] == ["110150", "custodian", "AUT"]


def test_a_list_is_a_query_without_its_values(api: FhirApi, study_id: str) -> None:
    listed = next(item for item in events(api, "subtype=search-type") if item["outcomeDesc"] == "listed")
    assert listed["meta"]["profile"] == [f"{PROFILES}Query"]
    query, *studies = listed["entity"]
    assert base64.b64decode(query["query"]) == b"/v1/studies"
    assert f"urn:uuid:{study_id}" in [item["what"]["identifier"]["value"] for item in studies]


def test_the_patient_of_a_deleted_study_is_still_known(api: FhirApi, study_id: str) -> None:
    patient = events(api, of_study(study_id))[0]["entity"][0]["what"]["identifier"]["value"]
    assert patient.startswith("P-")
    by_pseudonym = {item["id"] for item in events(api, f"patient:identifier={patient}&_count=50")}
    assert {item["id"] for item in events(api, f"{of_study(study_id)}&_count=50")} <= by_pseudonym
    assert events(api, "patient:identifier=4711") == []
    api.finished_study(patient="4711")
    by_hospital = {item["id"] for item in events(api, "patient:identifier=4711&_count=50")}
    assert by_pseudonym < by_hospital
    assert events(api, "patient:identifier=4712") == []


def test_sign_ins_are_among_the_events(api: FhirApi, study_id: str) -> None:
    api.public.token(username=api.ben.email, password="a wrong one")
    found = events(api, f"agent:identifier={api.ben.id}&type={DCM}%7C110114")
    assert [(item["outcome"], item["outcomeDesc"]) for item in found] == [
        ("4", "sign_in_refused: wrong password"),
        ("0", "signed_in"),
    ]
    for item in found:
        assert (item["action"], item["subtype"][0]["code"]) == ("E", "110122")
        assert item["agent"][0]["network"] == {"address": CALLER, "type": "2"}
        assert api.found(f"AuditEvent/{item['id']}", api.public.administrator) == item
    assert all(item["id"].startswith("study-") for item in events(api, "type=rest"))
    assert events(api, f"subtype=110122&{of_study(study_id)}") == []


def test_pages_are_one_list_by_time(api: FhirApi, study_id: str) -> None:
    read, path = list[Event](), "AuditEvent?_count=3&date=lt2999&date=ge2020-01-01"
    while path:
        page = api.found(path, api.public.administrator)
        read += [entry["resource"] for entry in page["entry"]]
        links = {link["relation"]: link["url"] for link in page["link"]}
        path = links.get("next", "").partition("/fhir/")[2]
    times = [item["recorded"] for item in read]
    assert times == sorted(times, reverse=True)
    assert len({item["id"] for item in read}) == len(read)
    kinds = {item["id"].partition("-")[0] for item in read}
    assert kinds == {"study", "account"}
    assert {item["id"] for item in events(api, "_count=50&type=110114")} <= {item["id"] for item in read}
    assert events(api, "date=lt2020") == []


def test_only_administrators_may_read_them_and_that_is_recorded(api: FhirApi, study_id: str) -> None:
    for path in ("AuditEvent", "AuditEvent/study-1"):
        refused = api.get(path)
        assert (refused.status_code, refused.json()["issue"][0]["code"]) == (403, "forbidden")
    for unknown in ("study-999999", "account-99999999999999", "study-0", "x"):
        assert api.get(f"AuditEvent/{unknown}", api.public.administrator).status_code == 404
    newest = events(api, f"agent:identifier={api.public.administrator.id}&subtype=read")[0]
    assert newest["outcomeDesc"] == "accesses_read"
    assert [item["id"] for item in events(api, f"_id={newest['id']},study-999999")] == [newest["id"]]


def test_a_token_that_was_revoked_reads_none(api: FhirApi) -> None:
    """The other services accept it until it expires; auth_service, which has the sign-ins, does not."""
    form = {"username": api.public.administrator.email, "password": PASSWORD}
    token = api.public.token(**form).json()["access_token"]
    headers = {"authorization": f"Bearer {token}"}
    assert api.public.client.get("/fhir/AuditEvent", headers=headers).status_code == 200
    api.public.client.post("/v1/token/revoke", data={"token": token})
    refused = api.public.client.get("/fhir/AuditEvent", headers=headers)
    assert (refused.status_code, refused.json()["issue"][0]["code"]) == (401, "login")
