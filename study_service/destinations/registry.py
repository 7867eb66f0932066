"""The configured destinations, by name, each with its sender."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hepar.contracts.destinations import DestinationKind
from hepar.contracts.study_files import FileName, Language
from study_service.destinations.configuration import (
    ConfiguredDestination,
    DicomDestination,
    FhirDestination,
)
from study_service.destinations.dicomweb import DicomWebSender
from study_service.destinations.fhir import fhir_sender
from study_service.destinations.sender import Sender
from study_service.errors import NoSuchDestination
from study_service.webhooks.targets import TargetRules


@dataclass(frozen=True)
class Target:
    """What the queue and the API need to know of a destination. files, language: that are sent."""

    name: str
    kind: DestinationKind
    title: str
    files: Sequence[FileName]
    language: Language
    sender: Sender


class Destinations:
    """In the operator's order."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self._targets = {target.name: target for target in targets}

    def all(self) -> list[Target]:
        return list(self._targets.values())

    def find(self, name: str) -> Target:
        """Raises NoSuchDestination."""
        found = self._targets.get(name)
        if found is None:
            raise NoSuchDestination
        return found


def configured_destinations(configured: Sequence[ConfiguredDestination], rules: TargetRules) -> Destinations:
    """rules: of addresses that HTTP may go to. Raises OSError for certificates that cannot be used."""
    return Destinations(
        [
            Target(item.name, item.kind, item.title or item.name, item.files, item.language, _sender(item, rules))
            for item in configured
        ]
    )


def _sender(destination: ConfiguredDestination, rules: TargetRules) -> Sender:
    if isinstance(destination, DicomDestination):
        from study_service.destinations.dicom import DicomSender

        return DicomSender(destination)
    if isinstance(destination, FhirDestination):
        return fhir_sender(destination, rules)
    return DicomWebSender(destination)
