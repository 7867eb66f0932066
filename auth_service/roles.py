"""Roles and the scopes that they grant."""

from __future__ import annotations

from hepar.contracts.roles import Role

ANALYSES, ACCOUNT, MODELS = "analyses", "account", "models"
USERS, CLIENTS, AUDIT = "users", "clients", "audit"
STUDIES, ALL_STUDIES = "studies", "all-studies"

SCOPES: dict[Role, frozenset[str]] = {
    "clinician": frozenset({ANALYSES, STUDIES, ACCOUNT}),
    "researcher": frozenset({ANALYSES, STUDIES, MODELS, ACCOUNT}),
    "integrator": frozenset({ANALYSES, STUDIES, MODELS, CLIENTS, ACCOUNT}),
    "administrator": frozenset({ANALYSES, STUDIES, ALL_STUDIES, MODELS, CLIENTS, USERS, AUDIT, ACCOUNT}),
}


def granted(allowed: frozenset[str], requested: str | None) -> str:
    """The scopes of a token, sorted: those requested and allowed, or all that are allowed."""
    wanted = allowed if not requested or not requested.strip() else allowed & frozenset(requested.split())
    return " ".join(sorted(wanted))
