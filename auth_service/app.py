"""auth_service: wiring."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI

from auth_service.api import install_routes
from auth_service.audit import AuditLog
from auth_service.dependencies import AuthDependencies, delete_expired_rows
from auth_service.devices import DeviceTokens
from auth_service.email_delivery import EmailDelivery
from auth_service.email_links import delete_expired_links
from auth_service.keys import KeyRing
from auth_service.mailer import Mailer
from auth_service.migrations import MIGRATIONS
from auth_service.passwords import PasswordHasher
from auth_service.secret_key import load_secret_key
from auth_service.settings import AuthSettings
from auth_service.throttle import Throttle
from auth_service.tokens import TokenIssuer
from hepar.core.errors import HeparError
from hepar.storage.database import open_database
from hepar.web.app import new_app

_log = logging.getLogger(__name__)
_CLEANING_S = 3600
_DELIVERY_S = 2


@asynccontextmanager
async def open_dependencies(settings: AuthSettings) -> AsyncIterator[AuthDependencies]:
    """Everything that routes and commands work with. Raises BadSigningKey, BadSecretKey."""
    secret_key = load_secret_key(settings.secret_key_file)
    given = settings.signing_key.get_secret_value() if settings.signing_key else None
    keys = KeyRing(settings.keys_folder, settings.access_token_s, given)
    issuer = TokenIssuer(keys, settings.issuer, settings.audience, settings.access_token_s)
    hasher = PasswordHasher()
    audit = AuditLog(secret_key.derived("audit"))
    try:
        async with open_database(settings.database_url, MIGRATIONS, "accounts") as database:
            throttle, devices = Throttle(database), DeviceTokens(secret_key.derived("devices"))
            yield AuthDependencies(settings, database, hasher, issuer, throttle, audit, secret_key, devices)
    finally:
        hasher.close()


def create_app(settings: AuthSettings) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_dependencies(settings) as dependencies:
            if settings.migrate_at_start:
                await dependencies.database.migrate()

            async def readiness() -> dict[str, bool]:
                return {"database": await dependencies.database.is_reachable()}

            app.state.dependencies = dependencies
            app.state.readiness = readiness
            stopping = asyncio.Event()
            mailer = Mailer(settings)
            delivery = EmailDelivery(dependencies, mailer)
            tasks = [asyncio.create_task(_repeat(partial(_clean, dependencies), _CLEANING_S, stopping))]
            if settings.smtp_host:
                tasks.append(asyncio.create_task(_repeat(delivery.deliver_due, _DELIVERY_S, stopping)))
            try:
                yield
            finally:
                stopping.set()  # not cancelled: that in the middle of a transaction leaves its connection open
                await asyncio.gather(*tasks)
                mailer.close()

    app = new_app("Hepar auth_service", "Accounts, sign-in, tokens", settings, lifespan, complete_after_disconnect=True)
    install_routes(app)
    return app


async def _clean(dependencies: AuthDependencies) -> None:
    await delete_expired_rows(dependencies)
    await delete_expired_links(dependencies)


async def _repeat(work: Callable[[], Awaitable[None]], interval_s: float, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        try:
            await work()
        except HeparError as error:
            _log.warning("work in the background failed", extra={"reason": error.detail})
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), interval_s)
