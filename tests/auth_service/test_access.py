"""Authorisation: every route with every role."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from auth_service.roles import SCOPES
from hepar.contracts.roles import Role
from tests.support.auth_client import PASSWORD, AuthTestClient

NOBODY = "0" * 32
# Route to the scope it asks for; None: anybody. A route that is missing here fails the first test.
TABLE: dict[tuple[str, str], str | None] = {
    ("GET", "/healthz"): None,
    ("GET", "/readyz"): None,
    ("GET", "/.well-known/jwks.json"): None,
    ("GET", "/.well-known/oauth-authorization-server"): None,
    ("POST", "/v1/users"): None,
    ("GET", "/v1/account-options"): None,
    ("POST", "/v1/password-reset"): None,
    ("PUT", "/v1/password-reset"): None,
    ("POST", "/v1/address-verification"): None,
    ("PUT", "/v1/address-verification"): None,
    ("POST", "/v1/token"): None,
    ("POST", "/v1/token/revoke"): None,
    ("GET", "/v1/users/me"): "account",
    ("PATCH", "/v1/users/me"): "account",
    ("DELETE", "/v1/users/me"): "account",
    ("PUT", "/v1/users/me/password"): "account",
    ("POST", "/v1/users/me/second-factor"): "account",
    ("PUT", "/v1/users/me/second-factor"): "account",
    ("DELETE", "/v1/users/me/second-factor"): "account",
    ("POST", "/v1/users/me/recovery-codes"): "account",
    ("GET", "/v1/users/me/sessions"): "account",
    ("DELETE", "/v1/users/me/sessions"): "account",
    ("DELETE", "/v1/users/me/sessions/{session_id}"): "account",
    ("GET", "/v1/users/me/sign-ins"): "account",
    ("GET", "/v1/users"): "users",
    ("POST", "/v1/invitations"): "users",
    ("GET", "/v1/users/{account_id}"): "users",
    ("DELETE", "/v1/users/{account_id}"): "users",
    ("POST", "/v1/users/{account_id}/approve"): "users",
    ("PUT", "/v1/users/{account_id}/role"): "users",
    ("PUT", "/v1/users/{account_id}/group"): "users",
    ("POST", "/v1/users/{account_id}/deactivate"): "users",
    ("POST", "/v1/users/{account_id}/reactivate"): "users",
    ("DELETE", "/v1/users/{account_id}/second-factor"): "users",
    ("GET", "/v1/users/{account_id}/sign-ins"): "users",
    ("GET", "/v1/audit"): "audit",
    ("GET", "/v1/audit.csv"): "audit",
    ("POST", "/v1/clients"): "clients",
    ("GET", "/v1/clients"): "clients",
    ("DELETE", "/v1/clients/{client_id}"): "clients",
    ("POST", "/v1/clients/{client_id}/secrets"): "clients",
    ("DELETE", "/v1/clients/{client_id}/secrets/{secret_id}"): "clients",
}
GUARDED = [route for route, scope in TABLE.items() if scope is not None]


def test_the_access_table_lists_every_route(auth: AuthTestClient) -> None:
    document = auth.client.get("/openapi.json").json()
    routes = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}
    assert routes == set(TABLE)


def call(auth: AuthTestClient, route: tuple[str, str], headers: Any) -> int:  # noqa: ANN401  what the client takes
    method, path = route
    for name in ("account_id", "session_id", "client_id", "secret_id"):
        path = path.replace(f"{{{name}}}", NOBODY)
    return auth.client.request(method, path, headers=headers).status_code


@pytest.mark.parametrize("role", get_args(Role))
def test_a_role_reaches_exactly_the_routes_of_its_scopes(auth: AuthTestClient, role: Role) -> None:
    auth.administrator()
    auth.person(role)
    bearer = auth.bearer()
    for route, scope in TABLE.items():
        status = call(auth, route, bearer)
        if route == ("DELETE", "/v1/users/me/sessions"):
            bearer = auth.bearer()
        if scope is None or scope in SCOPES[role]:
            assert status not in (401, 403), route
            assert status < 500, route
        else:
            assert status == 403, route


def test_a_client_token_reaches_no_account_route(auth: AuthTestClient) -> None:
    administrator = auth.administrator()
    client = auth.client.post("/v1/clients", json={"name": "PACS", "password": PASSWORD}, headers=administrator).json()
    secret = client["secrets"][0]["secret"]
    form = {"grant_type": "client_credentials", "client_id": client["id"], "client_secret": secret}
    bearer = {"authorization": f"Bearer {auth.client.post('/v1/token', data=form).json()['access_token']}"}
    for route in GUARDED:
        assert call(auth, route, bearer) == 403, route


@pytest.mark.parametrize("scope", ["", "analyses", "models"])
def test_a_token_without_the_scope_is_refused(auth: AuthTestClient, scope: str) -> None:
    auth.person("administrator")
    bearer = auth.bearer(scope=scope or "none")
    for route in GUARDED:
        assert call(auth, route, bearer) == 403, route
