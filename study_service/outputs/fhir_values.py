"""Data types of FHIR R4 from coded terms and numbers."""

from __future__ import annotations

import uuid
from typing import Any

from pydicom.sr.coding import Code

from . import codes

_SYSTEMS = {
    "SCT": "http://snomed.info/sct",
    "LN": "http://loinc.org",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "UCUM": "http://unitsofmeasure.org",
    codes.PRIVATE_SCHEME: f"urn:oid:{codes.PRIVATE_SCHEME_UID}",
}
_HL7 = "http://terminology.hl7.org/CodeSystem"
_DECIMALS = 4
URI_SYSTEM = "urn:ietf:rfc:3986"


def code_system_url(scheme: str) -> str:
    """scheme: coding scheme designator of DICOM."""
    return _SYSTEMS[scheme]


def concept(code: Code) -> dict[str, Any]:
    """CodeableConcept."""
    coding = {"system": _SYSTEMS[code.scheme_designator], "code": code.value, "display": code.meaning}
    return {"coding": [coding], "text": code.meaning}


def category(system: str, code: str) -> dict[str, Any]:
    """CodeableConcept of a code system of HL7. system: its name in the URL."""
    return {"coding": [{"system": f"{_HL7}/{system}", "code": code}]}


def quantity(value: float, unit: Code) -> dict[str, Any]:
    return {
        "value": round(value, _DECIMALS),
        "unit": unit.meaning if unit != codes.NO_UNITS else "1",
        "system": _SYSTEMS["UCUM"],
        "code": unit.value,
    }


def identifier_of_uid(uid: str) -> dict[str, Any]:
    """Identifier of a DICOM UID."""
    return {"system": "urn:dicom:uid", "value": f"urn:oid:{uid}"}


def identifier_of_uuid(value: uuid.UUID) -> dict[str, Any]:
    return {"system": URI_SYSTEM, "value": value.urn}
