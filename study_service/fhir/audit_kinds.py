"""How events of the access log and of accounts are coded in AuditEvents (DICOM PS3.15 A.5, IHE BALP)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

DCM = "http://dicom.nema.org/resources/ontology/DCM"
_REST_TYPE = "http://terminology.hl7.org/CodeSystem/audit-event-type"
_INTERACTION = "http://hl7.org/fhir/restful-interaction"
_LIFECYCLE = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle"

Coding = dict[str, str]


def _coding(system: str, code: str, display: str) -> Coding:
    return {"system": system, "code": code, "display": display}


_SOURCE = _coding(DCM, "110153", "Source Role ID")
_DESTINATION = _coding(DCM, "110152", "Destination Role ID")


@dataclass(frozen=True)
class AuditKind:
    """roles: of client and server.  user: what the account was.  profile: of BALP, for an event with a patient."""

    type: Coding
    subtypes: tuple[Coding, ...]
    action: str
    roles: tuple[Coding, Coding] = (_DESTINATION, _SOURCE)
    user: Coding | None = None
    profile: str | None = None
    profile_without_patient: str | None = None


_REST = _coding(_REST_TYPE, "rest", "Restful Operation")
_PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
_RECIPIENT = _coding(_PARTICIPATION, "IRCP", "information recipient")
_AUTHOR = _coding(_PARTICIPATION, "AUT", "author (originator)")
_DELETING = (
    _coding(DCM, "110150", "Application"),
    _coding("http://terminology.hl7.org/CodeSystem/provenance-participant-type", "custodian", "Custodian"),
)


def _rest(interaction: str, action: str, name: str, roles: tuple[Coding, Coding], user: Coding) -> AuditKind:
    subtypes = (_coding(_INTERACTION, interaction, interaction),)
    return AuditKind(_REST, subtypes, action, roles, user, f"IHE.BasicAudit.Patient{name}", f"IHE.BasicAudit.{name}")


_CREATE = _rest("create", "C", "Create", (_SOURCE, _DESTINATION), _AUTHOR)
_UPDATE = _rest("update", "U", "Update", (_SOURCE, _DESTINATION), _AUTHOR)
_READ = _rest("read", "R", "Read", (_DESTINATION, _SOURCE), _RECIPIENT)
_QUERY = _rest("search-type", "E", "Query", (_SOURCE, _DESTINATION), _RECIPIENT)
_DELETE = _rest("delete", "D", "Delete", _DELETING, _AUTHOR)
_OPERATION = AuditKind(_REST, (_coding(_INTERACTION, "operation", "operation"),), "E", _READ.roles, _AUTHOR)
_EXPORT = AuditKind(
    _coding(DCM, "110106", "Export"),
    (_coding(_LIFECYCLE, "disclose", "Disclose Record Lifecycle Event"), _coding(_INTERACTION, "read", "read")),
    "R",
    _READ.roles,
    _RECIPIENT,
    "IHE.BasicAudit.PrivacyDisclosure.Source",
)
STUDY_KINDS: Mapping[str, AuditKind] = {
    "created": _CREATE,
    "extended": _UPDATE,
    "sent_again": _UPDATE,
    "reanalysed": _UPDATE,
    "cancelled": _UPDATE,
    "corrected": _UPDATE,
    "read": _READ,
    "result_read": _READ,
    "slice_read": _READ,
    "mask_read": _READ,
    "findings_read": _READ,
    "accesses_read": _READ,
    "priors_fetched": _READ,
    "listed": _QUERY,
    "searched": _QUERY,
    "deleted": _DELETE,
    "expired": _DELETE,
    "downloaded": _EXPORT,
    "delivered": _EXPORT,
    "exported": _EXPORT,
    "corrections_exported": _EXPORT,
    "sent": _EXPORT,
    "sending": _OPERATION,
    "send_requested": _OPERATION,
}
"""By `AccessEvent`."""


def _authentication(code: str, display: str) -> AuditKind:
    return AuditKind(_coding(DCM, "110114", "User Authentication"), (_coding(DCM, code, display),), "E")


_LOGIN, _LOGOUT = _authentication("110122", "Login"), _authentication("110123", "Logout")
ACCOUNT_KINDS: Mapping[str, tuple[AuditKind, str]] = {
    "signed_in": (_LOGIN, "0"),
    "sign_in_refused": (_LOGIN, "4"),
    "confirmation_refused": (_LOGIN, "4"),
    "refresh_token_reused": (_LOGIN, "8"),
    "signed_out": (_LOGOUT, "0"),
    "sessions_ended": (_LOGOUT, "0"),
}
"""By event of auth_service's audit log: its kind, and the outcome (0 success, 4 minor failure, 8 serious failure)."""


def study_kind(event: str) -> AuditKind:
    """An event without a code of its own is an operation."""
    return STUDY_KINDS.get(event, _OPERATION)
