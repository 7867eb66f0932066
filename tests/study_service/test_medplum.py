"""Results sent to Medplum, a FHIR server of another maker, and read back by search."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator

import pytest

from hepar.core.networks import parsed_networks
from study_service.destinations.configuration import FhirDestination
from study_service.destinations.registry import configured_destinations
from study_service.destinations.sender import SendFailed
from study_service.outputs.fhir import fhir_bundle
from study_service.webhooks.targets import TargetRules
from tests.support.derived_study import derived_study
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


def test_a_token_that_it_does_not_know_is_reported(server: Medplum) -> None:
    with pytest.raises(SendFailed, match=r"^the server answers 401 \(login\)$"):
        send(server, fhir_bundle(derived_study()), "wrong")
