"""Hospital systems that sign in by themselves: for integrators and administrators.

Each change asks for the caller's password and a code again: a client outlives the session that registered it.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from auth_service import clients
from auth_service.api.dependencies import (
    CONFIRMATION_PROBLEMS,
    ID_PATTERN,
    ClientsAdministratorDep,
    Dependencies,
    PageDep,
)
from hepar.contracts.accounts import Client, ClientRegistration, ClientSecret, Confirmation, Page
from hepar.web.openapi import problems

router = APIRouter(prefix="/v1/clients", tags=["clients"], responses=problems("unavailable"))

_LINKS = {
    target: {"operationId": target, "parameters": {"client_id": "$response.body#/id"}}
    for target in ("add_client_secret", "deactivate_client")
}
ClientId = Annotated[str, Path(pattern=ID_PATTERN, description="`id` of the client")]
SecretId = Annotated[str, Path(pattern=ID_PATTERN, description="`id` of the secret")]


@router.post(
    "",
    summary="Register a client",
    status_code=201,
    responses=problems(*CONFIRMATION_PROBLEMS),
    openapi_extra={"responses": {"201": {"links": _LINKS}}},
)
async def register_client(
    form: ClientRegistration, caller: ClientsAdministratorDep, dependencies: Dependencies, response: Response
) -> Client:
    """A hospital system that signs in by itself. Its secret is shown only here."""
    record = await clients.register(dependencies, caller, form)
    response.headers["Location"] = f"/v1/clients/{record.client.id}"
    return _shaped(record)


@router.get("", summary="List clients")
async def list_clients(_caller: ClientsAdministratorDep, dependencies: Dependencies, page: PageDep) -> Page[Client]:
    """Oldest first; without their secrets."""
    found, following = await clients.clients(dependencies, page)
    return Page[Client](items=[_shaped(record) for record in found], next=following)


@router.delete(
    "/{client_id}",
    summary="Deactivate a client",
    status_code=204,
    responses=problems(*CONFIRMATION_PROBLEMS, "no-such-client"),
)
async def deactivate_client(
    client_id: ClientId, form: Confirmation, caller: ClientsAdministratorDep, dependencies: Dependencies
) -> None:
    """It gets no more tokens. Analyses still accept its access tokens for up to ten minutes."""
    await clients.deactivate(dependencies, caller, client_id, form)


@router.post(
    "/{client_id}/secrets",
    summary="Give a client another secret",
    status_code=201,
    responses=problems(*CONFIRMATION_PROBLEMS, "no-such-client", "too-many-secrets"),
)
async def add_client_secret(
    client_id: ClientId,
    form: Confirmation,
    caller: ClientsAdministratorDep,
    dependencies: Dependencies,
    response: Response,
) -> Client:
    """The earlier ones stay valid for a week, so that the system can change over without an interruption."""
    record = await clients.add_secret(dependencies, caller, client_id, form)
    if record.fresh is not None:
        response.headers["Location"] = f"/v1/clients/{client_id}/secrets/{record.fresh[0]}"
    return _shaped(record)


@router.delete(
    "/{client_id}/secrets/{secret_id}",
    summary="Remove a secret of a client",
    status_code=204,
    responses=problems(*CONFIRMATION_PROBLEMS, "no-such-client"),
)
async def remove_client_secret(
    client_id: ClientId,
    secret_id: SecretId,
    form: Confirmation,
    caller: ClientsAdministratorDep,
    dependencies: Dependencies,
) -> None:
    """The secret is invalid at once."""
    await clients.remove_secret(dependencies, caller, client_id, secret_id, form)


def _shaped(record: clients.ClientRecord) -> Client:
    fresh_id, fresh = record.fresh or (None, None)
    return Client(
        id=record.client.id,
        name=record.client.name,
        scopes=record.client.scope.split(),
        group=record.client.group_name,
        active=record.client.deactivated_at is None,
        created_at=record.client.created_at,
        secrets=[
            ClientSecret(
                id=row.id,
                secret=fresh if row.id == fresh_id else None,
                created_at=row.created_at,
                expires_at=row.expires_at,
            )
            for row in record.secrets
        ],
    )
