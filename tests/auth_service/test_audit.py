"""The audit log, the commands and the migrations, on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import delete, inspect, text, update
from sqlalchemy.ext.asyncio import create_async_engine
from starlette.testclient import TestClient

from auth_service.app import create_app
from auth_service.migrations import MIGRATIONS
from auth_service.secret_key import BadSecretKey, SecretKey, load_secret_key
from auth_service.settings import AuthSettings
from auth_service.tables import Base, StoredAuditEntry, StoredAuditHead
from hepar.storage.database import open_database
from hepar.storage.hash_chain import BrokenChain
from tests.support.auth_client import EMAIL, PASSWORD, AuthTestClient


def verified(auth: AuthTestClient, anchor: tuple[int, str] | None = None) -> tuple[int, str]:
    assert auth.client.portal is not None
    return auth.client.portal.call(auth.dependencies.audit.verify, auth.dependencies.database, anchor)


def tamper(auth: AuthTestClient, *statements: object) -> None:
    async def run() -> None:
        async with auth.dependencies.database.writing() as session:
            for statement in statements:
                await session.execute(statement)  # type: ignore[call-overload]

    assert auth.client.portal is not None
    auth.client.portal.call(run)


def busy(auth: AuthTestClient) -> tuple[int, str]:
    """Six entries."""
    auth.sign_up()
    for _ in range(5):
        auth.tokens()
    return verified(auth)


ENTRY = StoredAuditEntry.number


def test_an_unmodified_chain_is_valid_and_its_head_can_be_stored_elsewhere(auth: AuthTestClient) -> None:
    number, digest = busy(auth)
    assert number == 6
    assert verified(auth, (number, digest)) == (number, digest)
    auth.tokens()
    assert verified(auth, (number, digest))[0] == 7


def test_a_changed_entry_is_named(auth: AuthTestClient) -> None:
    busy(auth)
    tamper(auth, update(StoredAuditEntry).where(ENTRY == 3).values(event="signed_out"))
    with pytest.raises(BrokenChain, match="entry 3 was changed"):
        verified(auth)


def test_a_missing_entry_is_named(auth: AuthTestClient) -> None:
    busy(auth)
    tamper(auth, delete(StoredAuditEntry).where(ENTRY == 4))
    with pytest.raises(BrokenChain, match="entry 4 is missing"):
        verified(auth)


def test_a_truncated_chain_is_detected_by_its_head_and_a_removed_head_by_the_log(auth: AuthTestClient) -> None:
    number, digest = busy(auth)
    tamper(auth, delete(StoredAuditEntry).where(ENTRY.in_([number])))
    with pytest.raises(BrokenChain, match="the head names entry 6, but the chain ends with 5"):
        verified(auth)

    async def end() -> str:
        async with auth.dependencies.database.reading() as session:
            entry = await session.get(StoredAuditEntry, 5)
            assert entry is not None
            return entry.hash

    assert auth.client.portal is not None
    tamper(auth, update(StoredAuditHead).values(number=5, hash=auth.client.portal.call(end)))
    assert verified(auth)[0] == 5, "an attacker with the database can truncate it"
    with pytest.raises(BrokenChain, match="entry 6 is missing"):
        verified(auth, (number, digest))
    with pytest.raises(BrokenChain, match="entry 5 is not the one that was logged"):
        verified(auth, (5, digest))


def test_a_change_fails_when_its_audit_entry_cannot_be_written(auth: AuthTestClient) -> None:
    """The audit entry is in the transaction of the change."""
    auth.sign_up()
    tamper(auth, delete(StoredAuditHead))
    assert auth.sign_up("bob@example.org").status_code == 500
    tamper(auth, text("INSERT INTO audit_head (id, number, hash) SELECT 1, number, hash FROM audit_entries"))
    assert auth.sign_in("bob@example.org").status_code == 400, "no account was created"
    assert auth.sign_up("bob@example.org").status_code == 201


def test_administrators_page_through_the_audit_log_which_contains_no_secret(auth: AuthTestClient) -> None:
    administrator = auth.administrator()
    auth.sign_up()
    auth.sign_in(password="a wrong but long password")
    whole = auth.client.get("/v1/audit", headers=administrator).json()
    assert [item["number"] for item in whole["items"]] == [1, 2, 3, 4]
    first = auth.client.get("/v1/audit", params={"limit": 3}, headers=administrator).json()
    rest = auth.client.get("/v1/audit", params={"after": first["next"]}, headers=administrator).json()
    assert [*first["items"], *rest["items"]] == whole["items"]
    for secret in (PASSWORD, "a wrong but long password", EMAIL, administrator["authorization"].split()[1]):
        assert secret not in str(whole)


def test_the_audit_log_is_filtered(auth: AuthTestClient) -> None:
    administrator = auth.administrator()
    ada = auth.sign_up().json()["id"]
    auth.sign_in(password="a wrong but long password")

    def found(**params: str | list[str]) -> list[int]:
        answer = auth.client.get("/v1/audit", params=params, headers=administrator)
        assert answer.status_code == 200, answer.text
        return [item["number"] for item in answer.json()["items"]]

    whole = found()
    events = {item["number"]: item for item in auth.client.get("/v1/audit", headers=administrator).json()["items"]}
    assert found(order="newest") == whole[::-1]
    assert found(order="newest", after=str(whole[2]), limit="1") == [whole[1]]
    assert found(account=ada) == [
        number for number in whole if ada in (events[number]["actor"], events[number]["subject"])
    ]
    assert found(event=["sign_in_refused", "signed_up"]) == [
        number for number in whole if events[number]["event"] in ("sign_in_refused", "signed_up")
    ]
    middle = events[whole[2]]["at"]
    assert found(at_from=middle) == whole[2:]
    assert found(at_to=middle) == whole[:2]
    assert found(at_from="0001-01-01T00:00:00+14:00", at_to="9999-12-31T23:59:59-14:00") == whole
    for wrong in ({"at_from": "5"}, {"event": "unknown"}, {"order": "other"}, {"at_to": "2026-11-26T09:30:00"}):
        assert auth.client.get("/v1/audit", params=wrong, headers=administrator).status_code == 422


def test_the_export_of_the_audit_log_is_a_table_and_an_entry(
    auth: AuthTestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    administrator = auth.administrator()
    account_id = auth.person(email=EMAIL)
    auth.sign_in(password="a wrong but long password")
    exported = auth.client.get("/v1/audit.csv", params={"account": account_id}, headers=administrator)
    assert exported.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(exported.text, newline="")))
    assert [(row["number"], row["event"], row["subject"]) for row in rows] == [
        ("3", "signed_up", account_id),
        ("4", "sign_in_refused", account_id),
    ]
    assert json.loads(rows[1]["details"]) == {"reason": "wrong password"}
    assert rows[1]["hash"] == auth.client.get("/v1/audit", headers=administrator).json()["items"][3]["hash"]
    assert auth.audit()[-1]["event"] == "audit_exported"
    assert auth.audit()[-1]["entries"] == "2"
    monkeypatch.setattr("auth_service.audit_queries.EXPORT_ENTRIES_MAX", 4)
    refused = auth.client.get("/v1/audit.csv", headers=administrator)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "too_many_entries")


def command(settings: AuthSettings, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = os.environ | environment | {
        "HEPAR_AUTH_DATABASE_URL": settings.database_url,
        "HEPAR_AUTH_KEYS_FOLDER": str(settings.keys_folder),
        "HEPAR_AUTH_SECRET_KEY_FILE": str(settings.secret_key_file),
    }  # fmt: skip
    ours = [sys.executable, "-m", "auth_service", *arguments]
    return subprocess.run(ours, env=variables, capture_output=True, text=True, timeout=60, check=False)


def test_a_command_creates_the_first_administrator(auth_settings: AuthSettings) -> None:
    weak = command(auth_settings, "create-admin", EMAIL, HEPAR_ADMIN_PASSWORD="passwordpassword")
    assert weak.returncode == 1
    assert "too easy to guess" in weak.stderr
    wrong = command(auth_settings, "create-admin", "no address", HEPAR_ADMIN_PASSWORD=PASSWORD)
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("email: ")
    done = command(auth_settings, "create-admin", EMAIL, "--name", "Ada", HEPAR_ADMIN_PASSWORD=PASSWORD)
    assert done.returncode == 0, done.stderr
    assert PASSWORD not in done.stdout
    again = command(auth_settings, "create-admin", EMAIL, HEPAR_ADMIN_PASSWORD=PASSWORD)
    assert again.returncode == 1
    assert len(again.stderr.splitlines()) == 1
    with TestClient(create_app(auth_settings), base_url="http://127.0.0.1") as client:
        auth = AuthTestClient(client)
        assert auth.me(auth.bearer()).json()["role"] == "administrator"


def test_commands_migrate_rotate_and_verify(auth_settings: AuthSettings) -> None:
    assert command(auth_settings, "migrate").returncode == 0
    first = command(auth_settings, "rotate-key")
    assert first.returncode == 0, first.stderr
    assert "signs from now on" in first.stdout
    checked = command(auth_settings, "verify-audit")
    assert checked.stdout.startswith("1 entries, chain intact; the last one is 1:")
    anchor = checked.stdout.split()[-1]
    assert command(auth_settings, "verify-audit", "--anchor", anchor).returncode == 0
    for wrong, words in (("2:abc", "entry 2 is missing"), ("x", "is not NUMBER:HASH")):
        refused = command(auth_settings, "verify-audit", "--anchor", wrong)
        assert refused.returncode == 1
        assert words in refused.stderr


def tables(connection: object) -> dict[str, set[str]]:
    inspector = inspect(connection)
    assert inspector is not None
    return {name: {column["name"] for column in inspector.get_columns(name)} for name in inspector.get_table_names()}


def test_migrations_create_the_tables_of_the_code_and_can_be_reverted(database_url: str) -> None:
    async def there_and_back() -> list[dict[str, set[str]]]:
        async with open_database(database_url, MIGRATIONS, "accounts") as database:
            seen = []
            for revision in ("head", "base", "head"):
                await database.migrate(revision)
                async with database._writing_engine.connect() as connection:
                    seen.append(await connection.run_sync(tables))
            return seen

    up, down, again = asyncio.run(there_and_back())
    expected = {name: set(table.columns.keys()) for name, table in Base.metadata.tables.items()}
    expected["request_counts"] = {"key", "period", "count"}  # of hepar.storage.request_counts, which declares no table
    assert {name: columns for name, columns in up.items() if name != "alembic_version"} == expected
    assert set(down) <= {"alembic_version"}
    assert again == up


def test_two_services_that_start_together_migrate_once(database_url: str) -> None:
    async def both() -> None:
        async with (
            open_database(database_url, MIGRATIONS, "accounts") as one,
            open_database(database_url, MIGRATIONS, "accounts") as other,
        ):
            await asyncio.gather(one.migrate(), other.migrate())
            assert await one.is_reachable()

    asyncio.run(both())


def test_accounts_of_the_first_version_survive_the_migration(database_url: str, auth_settings: AuthSettings) -> None:
    """The first version created its table without migrations."""

    async def first_version() -> None:
        async with open_database(database_url, MIGRATIONS, "accounts"):
            engine = create_async_engine(database_url)
            async with engine.begin() as connection:
                await connection.execute(
                    text(
                        "CREATE TABLE accounts (id VARCHAR(32) PRIMARY KEY, email VARCHAR(254) UNIQUE NOT NULL, "
                        "password_hash VARCHAR(256) NOT NULL, created_at TIMESTAMP NOT NULL)"
                    )
                )
                from passlib.hash import argon2

                stored = argon2.using(type="ID", memory_cost=19456, time_cost=2, parallelism=1).hash(PASSWORD)  # type: ignore[no-untyped-call]
                await connection.execute(
                    text("INSERT INTO accounts VALUES ('a', 'ada@example.org', :stored, '2026-11-01 00:00:00')"),
                    {"stored": stored},
                )
            await engine.dispose()

    asyncio.run(first_version())
    with TestClient(create_app(auth_settings), base_url="http://127.0.0.1") as client:
        auth = AuthTestClient(client)
        account = auth.me(auth.bearer()).json()
    assert (account["id"], account["role"], account["status"]) == ("a", "researcher", "active")


def test_the_secret_key_is_created_once_and_must_be_private(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "secret.key"
    first = load_secret_key(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert load_secret_key(file).derived("audit") == first.derived("audit") != first.derived("other")
    with pytest.raises(BadSecretKey, match="not the one that the database was written with"):
        SecretKey(bytes(range(32))).decrypt(first.encrypt("text"))
    with pytest.raises(BadSecretKey, match="has 31 bytes"):
        SecretKey(b"x" * 31)
    with pytest.raises(BadSecretKey, match="a sample"):
        SecretKey(b"change-me-" * 4)
    file.chmod(0o640)
    with pytest.raises(BadSecretKey, match="can be read by others"):
        load_secret_key(file)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file to somebody else")
def test_a_mounted_secret_of_another_owner_may_be_group_readable(tmp_path: Path) -> None:
    file = tmp_path / "secret.key"
    load_secret_key(file)
    os.chown(file, 12345, os.getgid())
    file.chmod(0o440)
    load_secret_key(file)
    file.chmod(0o444)
    with pytest.raises(BadSecretKey, match="can be read by others"):
        load_secret_key(file)
