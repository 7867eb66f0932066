"""The second factor and its recovery codes, on SQLite and on PostgreSQL."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from pyotp.totp import TOTP

from auth_service.throttle import UNKNOWN_DEVICE
from hepar.contracts.roles import Role
from tests.support.auth_client import EMAIL, PASSWORD, AuthTestClient

SHORT_PASSWORD = "twelve chars!"


def enrolled(auth: AuthTestClient, role: Role = "researcher") -> tuple[dict[str, str], TOTP, list[str]]:
    """An account whose second factor was confirmed with the current code: the next one, `unused`, is valid too."""
    auth.person(role)
    bearer = auth.bearer()
    begun = auth.client.post("/v1/users/me/second-factor", json={"password": PASSWORD}, headers=bearer)
    assert begun.status_code == 201
    totp = TOTP(begun.json()["secret"])
    assert begun.json()["uri"].startswith("otpauth://totp/Hepar:ada%40example.org?secret=")
    confirmed = auth.client.put(
        "/v1/users/me/second-factor", json={"password": PASSWORD, "code": totp.now()}, headers=bearer
    )
    assert confirmed.status_code == 200, confirmed.text
    return bearer, totp, confirmed.json()["codes"]


def unused(totp: TOTP) -> str:
    """The code of the next 30 s: valid now and, where these begin before it is sent, still valid then."""
    return totp.at(time.time() + 30)


def confirmation(method: str, path: str, auth: AuthTestClient, bearer: dict[str, str], **form: str) -> int:
    return auth.client.request(method, path, json={"password": PASSWORD} | form, headers=bearer).status_code


def test_sign_in_requires_a_code_after_the_second_factor_is_confirmed(auth: AuthTestClient) -> None:
    bearer, totp, codes = enrolled(auth)
    assert auth.me(bearer).json()["second_factor"] is True
    assert len(set(codes)) == 10
    asked = auth.sign_in()
    assert (asked.status_code, asked.json()["error"]) == (400, "invalid_grant")
    assert asked.json()["type"].endswith("/second-factor-required")
    refused = [entry for entry in auth.audit() if entry["event"] == "sign_in_refused"]
    assert [entry["reason"] for entry in refused] == ["code required"], "somebody knows the password"
    assert (
        auth.sign_in(password="a wrong but long password", otp=unused(totp))
        .json()["type"]
        .endswith("/wrong-credentials")
    ), "the code says nothing without the password"
    code = unused(totp)
    assert auth.sign_in(otp=code).status_code == 200
    assert auth.sign_in(otp=code).json()["type"] == "/problems/wrong-otp", "a code is single-use"
    assert auth.sign_in(otp="000000").status_code == 400


def test_a_code_sent_twice_in_parallel_is_accepted_once(auth: AuthTestClient) -> None:
    _, totp, _ = enrolled(auth)
    code = unused(totp)
    with ThreadPoolExecutor(2) as pool:
        statuses = sorted(pool.map(lambda _: auth.sign_in(otp=code).status_code, range(2)))
    assert statuses == [200, 400]


def test_a_recovery_code_is_single_use_in_any_spelling(auth: AuthTestClient) -> None:
    _, _, codes = enrolled(auth)
    assert auth.sign_in(otp=codes[0].lower().replace("-", " ")).status_code == 200
    assert auth.sign_in(otp=codes[0]).status_code == 400
    assert auth.sign_in(otp=codes[1]).status_code == 200
    assert auth.events().count("recovery_code_used") == 2


def test_renewed_recovery_codes_replace_the_previous_ones(auth: AuthTestClient) -> None:
    bearer, totp, codes = enrolled(auth)
    path = "/v1/users/me/recovery-codes"
    assert confirmation("POST", path, auth, bearer) == 403, "the code is missing"
    answer = auth.client.post(path, json={"password": PASSWORD, "code": unused(totp)}, headers=bearer)
    assert answer.status_code == 201
    assert not set(answer.json()["codes"]) & set(codes)
    assert auth.sign_in(otp=codes[0]).status_code == 400
    assert auth.sign_in(otp=answer.json()["codes"][0]).status_code == 200


def test_a_second_factor_is_removed_with_password_and_code(auth: AuthTestClient) -> None:
    bearer, totp, codes = enrolled(auth)
    path = "/v1/users/me/second-factor"
    assert confirmation("POST", path, auth, bearer, code=codes[2]) == 409, "there is one"
    assert confirmation("PUT", path, auth, bearer, code=unused(totp)) == 409
    assert confirmation("DELETE", path, auth, bearer, password="wrong", code=codes[0]) == 403
    assert confirmation("DELETE", path, auth, bearer, code="000000") == 403
    assert confirmation("DELETE", path, auth, bearer, code=codes[0]) == 204
    assert confirmation("DELETE", path, auth, bearer, code=codes[1]) == 409
    assert confirmation("POST", "/v1/users/me/recovery-codes", auth, bearer, code=codes[1]) == 409
    assert auth.sign_in().status_code == 200


def test_twelve_characters_suffice_with_a_second_factor_which_then_cannot_be_removed(auth: AuthTestClient) -> None:
    bearer, totp, codes = enrolled(auth)
    form = {"current_password": PASSWORD, "new_password": SHORT_PASSWORD, "code": codes[2]}
    assert auth.client.put("/v1/users/me/password", json=form, headers=bearer).status_code == 204
    bearer = auth.bearer(password=SHORT_PASSWORD, otp=unused(totp))
    path = "/v1/users/me/second-factor"
    assert confirmation("DELETE", path, auth, bearer, password=SHORT_PASSWORD, code=codes[0]) == 422
    assert auth.me(bearer).json()["second_factor"] is True


def test_confirmation_needs_a_pending_second_factor_and_a_right_code(auth: AuthTestClient) -> None:
    auth.sign_up()
    bearer = auth.bearer()
    path = "/v1/users/me/second-factor"
    assert confirmation("PUT", path, auth, bearer, code="123456") == 409
    assert confirmation("POST", path, auth, bearer) == 201
    assert confirmation("PUT", path, auth, bearer, code="ABCDEF") == 403
    assert auth.sign_in().status_code == 200, "not active yet"


@pytest.mark.usefixtures("frozen_time")
def test_guessing_codes_is_throttled(auth: AuthTestClient) -> None:
    enrolled(auth)
    statuses = [auth.sign_in(otp=f"{number:06d}").status_code for number in range(UNKNOWN_DEVICE.free + 2)]
    assert statuses[-1] == 429


def test_deleting_an_account_with_a_second_factor_requires_a_code(auth: AuthTestClient) -> None:
    bearer, totp, _ = enrolled(auth)
    assert confirmation("DELETE", "/v1/users/me", auth, bearer) == 403
    assert confirmation("DELETE", "/v1/users/me", auth, bearer, code=unused(totp)) == 204


def test_the_secret_is_stored_encrypted(auth: AuthTestClient) -> None:
    from sqlalchemy import select

    from auth_service.tables import StoredAccount

    _, totp, _ = enrolled(auth)

    async def stored() -> str | None:
        async with auth.dependencies.database.reading() as session:
            return (await session.scalars(select(StoredAccount.totp_secret).where(StoredAccount.email == EMAIL))).one()

    assert auth.client.portal is not None
    sealed = auth.client.portal.call(stored)
    assert sealed is not None
    assert totp.secret not in sealed
    assert auth.dependencies.secret_key.decrypt(sealed) == totp.secret


CHANGES = [
    ("PUT", "/v1/users/me/password", {"current_password": PASSWORD, "new_password": "quite another long phrase"}),
    ("POST", "/v1/users/me/second-factor", {"password": PASSWORD}),
    ("PUT", "/v1/users/me/second-factor", {"password": PASSWORD, "code": "000000"}),
    ("DELETE", "/v1/users/me/second-factor", {"password": PASSWORD}),
    ("POST", "/v1/users/me/recovery-codes", {"password": PASSWORD}),
    ("DELETE", "/v1/users/me", {"password": PASSWORD}),
    ("POST", "/v1/clients", {"password": PASSWORD, "name": "PACS"}),
    ("DELETE", "/v1/clients/{client_id}", {"password": PASSWORD}),
    ("POST", "/v1/clients/{client_id}/secrets", {"password": PASSWORD}),
    ("DELETE", "/v1/clients/{client_id}/secrets/{secret_id}", {"password": PASSWORD}),
    ("PUT", "/v1/users/{account_id}/role", {"password": PASSWORD, "role": "administrator"}),
    ("DELETE", "/v1/users/{account_id}/second-factor", {"password": PASSWORD}),
    ("DELETE", "/v1/users/{account_id}", {"password": PASSWORD}),
]


def every_operation_on_credentials(auth: AuthTestClient) -> set[tuple[str, str]]:
    """The operations of the published document that need a password."""
    document = auth.client.app.openapi()  # type: ignore[attr-defined]
    with_password = {"Confirmation", "PasswordChange", "SecondFactorActivation", "ClientRegistration", "RoleChange"}
    return {
        (method.upper(), path)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if any(f"schemas/{name}" in str(operation.get("requestBody")) for name in with_password)
    }


def test_every_operation_on_credentials_is_tested_here(auth: AuthTestClient) -> None:
    assert every_operation_on_credentials(auth) == {(method, path) for method, path, _ in CHANGES}


@pytest.mark.usefixtures("frozen_time")
@pytest.mark.parametrize(("method", "path", "form"), CHANGES)
def test_wrong_passwords_and_codes_are_counted_and_audited_at_every_operation(
    auth: AuthTestClient, method: str, path: str, form: dict[str, str]
) -> None:
    path = "/".join("0" * 32 if part.startswith("{") else part for part in path.split("/"))
    bearer, _, codes = enrolled(auth, "administrator")
    field = next(name for name in ("current_password", "password") if name in form)
    wrong_password = form | {field: "a wrong but long password", "code": codes[0]}
    wrong_code = form | {"code": "000000"}
    answers = [auth.client.request(method, path, json=body, headers=bearer) for body in (wrong_password, wrong_code)]
    assert [answer.json()["type"] for answer in answers] == ["/problems/wrong-password", "/problems/wrong-code"]
    answers = [auth.client.request(method, path, json=wrong_code, headers=bearer) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [403, 429, 429, 429]
    assert auth.client.request(method, path, json=form | {"code": codes[1]}, headers=bearer).status_code == 429
    refused = [entry for entry in auth.audit() if entry["event"] == "confirmation_refused"]
    assert [entry["reason"] for entry in refused] == ["wrong password", "wrong code", "wrong code"]
    assert len({entry["actor"] for entry in refused}) == 1
    assert auth.sign_in(otp=codes[1]).status_code == 200, "another session is not concerned"


def test_a_stolen_access_token_sets_no_second_factor(auth: AuthTestClient) -> None:
    auth.sign_up()
    stolen = auth.bearer()
    path = "/v1/users/me/second-factor"
    assert auth.client.post(path, headers=stolen).status_code == 422
    assert confirmation("POST", path, auth, stolen, password="a wrong but long password") == 403
    assert auth.sign_in().status_code == 200


def test_a_refused_new_password_does_not_count_as_a_failure(auth: AuthTestClient) -> None:
    auth.sign_up()
    bearer = auth.bearer()
    weak = {"current_password": PASSWORD, "new_password": "passwordpassword"}
    statuses = [auth.client.put("/v1/users/me/password", json=weak, headers=bearer).status_code for _ in range(6)]
    assert statuses == [422] * 6


def test_an_administrator_resets_a_second_factor(auth: AuthTestClient) -> None:
    owner, _, codes = enrolled(auth)
    identity = auth.me(owner).json()["id"]
    administrator = auth.administrator()
    path = f"/v1/users/{identity}/second-factor"
    assert confirmation("DELETE", path, auth, owner, code=codes[0]) == 403, "only administrators"
    assert confirmation("DELETE", path, auth, administrator, password="a wrong but long password") == 403
    assert confirmation("DELETE", f"/v1/users/{'0' * 32}/second-factor", auth, administrator) == 404
    assert auth.sign_in().status_code != 200
    assert confirmation("DELETE", path, auth, administrator) == 200
    assert confirmation("DELETE", path, auth, administrator) == 409
    assert auth.me(owner).status_code == 401, "its sessions have ended"
    assert auth.me(auth.bearer()).json()["second_factor"] is False
    actor = auth.me(administrator).json()["id"]
    assert {"event": "second_factor_reset", "actor": actor, "subject": identity} in auth.audit()
