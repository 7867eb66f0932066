"""Sending results to a FHIR server over real HTTP."""

from __future__ import annotations

import asyncio
import copy
import json
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response

from hepar.core.networks import parsed_networks
from study_service.destinations.configuration import FhirDestination
from study_service.destinations.fhir_transactions import ENTRIES_MAX, parts_of, transaction_of
from study_service.destinations.registry import configured_destinations
from study_service.destinations.sender import Sender, SendFailed
from study_service.outputs.fhir import fhir_bundle
from study_service.webhooks.targets import TargetRules
from tests.support.derived_study import StudyOptions, derived_study, with_lesions
from tests.support.fhir_server import FhirServer, fhir_server
from tests.support.fhir_validator import errors_of
from tests.support.finished_studies import finish_study
from tests.support.study_api import ct_files, study_api
from tests.support.tokens import TokenAuthority

RULES = TargetRules(frozenset(), parsed_networks(["127.0.0.0/8"]), https_only=False)


@pytest.fixture(scope="module")
def outputs() -> dict[str, bytes]:
    return {"report.fhir.json": fhir_bundle(derived_study()), "report.pdf": b"%PDF-"}


@pytest.fixture
def server() -> Iterator[FhirServer]:
    with fhir_server() as running:
        yield running


def run(
    server: FhirServer, work: Callable[[Sender], Awaitable[None]], token: str | None = None, url: str | None = None,
    rules: TargetRules = RULES,
) -> None:  # fmt: skip
    """With the sender that the registry makes of a configured destination."""
    configured = {"kind": "fhir", "name": "ehr", "url": url or server.url, "token": token}
    destination = FhirDestination.model_validate(configured)
    asyncio.run(_awaited(work(configured_destinations([destination], rules).find("ehr").sender)))


async def _awaited(work: Awaitable[None]) -> None:
    await work


def test_sending_twice_leaves_one_copy(server: FhirServer, outputs: dict[str, bytes], tmp_path: Path) -> None:
    run(server, lambda sender: sender.send(outputs))
    first = copy.deepcopy(server.stored)
    assert {kind: len(items) for kind, items in first.items()} == {
        "DiagnosticReport": 1, "Observation": 4, "ImagingStudy": 1, "Device": 1, "Provenance": 1,
    }  # fmt: skip
    (report,) = first["DiagnosticReport"].values()
    assert {item["reference"] for item in report["result"]} == {f"Observation/{key}" for key in first["Observation"]}
    assert report["imagingStudy"][0]["reference"] == f"ImagingStudy/{next(iter(first['ImagingStudy']))}"
    assert "research" in report["conclusion"].lower()
    run(server, lambda sender: sender.send(outputs))
    assert server.stored == first
    assert errors_of(server.bodies[0], tmp_path) == []


def test_a_study_that_the_archive_announced_is_not_changed(server: FhirServer, outputs: dict[str, bytes]) -> None:
    uid = {"system": "urn:dicom:uid", "value": "urn:oid:1.2.826.0.1.3680043.8.498.100"}
    known = {"resourceType": "ImagingStudy", "id": "7", "identifier": [uid], "status": "available"}
    server.stored = {"ImagingStudy": {"7": known}}
    run(server, lambda sender: sender.send(outputs))
    assert server.stored["ImagingStudy"] == {"7": known}
    (report,) = server.stored["DiagnosticReport"].values()
    assert report["imagingStudy"][0]["reference"] == "ImagingStudy/7"


def test_another_version_is_another_report_of_the_same_device(server: FhirServer) -> None:
    for version in (1, 2):
        context = derived_study()
        result = context.result.model_copy(update={"version": version})
        object.__setattr__(context, "result", result)
        content = fhir_bundle(context)
        run(server, lambda sender, sent=content: sender.send({"report.fhir.json": sent}))  # type: ignore[misc]
    assert {kind: len(items) for kind, items in server.stored.items()} == {
        "DiagnosticReport": 2, "Observation": 8, "ImagingStudy": 1, "Device": 1, "Provenance": 2,
    }  # fmt: skip


def test_a_study_without_files_is_sent_without_an_imaging_study(tmp_path: Path) -> None:
    (part,) = parts_of(json.loads(fhir_bundle(derived_study(StudyOptions(with_files=False)))))
    transaction = transaction_of(part, {})
    assert "ImagingStudy" not in {entry["resource"]["resourceType"] for entry in transaction["entry"]}
    assert errors_of(json.dumps(transaction).encode(), tmp_path) == []


def test_a_long_report_is_sent_in_parts_that_refer_to_what_is_stored(server: FhirServer, tmp_path: Path) -> None:
    outputs = {"report.fhir.json": fhir_bundle(with_lesions(derived_study(), 12))}
    run(server, lambda sender: sender.send(outputs))
    first = copy.deepcopy(server.stored)
    parts = [json.loads(body) for body in server.bodies]
    assert [len(part["entry"]) for part in parts] == [ENTRIES_MAX, ENTRIES_MAX, 2]
    assert all(errors_of(body, tmp_path) == [] for body in server.bodies)
    (report,) = first["DiagnosticReport"].values()
    assert {item["reference"] for item in report["result"]} == {f"Observation/{key}" for key in first["Observation"]}
    (provenance,) = first["Provenance"].values()
    assert len(provenance["target"]) == 1 + 14
    assert "urn:uuid:" not in json.dumps([item for found in first.values() for item in found.values()]).replace(
        '"value": "urn:uuid:', ""
    )
    run(server, lambda sender: sender.send(outputs))
    assert server.stored == first


def test_a_server_that_does_not_find_what_it_stored_is_tried_again(server: FhirServer) -> None:
    outputs = {"report.fhir.json": fhir_bundle(with_lesions(derived_study(), 3))}
    stored = {"type": "transaction-response", "entry": [{"response": {"status": "201"}}] * ENTRIES_MAX}
    server.answers = [Response(json.dumps(stored))]
    with pytest.raises(SendFailed, match=r"^the server finds 0 resources where it stored one$") as failure:
        run(server, lambda sender: sender.send(outputs))
    assert not failure.value.permanent


def test_the_token_is_sent_and_tested(server: FhirServer, outputs: dict[str, bytes]) -> None:
    server.token = "right"
    run(server, lambda sender: sender.test(), "right")
    run(server, lambda sender: sender.send(outputs), "right")
    assert len(server.stored["DiagnosticReport"]) == 1
    for work in (lambda sender: sender.test(), lambda sender: sender.send(outputs)):
        with pytest.raises(SendFailed, match=r"^the server answers 401 \(login\)$") as failure:
            run(server, work, "wrong")
        assert not failure.value.permanent


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ({"fhirVersion": "3.0.2"}, "no CapabilityStatement of FHIR R4"),
        ({"resourceType": "Bundle"}, "no CapabilityStatement of FHIR R4"),
        ({"rest": [{"mode": "server", "interaction": [{"code": "batch"}]}]}, "takes no transactions"),
    ],
)
def test_a_server_that_cannot_take_results_fails_the_test(
    server: FhirServer, statement: dict[str, Any], message: str
) -> None:
    server.statement = statement
    with pytest.raises(SendFailed, match=message):
        run(server, lambda sender: sender.test())


OUTCOME = {
    "resourceType": "OperationOutcome",
    "issue": [{"code": "invalid", "diagnostics": "Curie^Marie"}, {"code": 1}],
}
ENTRY = {"response": {"status": "404 Not Found"}}


@pytest.mark.parametrize(
    ("status", "content", "message", "permanent"),
    [
        (422, json.dumps(OUTCOME), r"^the server answers 422 \(invalid\)$", True),
        (412, "", "^the server answers 412$", True),
        (503, "<html>", "^the server answers 503$", False),
        (429, "[]", "^the server answers 429$", False),
        (307, "", "^the server answers 307$", True),
        (200, "{}", "not that of a transaction", False),
        (200, "no JSON", "not that of a transaction", False),
        (200, json.dumps({"type": "transaction-response", "entry": [ENTRY] * 8}), "not store everything: 404$", False),
    ],
)
def test_what_the_server_does_not_take_is_said_without_patient_data(
    server: FhirServer, outputs: dict[str, bytes], status: int, content: str, message: str, permanent: bool
) -> None:
    server.answers = [Response(content, status, {"location": server.url})]
    with pytest.raises(SendFailed, match=message) as failure:
        run(server, lambda sender: sender.send(outputs))
    assert failure.value.permanent is permanent
    assert "Curie" not in failure.value.reason


def test_nothing_is_sent_where_the_operator_allows_nothing(server: FhirServer, outputs: dict[str, bytes]) -> None:
    for rules in (replace(RULES, networks=[]), replace(RULES, https_only=True)):
        with pytest.raises(SendFailed, match="the address is not allowed") as failure:
            run(server, lambda sender: sender.send(outputs), rules=rules)
        assert failure.value.permanent
    with pytest.raises(SendFailed, match=r"report\.fhir\.json is not among the files"):
        run(server, lambda sender: sender.send({}))
    assert server.bodies == []


def test_a_server_that_is_away_is_tried_again(server: FhirServer, outputs: dict[str, bytes]) -> None:
    with pytest.raises(SendFailed, match="does not answer") as failure:
        run(server, lambda sender: sender.send(outputs), url="http://127.0.0.1:9/fhir")
    assert not failure.value.permanent


def test_a_finished_study_is_sent_by_request_and_recorded(
    server: FhirServer, authority: TokenAuthority, tmp_path: Path
) -> None:
    server.token = "right"
    destination = {"kind": "fhir", "name": "ehr", "url": server.url, "token": "right"}
    allowed = {"destinations": [destination], "webhook_networks": ["127.0.0.0/8"]}
    with study_api(tmp_path, authority, **allowed) as api:
        tested = api.client.post("/v1/destinations/ehr/test", headers=api.headers(scope="studies all-studies"))
        assert tested.json()["reachable"] is True, tested.text
        study_id = api.send(ct_files())["id"]
        finish_study(api.settings, study_id, [f"1.2.3.{number}" for number in range(1, 7)])
        sent = api.call("POST", f"/v1/studies/{study_id}/sends", json={"destination": "ehr"})
        assert sent.status_code == 202, sent.text
        ends_at = time.monotonic() + 60
        while (found := api.call("GET", f"/v1/studies/{study_id}/sends").json()["items"][0])["status"] == "waiting":
            assert time.monotonic() < ends_at, found
            time.sleep(0.1)
    assert found["status"] == "sent", found
    (report,) = server.stored["DiagnosticReport"].values()
    assert report["presentedForm"][0]["data"].startswith("JVBERi0")  # %PDF-
    with sqlite3.connect(api.settings.database_url.partition("///")[2]) as connection:
        events = connection.execute("SELECT event FROM study_accesses WHERE study_id = ? ORDER BY number", (study_id,))
        assert [event for (event,) in events][-1] == "sent"
