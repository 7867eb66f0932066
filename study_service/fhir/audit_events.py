"""Entries of the access log and of the audit log of accounts as AuditEvents, by IHE BALP where it has a profile."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from hepar.contracts.accounts import AuditEntry
from hepar.contracts.studies import STUDIES_PATH
from study_service.fhir.audit_kinds import ACCOUNT_KINDS, AuditKind, study_kind
from study_service.outputs import codes
from study_service.outputs.fhir_resources import Resource
from study_service.outputs.fhir_values import URI_SYSTEM
from study_service.tables import StoredAccess

PSEUDONYM_SYSTEM = f"urn:oid:{codes.PRIVATE_SCHEME_UID}.1"
ACCOUNT_SYSTEM = f"urn:oid:{codes.PRIVATE_SCHEME_UID}.2"
_PROFILES = "https://profiles.ihe.net/ITI/BALP/StructureDefinition"
_ENTITY_TYPE = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
_ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
_SYSTEM_OBJECT = {"system": _ENTITY_TYPE, "code": "2", "display": "System Object"}
_DOMAIN_RESOURCE = {"system": _ROLE, "code": "4", "display": "Domain Resource"}
_APPLICATION_SERVER = {
    "system": "http://terminology.hl7.org/CodeSystem/security-source-type",
    "code": "4",
    "display": "Application Server",
}
_STUDY_SERVICE, _AUTH_SERVICE = "Hepar study_service", "Hepar auth_service"
_ADDRESS, _URI = "2", "5"


def event_of_access(entry: StoredAccess, base: str) -> Resource:
    """base: address of this server."""
    kind = study_kind(entry.event)
    event = _event(f"study-{entry.number}", kind, entry.at, "0", _STUDY_SERVICE)
    event["outcomeDesc"] = entry.event
    event["agent"] = list(_agents(entry, kind, base))
    event["entity"] = list(_entities(entry, kind))
    conforms = entry.actor is not None and entry.origin is not None
    profile = kind.profile if entry.patient else kind.profile_without_patient
    if conforms and profile is not None and event["entity"]:
        event["meta"] = {"profile": [f"{_PROFILES}/{profile}"]}
    return event


def event_of_account(entry: AuditEntry) -> Resource:
    """entry: of an event in ACCOUNT_KINDS."""
    kind, outcome = ACCOUNT_KINDS[entry.event]
    event = _event(f"account-{entry.number}", kind, entry.at, outcome, _AUTH_SERVICE)
    reason = entry.details.get("reason")
    event["outcomeDesc"] = f"{entry.event}: {reason}" if reason else entry.event
    account = entry.subject or entry.actor
    user: Resource = {"who": _account(account) if account else {"display": "unknown"}, "requestor": True}
    if entry.origin is not None:
        user["network"] = {"address": entry.origin, "type": _ADDRESS}
    event["agent"] = [user]
    return event


@dataclass(frozen=True)
class _Agent:
    type: dict[str, str]
    who: Resource
    requestor: bool

    def resource(self, network: Resource | None = None) -> Resource:
        agent = {"type": {"coding": [self.type]}, "who": self.who, "requestor": self.requestor}
        return agent | ({"network": network} if network else {})


def _event(event_id: str, kind: AuditKind, at: datetime, outcome: str, observer: str) -> Resource:
    return {
        "resourceType": "AuditEvent",
        "id": event_id,
        "type": kind.type,
        "subtype": list(kind.subtypes),
        "action": kind.action,
        "recorded": at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "outcome": outcome,
        "source": {"observer": {"display": observer}, "type": [_APPLICATION_SERVER]},
    }


def _agents(entry: StoredAccess, kind: AuditKind, base: str) -> Iterator[Resource]:
    """The caller's application, this server, and the account. Without an account, the server acted by itself."""
    client, server = kind.roles
    if entry.actor is not None:
        network = {"address": entry.origin, "type": _ADDRESS} if entry.origin else None
        yield _Agent(client, {"display": "application of the account"}, requestor=False).resource(network)
    acting = entry.actor is None
    yield _Agent(server, {"display": _STUDY_SERVICE}, requestor=acting).resource({"address": base, "type": _URI})
    if entry.actor is not None and kind.user is not None:
        yield _Agent(kind.user, _account(entry.actor), requestor=True).resource()


def _entities(entry: StoredAccess, kind: AuditKind) -> Iterator[Resource]:
    if entry.patient is not None:
        yield {
            "what": {"type": "Patient", "identifier": {"system": PSEUDONYM_SYSTEM, "value": entry.patient}},
            "type": {"system": _ENTITY_TYPE, "code": "1", "display": "Person"},
            "role": {"system": _ROLE, "code": "1", "display": "Patient"},
        }
    if kind.action == "E" and not entry.study_id:
        query = str(entry.details.get("query", STUDIES_PATH))
        yield {
            "type": _SYSTEM_OBJECT,
            "role": {"system": _ROLE, "code": "24", "display": "Query"},
            "query": base64.b64encode(query.encode()).decode(),
        }
    for study_id in [entry.study_id] if entry.study_id else entry.details.get("studies", []):
        yield _study(str(study_id)) | _details(entry, kind)
    if not entry.study_id and kind.action == "R":
        yield {"what": {"display": "access log"}, "type": _SYSTEM_OBJECT, "role": _DOMAIN_RESOURCE}


def _study(study_id: str) -> Resource:
    identifier = {"system": URI_SYSTEM, "value": f"urn:uuid:{study_id}"}
    return {"what": {"identifier": identifier}, "type": _SYSTEM_OBJECT, "role": _DOMAIN_RESOURCE}


def _details(entry: StoredAccess, kind: AuditKind) -> Resource:
    if kind.action == "D" or not entry.study_id:
        return {}
    plain = {name: value for name, value in entry.details.items() if isinstance(value, str | int | float)}
    details = [{"type": name, "valueString": str(value)} for name, value in sorted(plain.items())]
    return {"detail": details} if details else {}


def _account(account_id: str) -> Resource:
    return {"identifier": {"system": ACCOUNT_SYSTEM, "value": account_id}}
