"""Who may do what: a role gives scopes, and a token has some of them."""

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
    """The scopes of a token: what is asked for and allowed, or all that is allowed; in a stable order."""
    wanted = allowed if not asked or not asked.strip() else allowed & frozenset(asked.split())
    return " ".join(sorted(wanted))
