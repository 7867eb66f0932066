"""Ids of resources and references to them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hepar.contracts.study_results import StudyResult
from study_service.fhir.errors import InvalidSearch

FHIR_PATH = "/fhir"
TYPE_OF_NAME = {
    "report": "DiagnosticReport",
    "presence": "Observation",
    "liver": "Observation",
    "lesion": "Observation",
    "study": "ImagingStudy",
    "device": "Device",
    "provenance": "Provenance",
}
"""By the part of a resource's name before the first dash."""
RESULT_TYPES = tuple(sorted(set(TYPE_OF_NAME.values())))
_ID = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.([1-9][0-9]{0,9})\.([a-z]+)(-[A-Za-z0-9]{1,8})?")


@dataclass(frozen=True, order=True)
class ResourceKey:
    """Which version of which study a resource is from. name: of outputs.fhir_resources."""

    study_id: str
    version: int
    name: str

    @property
    def type(self) -> str:
        return type_of(self.name)

    @property
    def id(self) -> str:
        return f"{self.study_id}.{self.version}.{self.name}"


def type_of(name: str) -> str:
    return TYPE_OF_NAME[name.partition("-")[0]]


def key_of(result: StudyResult, name: str) -> ResourceKey:
    return ResourceKey(result.study_id, result.version, name)


def parsed_id(resource_id: str) -> ResourceKey | None:
    """None for what is no id of a resource of ours."""
    match = _ID.fullmatch(resource_id)
    if match is None or match[3] not in TYPE_OF_NAME or int(match[2]) >= 2**31:
        return None
    return ResourceKey(match[1], int(match[2]), match[3] + (match[4] or ""))


def parsed_reference(parameter: str, value: str, types: tuple[str, ...], base: str) -> ResourceKey | None:
    """A reference as searches have them: `id`, `Type/id` or the address of the resource; None where it is not ours.

    types: that the parameter may refer to.  base: of this interface.  Raises InvalidSearch for a wrong type.
    """
    kind, _, resource_id = value.removeprefix(f"{base}/").rpartition("/")
    if kind and kind not in types:
        raise InvalidSearch.of(parameter, f"a reference to {' or '.join(types)} is expected")
    key = parsed_id(resource_id)
    return key if key is not None and key.type in types else None
