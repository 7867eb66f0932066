"""Hospital systems that sign in by themselves: for integrators and administrators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from auth_service import clients
from auth_service.api.dependencies import PROBLEMS, ClientsAdministratorDep, Dependencies, PageDep
from hepar.contracts.accounts import Client, ClientRegistration, ClientSecret, Page

router = APIRouter(prefix="/v1/clients", tags=["clients"], responses=PROBLEMS)

Id = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]


@router.post("", summary="Register a client", status_code=201)
async def register(
    form: ClientRegistration, caller: ClientsAdministratorDep, dependencies: Dependencies, response: Response
) -> Client:
    """Its secret is in the answer, and never again."""
    record = await clients.register(dependencies, caller, form)
    response.headers["Location"] = f"/v1/clients/{record.client.id}"
    return _shaped(record)


@router.get("", summary="List clients")
async def listed(_caller: ClientsAdministratorDep, dependencies: Dependencies, page: PageDep) -> Page[Client]:
    """Oldest first."""
    found, following = await clients.clients(dependencies, page)
    return Page[Client](items=[_shaped(record) for record in found], next=following)


@router.delete("/{client_id}", summary="Deactivate a client", status_code=204)
async def deactivate_client(client_id: Id, caller: ClientsAdministratorDep, dependencies: Dependencies) -> None:
    """Its access tokens are accepted elsewhere for ten minutes at most."""
    await clients.deactivate(dependencies, caller, client_id)


@router.post("/{client_id}/secrets", summary="Give a client another secret", status_code=201)
async def add_secret(
    client_id: Id, caller: ClientsAdministratorDep, dependencies: Dependencies, response: Response
) -> Client:
    """The older ones go on counting for a week, so that nothing stands still while the new one is put in place."""
    record = await clients.add_secret(dependencies, caller, client_id)
    if record.fresh is not None:
        response.headers["Location"] = f"/v1/clients/{client_id}/secrets/{record.fresh[0]}"
    return _shaped(record)


@router.delete("/{client_id}/secrets/{secret_id}", summary="Take a secret from a client", status_code=204)
async def remove_secret(
    client_id: Id, secret_id: Id, caller: ClientsAdministratorDep, dependencies: Dependencies
) -> None:
    """It no longer counts."""
    await clients.remove_secret(dependencies, caller, client_id, secret_id)


def _shaped(record: clients.ClientRecord) -> Client:
    fresh_id, fresh = record.fresh or (None, None)
    return Client(
        id=record.client.id,
        name=record.client.name,
        scopes=record.client.scope.split(),
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
