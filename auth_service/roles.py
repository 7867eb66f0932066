"""Roles and the scopes that they grant."""

from __future__ import annotations

from hepar.contracts.accounts import Role

ANALYSES, ACCOUNT, MODELS = "analyses", "account", "models"
USERS, CLIENTS, AUDIT = "users", "clients", "audit"

SCOPES: dict[Role, frozenset[str]] = {
    "clinician": frozenset({ANALYSES, ACCOUNT}),
    "researcher": frozenset({ANALYSES, MODELS, ACCOUNT}),
    "integrator": frozenset({ANALYSES, MODELS, CLIENTS, ACCOUNT}),
    "administrator": frozenset({ANALYSES, MODELS, CLIENTS, USERS, AUDIT, ACCOUNT}),
}


def granted(allowed: frozenset[str], asked: str | None) -> str:
    """The scopes of a token, sorted: those requested and allowed, or all that are allowed."""
    wanted = allowed if not asked or not asked.strip() else allowed & frozenset(asked.split())
    return " ".join(sorted(wanted))
