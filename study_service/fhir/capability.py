"""The CapabilityStatement of /fhir/metadata."""

from __future__ import annotations

from collections.abc import Mapping

from hepar import __version__
from hepar.contracts.base import RESEARCH_USE_NOTICE
from study_service.fhir.audit_search import AUDIT_PARAMETERS
from study_service.fhir.references import FHIR_PATH
from study_service.fhir.searching import PARAMETERS
from study_service.outputs.fhir_resources import Resource

FHIR_VERSION = "4.0.1"
_DATE = "2026-11-26"
"""Of the last change of what is stated here."""
_OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
_SECURITY_SERVICES = "http://terminology.hl7.org/CodeSystem/restful-security-service"
_DOCUMENTATION = {
    "AuditEvent": "for administrators: who did what with which study (IHE BALP), and sign-ins",
    "Device": "the software and the models that made a result",
    "DiagnosticReport": "one per result; searches find those of the newest version of each study",
    "ImagingStudy": "the study that was analysed; none for a study without DICOM files",
    "Observation": "presence of lesions, volume of the liver, one per lesion",
    "Provenance": "which device made the report and the observations from which study",
}


def capability_statement(base: str) -> Resource:
    """base: address of this server."""
    known: Mapping[str, Mapping[str, str]] = dict(PARAMETERS) | {"AuditEvent": AUDIT_PARAMETERS}
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": _DATE,
        "kind": "instance",
        "software": {"name": "Hepar", "version": __version__},
        "implementation": {"description": RESEARCH_USE_NOTICE, "url": f"{base}{FHIR_PATH}"},
        "fhirVersion": FHIR_VERSION,
        "format": ["json", "application/fhir+json"],
        "rest": [
            {
                "mode": "server",
                "documentation": "Results are read only. A parameter that is not listed is ignored and named in the "
                "Bundle; `Prefer: handling=strict` refuses it.",
                "security": _security(base),
                "resource": [_resource(name, known[name]) for name in sorted(known)],
            }
        ],
    }


def _security(base: str) -> Resource:
    return {
        "extension": [
            {"url": _OAUTH_URIS, "extension": [{"url": "token", "valueUri": f"{base}/v1/token"}]},
        ],
        "service": [{"coding": [{"system": _SECURITY_SERVICES, "code": "OAuth"}]}],
        "description": "bearer tokens with the scope `studies`; AuditEvent needs `all-studies` and `audit`",
    }


def _resource(resource_type: str, parameters: Mapping[str, str]) -> Resource:
    return {
        "type": resource_type,
        "documentation": _DOCUMENTATION[resource_type],
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "versioning": "no-version",
        "readHistory": False,
        "updateCreate": False,
        "conditionalCreate": False,
        "searchParam": [
            {"name": name, "type": kind} | _modifier(parameters, name)
            for name, kind in sorted(_declared(parameters).items())
        ],
    }


def _declared(parameters: Mapping[str, str]) -> dict[str, str]:
    """Names as the standard defines them: with their modifiers taken off, chains and modifiers are of references."""
    declared: dict[str, str] = {}
    for name, kind in parameters.items():
        base = name.partition(":")[0].partition(".")[0]
        declared[base] = kind if base == name else "reference"
    return declared


def _modifier(parameters: Mapping[str, str], base: str) -> Resource:
    if base in parameters:
        return {}
    forms = " or ".join(f"`{name}`" for name in parameters if name.startswith((f"{base}:", f"{base}.")))
    return {"documentation": f"as {forms}, with `system|value` or `value`"}
