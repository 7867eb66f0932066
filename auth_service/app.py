"""auth_service: wiring."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from auth_service.accounts import Accounts
from auth_service.api import router
from auth_service.passwords import PasswordHasher
from auth_service.settings import AuthSettings
from auth_service.store import open_store
from auth_service.tokens import TokenIssuer, load_signing_key, public_key_of
from hepar.service.app import new_app


def create_app(settings: AuthSettings) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        pem = load_signing_key(settings.signing_key_file)
        issuer = TokenIssuer(pem, public_key_of(pem), settings.issuer, settings.audience, settings.access_token_s)
        hasher = PasswordHasher()
        async with open_store(settings.database_url) as store:

            async def readiness() -> dict[str, bool]:
                return {"database": await store.answers()}

            app.state.accounts = Accounts(store, hasher, issuer)
            app.state.readiness = readiness
            yield
        hasher.close()

    app = new_app("Hepar auth_service", "Accounts, sign-in, tokens", settings, lifespan)
    app.include_router(router)
    return app
