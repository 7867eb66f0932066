from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle

from study_service.outputs.context import OutputContext
from study_service.outputs.fhir import fhir_bundle
from study_service.outputs.pdf import report_pdf
from tests.support.derived_study import StudyOptions, derived_study, with_lesions
from tests.support.fhir_validator import errors_of

_STUDIES = {
    "two lesions": StudyOptions(),
    "German": StudyOptions(language="de"),
    "a lesion with a box only": StudyOptions(boxed=(1,)),
    "no lesion": StudyOptions(lesions=0),
    "no liver": StudyOptions(lesions=0, liver=False),
    "no DICOM files": StudyOptions(with_files=False),
}


def resources_of(context: OutputContext) -> dict[str, list[dict[str, Any]]]:
    """By type."""
    found: dict[str, list[dict[str, Any]]] = {}
    for entry in json.loads(fhir_bundle(context))["entry"]:
        found.setdefault(entry["resource"]["resourceType"], []).append(entry["resource"])
    return found


def test_both_validators_accept_many_lesions(tmp_path: Path) -> None:
    content = fhir_bundle(with_lesions(derived_study(), 12))
    assert errors_of(content, tmp_path) == []
    Bundle.model_validate_json(content)


@pytest.mark.parametrize("name", _STUDIES)
def test_both_validators_accept_the_bundle(name: str, tmp_path: Path) -> None:
    content = fhir_bundle(derived_study(_STUDIES[name]))
    assert errors_of(content, tmp_path) == []
    Bundle.model_validate_json(content)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"status": "provisional"}, "status"),
        ({"colour": "blue"}, "colour"),
        ({"code": None}, "code"),
    ],
)
def test_the_validator_finds_mistakes(wrong: dict[str, Any], message: str, tmp_path: Path) -> None:
    bundle = json.loads(fhir_bundle(derived_study()))
    report = bundle["entry"][0]["resource"]
    report.update(wrong)
    bundle["entry"][0]["resource"] = {key: value for key, value in report.items() if value is not None}
    assert any(message in error for error in errors_of(json.dumps(bundle).encode(), tmp_path))


def test_observations_have_the_values_of_the_result() -> None:
    context = derived_study(StudyOptions(boxed=(1,)))
    presence, liver, *lesions = resources_of(context)["Observation"]
    assert presence["valueCodeableConcept"]["coding"][0]["code"] == "52101004"
    assert liver["valueQuantity"]["value"] == pytest.approx(context.result.liver_ml)
    for observation, lesion in zip(lesions, context.result.lesions, strict=True):
        assert observation["identifier"][0]["value"] == f"urn:oid:{lesion.tracking_uid}"
        values = {
            item["code"]["coding"][0]["code"]: (item["valueQuantity"]["value"], item["valueQuantity"]["code"])
            for item in observation["component"]
        }
        axes = ("103339001", "103340004") if lesion.measured_on == "mask" else ("box-long-axis", "box-short-axis")
        assert values[axes[0]] == (pytest.approx(lesion.long_axis.length_mm), "mm")
        assert values[axes[1]] == (pytest.approx(lesion.short_axis.length_mm), "mm")
        assert values["p-lesion"] == (pytest.approx(lesion.probability), "1")
        assert values.get("118565006") == (None if lesion.volume_ml is None else (pytest.approx(2.25), "mL"))


def test_nothing_is_final_and_everything_names_its_origin() -> None:
    found = resources_of(derived_study())
    assert {item["status"] for kind in ("DiagnosticReport", "Observation") for item in found[kind]} == {"preliminary"}
    (report,), (provenance,), (device,), (study,) = (
        found[kind] for kind in ("DiagnosticReport", "Provenance", "Device", "ImagingStudy")
    )
    urls = {entry["resource"]["id"]: entry["fullUrl"] for entry in json.loads(fhir_bundle(derived_study()))["entry"]}
    stated = {urls[item["id"]] for kind in ("DiagnosticReport", "Observation") for item in found[kind]}
    assert {target["reference"] for target in provenance["target"]} == stated
    assert {result["reference"] for result in report["result"]} == stated - {urls[report["id"]]}
    assert provenance["agent"][0]["who"]["reference"] == urls[device["id"]]
    assert report["imagingStudy"][0]["reference"] == urls[study["id"]]
    assert [version["value"] for version in device["version"]] == ["2.0.0", "1", "2"]
    assert study["identifier"][0] == {
        "system": "urn:dicom:uid", "value": "urn:oid:1.2.826.0.1.3680043.8.498.100",
    }  # fmt: skip


def test_the_patient_is_a_logical_reference() -> None:
    (report,) = resources_of(derived_study())["DiagnosticReport"]
    assert report["subject"]["identifier"]["value"] == "H-4711"
    assert report["subject"]["display"] == "Müller^Jörg"
    (report,) = resources_of(derived_study(StudyOptions(with_files=False)))["DiagnosticReport"]
    assert report["subject"] == {"type": "Patient", "display": "not stated"}


def test_the_report_contains_the_pdf_and_the_statement() -> None:
    context = derived_study(StudyOptions(lesions=0, language="de"))
    (report,) = resources_of(context)["DiagnosticReport"]
    assert base64.b64decode(report["presentedForm"][0]["data"]) == report_pdf(context)
    assert report["conclusion"].startswith("Es wurde keine Leberläsion gefunden.")
    assert context.result.notice in report["conclusion"]
    assert "conclusionCode" not in report


def test_equal_results_give_equal_bytes() -> None:
    assert fhir_bundle(derived_study()) == fhir_bundle(derived_study())
