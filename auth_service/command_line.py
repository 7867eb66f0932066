"""`python -m auth_service create-admin | rotate-key | verify-audit | migrate`."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import os
import sys
from collections.abc import Sequence

from pydantic import ValidationError

from auth_service.accounts import new_account
from auth_service.app import open_dependencies
from auth_service.audit import Actor
from auth_service.dependencies import AuthDependencies
from auth_service.keys import BadSigningKey
from auth_service.secret_key import BadSecretKey
from auth_service.settings import AuthSettings
from hepar.contracts.accounts import SignUp
from hepar.core.errors import HeparError
from hepar.storage.hash_chain import BrokenChain, parsed_anchor

PASSWORD_VARIABLE = "HEPAR_ADMIN_PASSWORD"  # noqa: S105  the variable's name


def run_command(settings: AuthSettings, arguments: Sequence[str]) -> int:
    """Returns 0 on success, otherwise 1 with one line that names the reason."""
    parser = argparse.ArgumentParser(prog="python -m auth_service", description="Without a command: serve.")
    commands = parser.add_subparsers(dest="command", required=True)
    creating = commands.add_parser(
        "create-admin", help=f"create an administrator; the password is prompted for or read from {PASSWORD_VARIABLE}"
    )
    creating.add_argument("email")
    creating.add_argument("--name", default="")
    commands.add_parser(
        "rotate-key", help="sign with a new key; the previous one stays published until its tokens expire"
    )
    verifying = commands.add_parser("verify-audit", help="verify the whole audit log; names the first broken entry")
    verifying.add_argument("--anchor", metavar="NUMBER:HASH", help="an entry as it was logged")
    migrating = commands.add_parser("migrate", help="migrate the database to the newest revision, or to another")
    migrating.add_argument("revision", nargs="?", default="head")
    chosen = parser.parse_args(arguments)
    try:
        asyncio.run(_run(settings, chosen))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        print(faults, file=sys.stderr)  # noqa: T201
        return 1
    except HeparError as error:
        print(f"{error.title}: {error.detail}", file=sys.stderr)  # noqa: T201
        return 1
    except (BadSigningKey, BadSecretKey, BrokenChain) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


async def _run(settings: AuthSettings, chosen: argparse.Namespace) -> None:
    async with open_dependencies(settings) as dependencies:
        if chosen.command == "migrate":
            await dependencies.database.migrate(chosen.revision)
            message = f"the database is at {chosen.revision}"
        elif chosen.command == "create-admin":
            message = await _create_admin(dependencies, chosen.email, chosen.name)
        elif chosen.command == "rotate-key":
            message = await _rotate_key(dependencies)
        else:
            number, digest = await dependencies.audit.verify(dependencies.database, parsed_anchor(chosen.anchor))
            message = f"{number} entries, chain intact; the last one is {number}:{digest}"
    print(message)  # noqa: T201


async def _create_admin(dependencies: AuthDependencies, email: str, name: str) -> str:
    """There is no default password."""
    await dependencies.database.migrate()
    password = os.environ.get(PASSWORD_VARIABLE) or getpass.getpass("Password (15 characters or more): ")
    form = SignUp(email=email, password=password, name=name)
    account = await new_account(dependencies, form, "administrator", "active", Actor(None))
    return f"administrator {account.email} has the id {account.id}"


async def _rotate_key(dependencies: AuthDependencies) -> str:
    await dependencies.database.migrate()
    before = dependencies.issuer.keys.signing().public.kid
    after = dependencies.issuer.keys.rotate().kid
    async with dependencies.audited_transaction() as session:
        await dependencies.audit.append(session, "key_rotated", Actor(None), None, before=before, after=after)
    return f"{after} signs from now on; {before} stays published until its tokens have expired"
