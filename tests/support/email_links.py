"""An auth_service that sends links by e-mail, and what people do with them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import select
from starlette.testclient import TestClient

from auth_service.app import create_app
from auth_service.settings import AuthSettings
from tests.support.auth_client import EMAIL, AuthTestClient

ANOTHER = "yet another long passphrase"


@contextmanager
def running(settings: AuthSettings, **changes: object) -> Iterator[AuthTestClient]:
    app = create_app(settings.model_copy(update=changes))
    with TestClient(app, base_url="http://127.0.0.1", client=("192.0.2.1", 50000)) as client:
        yield AuthTestClient(client)


def forgotten(auth: AuthTestClient, email: str = EMAIL) -> Any:  # noqa: ANN401
    return auth.client.post("/v1/password-reset", json={"email": email})


def reset(auth: AuthTestClient, token: str, password: str = ANOTHER) -> Any:  # noqa: ANN401
    return auth.client.put("/v1/password-reset", json={"token": token, "new_password": password})


def execute(auth: AuthTestClient, statement: Any) -> None:  # noqa: ANN401
    async def run() -> None:
        async with auth.dependencies.database.writing() as session:
            await session.execute(statement)

    assert auth.client.portal is not None
    auth.client.portal.call(run)


def rows(auth: AuthTestClient, table: Any) -> list[Any]:  # noqa: ANN401
    async def read() -> list[Any]:
        async with auth.dependencies.database.reading() as session:
            return list((await session.scalars(select(table))).all())

    assert auth.client.portal is not None
    return auth.client.portal.call(read)
