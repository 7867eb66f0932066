"""Results sent to Medplum, a FHIR server of another maker, and read back by search."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from hepar.core.networks import parsed_networks
from study_service.destinations.configuration import FhirDestination
from study_service.destinations.registry import configured_destinations
from study_service.destinations.sender import SendFailed
from study_service.outputs.fhir import fhir_bundle
from study_service.webhooks.targets import TargetRules
from tests.support.derived_study import StudyOptions, derived_study, with_lesions
from tests.support.medplum import Medplum, medplum

RULES = TargetRules(frozenset(), parsed_networks(["127.0.0.0/8"]), https_only=False)


@pytest.fixture(scope="module")
def server() -> Iterator[Medplum]:
    with medplum() as running:
        yield running


def send(server: Medplum, content: bytes, token: str | None = None) -> None:
    configured = {"kind": "fhir", "name": "ehr", "url": server.url, "token": token or server.token}
    destination = FhirDestination.model_validate(configured)
    sender = configured_destinations([destination], RULES).find("ehr").sender

    async def test_and_send() -> None:
        await sender.test()
        await sender.send({"report.fhir.json": content})

    asyncio.run(test_and_send())


def test_a_result_is_sent_as_one_transaction_and_found_by_search(server: Medplum) -> None:
    context = derived_study()
    content = fhir_bundle(context)
    sent = {entry["resource"]["resourceType"]: entry["resource"] for entry in json.loads(content)["entry"]}
    send(server, content)
    send(server, content)  # the second time leaves no second copy
    identifier = sent["DiagnosticReport"]["identifier"][0]
    (report,) = server.search("DiagnosticReport", identifier=f"{identifier['system']}|{identifier['value']}")
    (study,) = server.search("ImagingStudy", identifier="urn:dicom:uid|urn:oid:1.2.826.0.1.3680043.8.498.100")
    (device,) = server.search("Device")
    (provenance,) = server.search("Provenance")
    observations = {f"Observation/{item['id']}": item for item in server.search("Observation")}
    assert {item["reference"] for item in report["result"]} == observations.keys()
    assert [item["reference"] for item in report["imagingStudy"]] == [f"ImagingStudy/{study['id']}"]
    assert {item["device"]["reference"] for item in observations.values()} == {f"Device/{device['id']}"}
    assert f"DiagnosticReport/{report['id']}" in {item["reference"] for item in provenance["target"]}
    assert report["conclusion"] == sent["DiagnosticReport"]["conclusion"]
    assert base64.b64decode(report["presentedForm"][0]["data"]).startswith(b"%PDF-")
    assert len(server.search("DiagnosticReport", status="preliminary", code="http://loinc.org|18748-4")) == 1


def test_measurements_are_found_by_code_with_their_values(server: Medplum) -> None:
    context = derived_study()
    send(server, fhir_bundle(context))
    (volume,) = server.search("Observation", code="http://snomed.info/sct|118565006")
    assert volume["valueQuantity"]["value"] == pytest.approx(context.result.liver_ml, abs=1e-3)
    lesions = server.search("Observation", code="http://snomed.info/sct|52988006")
    tracking = {f"urn:oid:{lesion.tracking_uid}" for lesion in context.result.lesions}
    assert {item["identifier"][0]["value"] for item in lesions} == tracking


def identifiers_of(content: bytes, kind: str) -> list[str]:
    """Of the resources in the bundle that are sent."""
    resources = [entry["resource"] for entry in json.loads(content)["entry"]]
    return sorted(
        f"{item['system']}|{item['value']}"
        for resource in resources
        if resource["resourceType"] == kind
        for item in resource["identifier"]
        if item.get("system") == "urn:ietf:rfc:3986"
    )


def observations_of(server: Medplum, content: bytes) -> list[dict[str, Any]]:
    """Of the bundle, that the server has."""
    sent = set(identifiers_of(content, "Observation"))
    stored = server.search("Observation", _count="1000")
    return [item for item in stored if sent & {f"{one.get('system')}|{one['value']}" for one in item["identifier"]}]


def stored_once(server: Medplum, content: bytes) -> None:
    """The report and all that it refers to."""
    (identifier,) = identifiers_of(content, "DiagnosticReport")
    (report,) = server.search("DiagnosticReport", identifier=identifier)
    observations = observations_of(server, content)
    stated = [item["reference"] for item in report["result"]]
    assert sorted(stated) == sorted(f"Observation/{item['id']}" for item in observations)
    assert len(stated) == len(identifiers_of(content, "Observation"))
    (study,) = server.search("ImagingStudy")
    (device,) = server.search("Device")
    for item in observations:
        assert item["derivedFrom"] == [{"reference": f"ImagingStudy/{study['id']}", "type": "ImagingStudy"}]
        assert item["device"]["reference"] == f"Device/{device['id']}"
    provenances = [
        item
        for item in server.search("Provenance")
        if f"DiagnosticReport/{report['id']}" in {target["reference"] for target in item["target"]}
    ]
    assert [{target["reference"] for target in item["target"]} for item in provenances] == [
        {f"DiagnosticReport/{report['id']}", *stated}
    ]


def version_with(lesions: int) -> bytes:
    """A bundle of a version of its own."""
    context = with_lesions(derived_study(StudyOptions(lesions=min(lesions, 2))), lesions)
    result = context.result.model_copy(update={"version": 100 + lesions})
    return fhir_bundle(replace(context, result=result))


@pytest.mark.parametrize("lesions", [0, 1, 3, 12])
def test_reports_of_every_length_are_taken(server: Medplum, lesions: int) -> None:
    content = version_with(lesions)
    for _ in range(2):
        send(server, content)
        stored_once(server, content)


def test_a_send_that_breaks_off_in_the_middle_is_completed_by_the_next(server: Medplum) -> None:
    content = version_with(11)
    server.take_transactions(1)
    with pytest.raises(SendFailed, match=r"^the server answers 503 \(transient\)$") as failure:
        send(server, content)
    assert not failure.value.permanent
    (identifier,) = identifiers_of(content, "DiagnosticReport")
    assert server.search("DiagnosticReport", identifier=identifier) == [], "the report comes last"
    assert 0 < len(observations_of(server, content)) < len(identifiers_of(content, "Observation"))
    server.take_transactions()
    send(server, content)
    stored_once(server, content)


def test_a_token_that_it_does_not_know_is_reported(server: Medplum) -> None:
    with pytest.raises(SendFailed, match=r"^the server answers 401 \(login\)$"):
        send(server, fhir_bundle(derived_study()), "wrong")
