"""Accounts, tokens, clients and the audit: auth_service's own routes, passed on. It checks the tokens itself."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from pydantic import BaseModel

from gateway.api import House
from hepar.contracts import accounts as documents
from hepar.contracts.problems import Problem
from hepar.service.deadlines import Deadline

_PASSED_HEADERS = ("authorization", "content-type")


@dataclass(frozen=True)
class Operation:
    """One route. body: the document that it takes; forms are described at auth_service."""

    method: str
    path: str
    summary: str
    answer: type[BaseModel] | None = None
    status: int = 200
    body: type[BaseModel] | None = None
    tag: str = "accounts"


OPERATIONS = (
    Operation("POST", "/v1/users", "Sign up", documents.Account, 201, documents.SignUp),
    Operation("GET", "/v1/users/me", "Who am I?", documents.Account),
    Operation("PATCH", "/v1/users/me", "Change my profile", documents.Account, body=documents.ProfileChange),
    Operation("DELETE", "/v1/users/me", "Delete my account", None, 204, documents.Confirmation),
    Operation("PUT", "/v1/users/me/password", "Change my password", None, 204, documents.PasswordChange),
    Operation("POST", "/v1/users/me/second-factor", "Begin a second factor", documents.SecondFactor, 201),
    Operation(
        "PUT",
        "/v1/users/me/second-factor",
        "Confirm my second factor",
        documents.RecoveryCodes,
        body=documents.SecondFactorCode,
    ),
    Operation("DELETE", "/v1/users/me/second-factor", "Remove my second factor", None, 204, documents.Confirmation),
    Operation(
        "POST",
        "/v1/users/me/recovery-codes",
        "Renew my recovery codes",
        documents.RecoveryCodes,
        201,
        documents.Confirmation,
    ),
    Operation("GET", "/v1/users/me/sessions", "My open sessions", documents.Page[documents.Session]),
    Operation("DELETE", "/v1/users/me/sessions", "End all my sessions", None, 204),
    Operation("DELETE", "/v1/users/me/sessions/{session_id}", "End one of my sessions", None, 204),
    Operation("GET", "/v1/users/me/sign-ins", "My sign-in history", documents.Page[documents.SignIn]),
    Operation(
        "POST", "/v1/token", "Sign in, refresh, or get a token for a system", documents.AccessToken, tag="tokens"
    ),
    Operation("POST", "/v1/token/revoke", "Revoke a token", tag="tokens"),
    Operation("GET", "/v1/users", "List accounts", documents.Page[documents.Account], tag="administration"),
    Operation("GET", "/v1/users/{account_id}", "One account", documents.Account, tag="administration"),
    Operation("DELETE", "/v1/users/{account_id}", "Delete an account", None, 204, tag="administration"),
    Operation("POST", "/v1/users/{account_id}/approve", "Approve an account", documents.Account, tag="administration"),
    Operation(
        "PUT",
        "/v1/users/{account_id}/role",
        "Change an account's role",
        documents.Account,
        body=documents.RoleChange,
        tag="administration",
    ),
    Operation(
        "POST", "/v1/users/{account_id}/deactivate", "Deactivate an account", documents.Account, tag="administration"
    ),
    Operation(
        "POST", "/v1/users/{account_id}/reactivate", "Reactivate an account", documents.Account, tag="administration"
    ),
    Operation(
        "GET",
        "/v1/users/{account_id}/sign-ins",
        "An account's sign-in history",
        documents.Page[documents.SignIn],
        tag="administration",
    ),
    Operation("GET", "/v1/audit", "Read the audit", documents.Page[documents.AuditEntry], tag="administration"),
    Operation(
        "POST", "/v1/clients", "Register a client", documents.Client, 201, documents.ClientRegistration, tag="clients"
    ),
    Operation("GET", "/v1/clients", "List clients", documents.Page[documents.Client], tag="clients"),
    Operation("DELETE", "/v1/clients/{client_id}", "Deactivate a client", None, 204, tag="clients"),
    Operation(
        "POST",
        "/v1/clients/{client_id}/secrets",
        "Give a client another secret",
        documents.Client,
        201,
        tag="clients",
    ),
    Operation(
        "DELETE",
        "/v1/clients/{client_id}/secrets/{secret_id}",
        "Take a secret from a client",
        None,
        204,
        tag="clients",
    ),
    Operation("GET", "/.well-known/jwks.json", "Public keys", documents.PublicKeys, tag="keys"),
    Operation(
        "GET", "/.well-known/oauth-authorization-server", "Where what is", documents.AuthorizationServer, tag="keys"
    ),
)


def install_account_routes(app: FastAPI) -> None:
    router = APIRouter(responses={"4XX": {"model": Problem}, "5XX": {"model": Problem}})
    for operation in OPERATIONS:
        router.add_api_route(
            operation.path,
            _route(operation),
            methods=[operation.method],
            summary=operation.summary,
            tags=[operation.tag],
            status_code=operation.status,
            response_model=operation.answer,
            openapi_extra=_described(operation),
            operation_id=f"{operation.method.lower()}{re.sub('[^a-z]+', '_', operation.path)}",
        )
    app.include_router(router)


def _route(operation: Operation) -> Callable[[Request], Awaitable[Response]]:
    async def passed_on(request: Request) -> Response:
        house: House = request.app.state.house
        headers = {name: request.headers[name] for name in _PASSED_HEADERS if name in request.headers}
        if request.client is not None:
            headers["x-forwarded-for"] = request.client.host
        query = f"?{request.url.query}" if request.url.query else ""
        deadline = Deadline.after(house.settings.account_deadline_s)
        answer = await house.auth.ask(
            operation.method,
            request.scope["raw_path"].decode() + query,
            deadline,
            headers=headers,
            content=await request.body(),
        )
        if operation.answer is None:
            return Response(status_code=answer.status_code)
        document = house.auth.read(operation.answer, answer)
        return Response(document.model_dump_json(), answer.status_code, media_type="application/json")

    return passed_on


def _described(operation: Operation) -> dict[str, Any]:
    """What FastAPI cannot read from a route that passes its request on."""
    described: dict[str, Any] = {}
    names = re.findall(r"{(\w+)}", operation.path)
    if names:
        described["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
        ]
    if operation.body is not None:
        schema = operation.body.model_json_schema()
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return described
