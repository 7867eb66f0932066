"""The role of who corrects a finding, as far as an access token tells it."""

from __future__ import annotations

from hepar.contracts.findings import AuthorRole
from hepar.web.access_tokens import Principal
from hepar.web.bearer import ALL_STUDIES_SCOPE

_BY_SCOPE: tuple[tuple[str, AuthorRole], ...] = (
    (ALL_STUDIES_SCOPE, "administrator"),
    ("clients", "integrator"),
    ("models", "researcher"),
)
"""The scope that a role has and the roles after it lack (auth_service.roles)."""


def role_of(principal: Principal) -> AuthorRole:
    """A token with fewer scopes than its account shows a lesser role. Hospital systems have no session."""
    if principal.session is None:
        return "system"
    for scope, role in _BY_SCOPE:
        if scope in principal.scopes:
            return role
    return "clinician"
