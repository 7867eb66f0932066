"""Every operation of auth_service that the gateway passes on, with what the public document says of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from hepar.contracts import accounts as documents

_LIMIT = {
    "name": "limit",
    "in": "query",
    "description": "items of a page",
    "schema": {"type": "integer", "minimum": 1, "maximum": documents.PAGE_MAX, "default": 50},
}
_AFTER = {
    "name": "after",
    "in": "query",
    "description": "`next` of the page before; the first page where it is left out",
    "schema": {"type": "string", "maxLength": 64},
}
_PAGES = (_LIMIT, _AFTER)
_CONFIRMED = ("wrong-password", "wrong-code", "too-many-attempts")
_TEXT = {"type": "string", "maxLength": 254}
_TOKEN_FORM = {
    "type": "object",
    "description": "OAuth 2.0 token request (RFC 6749)",
    "properties": {
        "grant_type": {
            "type": "string",
            "enum": ["password", "refresh_token", "client_credentials"],
            "default": "password",
            "description": "`password` for people, `refresh_token` to go on, `client_credentials` for hospital systems",
        },
        "username": _TEXT | {"description": "password grant: the account's e-mail address"},
        "password": {"type": "string", "format": "password", "maxLength": 1024, "description": "password grant"},
        "otp": {
            "type": "string",
            "maxLength": 40,
            "description": "password grant: the code of the second factor, or a recovery code",
        },
        "refresh_token": {"type": "string", "maxLength": 4096, "description": "refresh grant: counts once"},
        "client_id": _TEXT | {"description": "client credentials; or as HTTP Basic"},
        "client_secret": {"type": "string", "maxLength": 4096, "description": "client credentials; or as HTTP Basic"},
        "scope": {
            "type": "string",
            "maxLength": 256,
            "description": "fewer scopes than allowed, separated by spaces; all that are allowed where it is left out",
        },
    },
}
_REVOCATION_FORM = {
    "type": "object",
    "description": "OAuth 2.0 token revocation (RFC 7009)",
    "required": ["token"],
    "properties": {
        "token": {"type": "string", "maxLength": 4096, "description": "a refresh token or an access token"},
        "token_type_hint": {"type": "string", "maxLength": 64, "description": "not needed"},
    },
}


@dataclass(frozen=True)
class Operation:
    """One route. body: the document that it takes, or `form` its fields.  problems: beside those of every route.

    scope: that the token must have; None where none is needed.
    """

    method: str
    path: str
    name: str
    summary: str
    description: str
    answer: type[BaseModel] | None = None
    status: int = 200
    body: type[BaseModel] | None = None
    form: dict[str, Any] = field(default_factory=dict)
    query: tuple[dict[str, Any], ...] = ()
    problems: tuple[str, ...] = ()
    scope: str | None = "account"
    tag: str = "account"


def _administration(method: str, path: str, name: str, summary: str, description: str, **more: Any) -> Operation:  # noqa: ANN401
    fields: dict[str, Any] = {"scope": "users", "tag": "administration"} | more
    return Operation(method, path, name, summary, description, **fields)


def _clients(method: str, path: str, name: str, summary: str, description: str, **more: Any) -> Operation:  # noqa: ANN401
    fields: dict[str, Any] = {"scope": "clients", "tag": "clients"} | more
    return Operation(method, path, name, summary, description, **fields)


OPERATIONS = (
    Operation(
        "POST", "/v1/users", "sign_up", "Sign up",
        "Makes an account. Depending on the operator's setting it counts at once, waits for an administrator's "
        "approval, or is refused.",
        documents.Account, 201, documents.SignUp,
        problems=("address-in-use", "sign-up-closed", "weak-password"), scope=None,
    ), Operation("GET", "/v1/users/me", "get_me", "Read my profile", "The account that the token belongs to.",
    documents.Account), Operation(
        "PATCH", "/v1/users/me", "change_me", "Change my profile", "Changes the name that others see.",
        documents.Account, body=documents.ProfileChange,
    ),
    Operation(
        "DELETE", "/v1/users/me", "delete_me", "Delete my account",
        "Deletes the account and ends its sessions. What the audit says of it stays.",
        None, 204, documents.Confirmation, problems=(*_CONFIRMED, "last-administrator"),
    ),
    Operation(
        "PUT", "/v1/users/me/password", "change_password", "Change my password", "Ends all sessions, this one too.",
        None, 204, documents.PasswordChange, problems=("wrong-password", "weak-password", "too-many-attempts"),
    ),
    Operation(
        "POST", "/v1/users/me/second-factor", "begin_second_factor", "Begin a second factor",
        "Gives the secret for an authenticator application. It counts from its confirmation on.",
        documents.SecondFactor, 201, problems=("second-factor-active",),
    ),
    Operation(
        "PUT", "/v1/users/me/second-factor", "confirm_second_factor", "Confirm my second factor",
        "Takes a first code of the authenticator, and gives recovery codes: they are shown once.",
        documents.RecoveryCodes, body=documents.SecondFactorCode,
        problems=("wrong-code", "no-second-factor", "second-factor-active", "too-many-attempts"),
    ),
    Operation(
        "DELETE", "/v1/users/me/second-factor", "remove_second_factor", "Remove my second factor",
        "The password alone counts again, if it is long enough for that.",
        None, 204, documents.Confirmation, problems=(*_CONFIRMED, "no-second-factor", "weak-password"),
    ),
    Operation(
        "POST", "/v1/users/me/recovery-codes", "renew_recovery_codes", "Renew my recovery codes",
        "The older ones count no longer. The new ones are shown once.",
        documents.RecoveryCodes, 201, documents.Confirmation, problems=(*_CONFIRMED, "no-second-factor"),
    ),
    Operation(
        "GET", "/v1/users/me/sessions", "list_sessions", "List my open sessions", "The newest first.",
        documents.Page[documents.Session],
    ),
    Operation(
        "DELETE", "/v1/users/me/sessions", "end_sessions", "End all my sessions",
        "Signs out everywhere. Access tokens that are out live for up to ten minutes more.", None, 204,
    ),
    Operation(
        "DELETE", "/v1/users/me/sessions/{session_id}", "end_session", "End one of my sessions",
        "Signs out on one device.", None, 204, problems=("no-such-session",),
    ),
    Operation(
        "GET", "/v1/users/me/sign-ins", "list_sign_ins", "List my sign-ins",
        "Sign-ins and refusals of this account, the newest first.", documents.Page[documents.SignIn], query=_PAGES,
    ),
    Operation(
        "POST", "/v1/token", "create_token", "Sign in, refresh, or get a token for a system",
        "OAuth 2.0 token endpoint (RFC 6749). An access token counts for ten minutes; a refresh token counts once, "
        "and one that is used twice ends its session.",
        documents.AccessToken, form=_TOKEN_FORM, scope=None, tag="tokens",
        problems=(
            "wrong-credentials", "second-factor-required", "account-not-active", "invalid-grant", "wrong-client",
            "too-many-attempts",
        ),
    ),
    Operation(
        "POST", "/v1/token/revoke", "revoke_token", "Revoke a token",
        "OAuth 2.0 token revocation (RFC 7009): a refresh token ends its session. The answer is the same for a "
        "token that nobody knows.",
        form=_REVOCATION_FORM, scope=None, tag="tokens",
    ),
    _administration(
        "GET", "/v1/users", "list_users", "List accounts", "The oldest first.",
        answer=documents.Page[documents.Account], query=_PAGES,
    ),
    _administration(
        "GET", "/v1/users/{account_id}", "get_user", "Read an account", "By its id.",
        answer=documents.Account, problems=("no-such-account",),
    ),
    _administration(
        "DELETE", "/v1/users/{account_id}", "delete_user", "Delete an account", "Deletes it and ends its sessions.",
        status=204, problems=("no-such-account", "last-administrator"),
    ),
    _administration(
        "POST", "/v1/users/{account_id}/approve", "approve_user", "Approve an account",
        "Lets somebody in who signed up and waits.",
        answer=documents.Account, problems=("no-such-account", "not-pending"),
    ),
    _administration(
        "PUT", "/v1/users/{account_id}/role", "change_role", "Change an account's role",
        "Tokens with other scopes are given from now on; the account's sessions end.",
        answer=documents.Account, body=documents.RoleChange, problems=("no-such-account", "last-administrator"),
    ),
    _administration(
        "POST", "/v1/users/{account_id}/deactivate", "deactivate_user", "Deactivate an account",
        "It stays, but nobody signs in with it; its sessions end.",
        answer=documents.Account, problems=("no-such-account", "last-administrator"),
    ),
    _administration(
        "POST", "/v1/users/{account_id}/reactivate", "reactivate_user", "Reactivate an account",
        "It may sign in again.", answer=documents.Account, problems=("no-such-account",),
    ),
    _administration(
        "GET", "/v1/users/{account_id}/sign-ins", "list_sign_ins_of_user", "List an account's sign-ins",
        "The newest first.", answer=documents.Page[documents.SignIn], query=_PAGES, problems=("no-such-account",),
    ),
    _administration(
        "GET", "/v1/audit", "list_audit", "Read the audit",
        "The oldest first. Each entry carries the hash of the one before it.",
        answer=documents.Page[documents.AuditEntry], query=_PAGES, scope="audit",
    ),
    _clients(
        "POST", "/v1/clients", "register_client", "Register a client",
        "A hospital system that signs in by itself. Its secret is shown once.",
        answer=documents.Client, status=201, body=documents.ClientRegistration,
    ),
    _clients(
        "GET", "/v1/clients", "list_clients", "List clients", "The oldest first; without their secrets.",
        answer=documents.Page[documents.Client], query=_PAGES,
    ),
    _clients(
        "DELETE", "/v1/clients/{client_id}", "deactivate_client", "Deactivate a client", "It gets no more tokens.",
        status=204, problems=("no-such-client",),
    ),
    _clients(
        "POST", "/v1/clients/{client_id}/secrets", "add_client_secret", "Give a client another secret",
        "The older one goes on for some days, so that the system can change without a pause.",
        answer=documents.Client, status=201, problems=("no-such-client", "too-many-secrets"),
    ),
    _clients(
        "DELETE", "/v1/clients/{client_id}/secrets/{secret_id}", "remove_client_secret", "Take a secret from a client",
        "It counts no longer.", status=204, problems=("no-such-client",),
    ),
    Operation(
        "GET", "/.well-known/jwks.json", "get_keys", "Read the public keys",
        "A JSON Web Key Set (RFC 7517): what access tokens are verified with.",
        documents.PublicKeys, scope=None, tag="keys",
    ),
    Operation(
        "GET", "/.well-known/oauth-authorization-server", "get_authorization_server", "Read where what is",
        "Authorization server metadata (RFC 8414).", documents.AuthorizationServer, scope=None, tag="keys",
    ),
)  # fmt: skip
