"""For each published problem of an operation, a request that gets it: the table of test_problems_occur."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

import httpx2
from pyotp.totp import TOTP

from hepar.contracts.roles import Role
from tests.gateway.destination_requests import SEND_PROBLEMS
from tests.gateway.finding_requests import FINDING_PROBLEMS
from tests.gateway.study_requests import STUDY_PROBLEMS
from tests.support.auth_client import PASSWORD
from tests.support.gateway_client import DARK
from tests.support.mail_server import MailServer, token_in
from tests.support.public_api import NOBODY, Person, PublicApi, filled

CONFIRM, WRONGLY = {"password": PASSWORD}, {"password": "another wrong password"}
DEMOTE = CONFIRM | {"role": "clinician"}
GROUP = CONFIRM | {"group": "liver"}
WRONG, ANOTHER = "another wrong password", "yet another long password"


def where(path: str, identity: str | None = None) -> str:
    """With this text in place of each id; by default with well-formed ids that nothing has."""
    return filled(path) if identity is None else re.sub(r"\{[a-z_]+\}", identity, path)


Request = Callable[[PublicApi], httpx2.Response]
ME = "/v1/users/me"


def repeated(times: int, send: Callable[[], httpx2.Response]) -> httpx2.Response:
    """The last answer, or the first with status 429: a busy machine outlasts the first delays."""
    answer = send()
    for _ in range(times - 1):
        if answer.status_code == 429:
            break
        answer = send()
    return answer


def by_person(method: str, path: str, second_factor: bool = False, times: int = 1, **body: Any) -> Request:  # noqa: ANN401
    """With a recovery code as `code` where the person has a second factor and the body has no code."""

    def send(api: PublicApi) -> httpx2.Response:
        person = api.person()
        codes = confirm_second_factor(api, person) if second_factor else []
        if codes and "code" not in body["json"]:
            body["json"] = body["json"] | {"code": codes[0]}
        return repeated(times, lambda: api.call(method, path, headers=person.headers, **body))

    return send


def confirm_second_factor(api: PublicApi, person: Person) -> list[str]:
    """Returns the recovery codes."""
    begun = api.call("POST", f"{ME}/second-factor", json=CONFIRM, headers=person.headers)
    form = CONFIRM | {"code": TOTP(begun.json()["secret"]).now()}
    confirmed = api.call("PUT", f"{ME}/second-factor", json=form, headers=person.headers)
    codes: list[str] = confirmed.json()["codes"]
    return codes


def begun_second_factor(times: int = 1, **form: str) -> Request:
    def send(api: PublicApi) -> httpx2.Response:
        person = api.person()
        assert api.call("POST", f"{ME}/second-factor", json=CONFIRM, headers=person.headers).status_code == 201
        body = CONFIRM | form
        return repeated(times, lambda: api.call("PUT", f"{ME}/second-factor", headers=person.headers, json=body))

    return send


def short_password(api: PublicApi) -> httpx2.Response:
    """Twelve characters are enough as long as there is a second factor."""
    person = api.person()
    recovery = confirm_second_factor(api, person)
    change = {"current_password": PASSWORD, "new_password": "vq8#Zt!m2Lx9", "code": recovery[2]}
    assert api.call("PUT", f"{ME}/password", json=change, headers=person.headers).status_code == 204
    form = {"username": person.email, "password": "vq8#Zt!m2Lx9", "otp": recovery[0]}
    headers = {"authorization": f"Bearer {api.token(**form).json()['access_token']}"}
    confirmation = {"password": "vq8#Zt!m2Lx9", "code": recovery[1]}
    return api.call("DELETE", f"{ME}/second-factor", json=confirmation, headers=headers)


def unconfirmed(
    operation: str, method: str, path: str, by: Role = "integrator", **body: str
) -> dict[tuple[str, str], Request]:
    """Somebody with this role gives a wrong password, a wrong code, and too many wrong passwords."""

    def send(api: PublicApi, form: dict[str, str], second_factor: bool = False, times: int = 1) -> httpx2.Response:
        person = api.person(by)
        if second_factor:
            confirm_second_factor(api, person)
        return repeated(times, lambda: api.call(method, where(path), json=body | form, headers=person.headers))

    return {
        (operation, "wrong-password"): lambda api: send(api, WRONGLY),
        (operation, "wrong-code"): lambda api: send(api, CONFIRM | {"code": "000000"}, second_factor=True),
        (operation, "too-many-attempts"): lambda api: send(api, WRONGLY, times=20),
    }


def reset(second_factor: bool = False, times: int = 1, **form: str) -> Request:
    """An administrator, with or without a second factor, resets somebody's."""

    def send(api: PublicApi) -> httpx2.Response:
        administrator, owner = api.person("administrator"), api.person()
        if second_factor:
            confirm_second_factor(api, administrator)
        path, body = f"/v1/users/{owner.id}/second-factor", CONFIRM | form
        return repeated(times, lambda: api.call("DELETE", path, json=body, headers=administrator.headers))

    return send


def signed_in(second_factor: bool = False, times: int = 1, **form: str) -> Request:
    def send(api: PublicApi) -> httpx2.Response:
        person = api.person()
        if second_factor:
            confirm_second_factor(api, person)
        return repeated(times, lambda: api.token(**({"username": person.email, "password": PASSWORD} | form)))

    return send


def deactivated(api: PublicApi) -> httpx2.Response:
    person = api.person()
    assert api.call("POST", f"/v1/users/{person.id}/deactivate").status_code == 200
    return api.token(username=person.email, password=PASSWORD)


def not_verified(api: PublicApi) -> httpx2.Response:
    form = {"email": f"{uuid.uuid4().hex}@example.org", "password": PASSWORD}
    assert api.client.post("/v1/users", json=form).status_code == 201
    return api.token(username=form["email"], password=PASSWORD)


def link_requested(path: str, times: int = 1) -> Request:
    form = {"email": f"{uuid.uuid4().hex}@example.org"}
    return lambda api: repeated(times, lambda: api.client.post(path, json=form))


def link_used(path: str, **more: str) -> Request:
    return lambda api: api.client.put(path, json={"token": "x" * 43} | more)


def invited(api: PublicApi) -> httpx2.Response:
    """Somebody who has an account already."""
    form = CONFIRM | {"email": api.administrator.email, "role": "clinician"}
    return api.call("POST", "/v1/invitations", json=form)


def weak_passwords_with_a_link(api: PublicApi, mail: MailServer) -> list[httpx2.Response]:
    assert api.client.post(RESET, json={"email": api.administrator.email}).status_code == 202
    form = {"token": token_in(mail.wait_for(api.administrator.email)), "new_password": "aaaaaaaaaaaaaaaa"}
    return [api.client.put(RESET, json=form) for _ in range(11)]


def many_secrets(api: PublicApi) -> httpx2.Response:
    path = f"/v1/clients/{api.registered_client()['id']}/secrets"
    return repeated(5, lambda: api.call("POST", path, json=CONFIRM))


def image(path: str, content: bytes, **headers: str) -> Request:
    def send(api: PublicApi) -> httpx2.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return api.call("POST", path, content=content, headers=api.administrator.headers | sent)

    return send


def nothing_there(method: str, path: str, **body: Any) -> Request:  # noqa: ANN401
    return lambda api: api.call(method, where(path), **body)


def last_administrator(method: str, path: str, **body: Any) -> Request:  # noqa: ANN401
    return lambda api: api.call(method, path.replace("{own}", api.administrator.id), **body)


CHANGE = {"current_password": PASSWORD, "new_password": ANOTHER}
IMAGES = {"classify": "/v1/classifications", "detect": "/v1/detections", "analysis": "/v1/analyses"}
BATCHES = {f"{name}_batch": f"{path}/batch" for name, path in IMAGES.items()}
IMAGES |= {"segment": "/v1/segmentations"}
RESET, VERIFICATION = "/v1/password-reset", "/v1/address-verification"
WITH_MAIL: dict[tuple[str, str], Request] = {
    ("create_token", "address-not-verified"): not_verified,
    ("request_password_reset", "too-many-attempts"): link_requested(RESET, times=4),
    ("request_address_verification", "too-many-attempts"): link_requested(VERIFICATION, times=4),
    ("reset_password", "invalid-link"): link_used(RESET, new_password=ANOTHER),
    ("verify_address", "invalid-link"): link_used(VERIFICATION),
    ("invite", "address-in-use"): invited,
}
WITH_A_LINK = [("reset_password", "weak-password"), ("reset_password", "too-many-attempts")]
PROBLEMS: dict[tuple[str, str], Request] = {
    **STUDY_PROBLEMS,
    **SEND_PROBLEMS,
    **FINDING_PROBLEMS,
    **{
        (name, "bad-content-length"): image(path, DARK, content_type="image/png", content_length="many")
        for name, path in (IMAGES | BATCHES).items()
    },
    **{(name, "unreadable-image"): image(path, DARK[:60], content_type="image/png") for name, path in IMAGES.items()},
    ("create_token", "invalid-token-request"): lambda api: api.token(grant_type="refresh_token"),
    ("revoke_token", "invalid-token-request"): lambda api: api.client.post("/v1/token/revoke"),
    ("create_token", "unsupported-grant-type"): lambda api: api.token(grant_type="implicit"),
    ("create_token", "wrong-credentials"): signed_in(password=WRONG),
    ("create_token", "second-factor-required"): signed_in(second_factor=True),
    ("create_token", "wrong-otp"): signed_in(second_factor=True, otp="000000"),
    ("create_token", "invalid-grant"): lambda api: api.token(grant_type="refresh_token", refresh_token="another"),
    ("create_token", "wrong-client"): lambda api: api.token(
        grant_type="client_credentials", client_id=NOBODY, client_secret="another"
    ),
    ("create_token", "account-not-active"): deactivated,
    ("create_token", "too-many-attempts"): signed_in(password=WRONG, times=20),
    ("request_password_reset", "email-not-offered"): link_requested(RESET),
    ("request_address_verification", "email-not-offered"): link_requested(VERIFICATION),
    ("reset_password", "email-not-offered"): link_used(RESET, new_password=ANOTHER),
    ("verify_address", "email-not-offered"): link_used(VERIFICATION),
    ("invite", "email-not-offered"): invited,
    ("sign_up", "address-in-use"): lambda api: api.client.post(
        "/v1/users", json={"email": api.administrator.email, "password": PASSWORD}
    ),
    ("sign_up", "weak-password"): lambda api: api.client.post(
        "/v1/users", json={"email": "weak@example.org", "password": "aaaaaaaaaaaaaaaa"}
    ),
    ("sign_up", "too-many-attempts"): lambda api: repeated(
        20,
        lambda: api.client.post("/v1/users", json={"email": "late@example.org", "password": "aaaaaaaaaaaaaaaa"}),
    ),
    ("sign_up", "sign-up-closed"): lambda api: api.client.post(
        "/v1/users", json={"email": "late@example.org", "password": PASSWORD}
    ),
    ("delete_me", "wrong-password"): by_person("DELETE", ME, json=WRONGLY),
    ("delete_me", "wrong-code"): by_person("DELETE", ME, second_factor=True, json=CONFIRM | {"code": "000000"}),
    ("delete_me", "last-administrator"): last_administrator("DELETE", ME, json=CONFIRM),
    ("delete_me", "too-many-attempts"): by_person("DELETE", ME, times=20, json=WRONGLY),
    ("change_password", "wrong-password"): by_person(
        "PUT", f"{ME}/password", json={"current_password": WRONG, "new_password": ANOTHER}
    ),
    ("change_password", "weak-password"): by_person(
        "PUT", f"{ME}/password", json={"current_password": PASSWORD, "new_password": "aaaaaaaaaaaaaaaa"}
    ),
    ("change_password", "too-many-attempts"): by_person(
        "PUT", f"{ME}/password", times=20, json={"current_password": WRONG, "new_password": ANOTHER}
    ),
    ("change_password", "wrong-code"): by_person(
        "PUT", f"{ME}/password", second_factor=True, json=CHANGE | {"code": "000000"}
    ),
    ("begin_second_factor", "wrong-password"): by_person("POST", f"{ME}/second-factor", json=WRONGLY),
    ("begin_second_factor", "wrong-code"): by_person(
        "POST", f"{ME}/second-factor", second_factor=True, json=CONFIRM | {"code": "000000"}
    ),
    ("begin_second_factor", "too-many-attempts"): by_person("POST", f"{ME}/second-factor", times=20, json=WRONGLY),
    ("begin_second_factor", "second-factor-active"): by_person(
        "POST", f"{ME}/second-factor", second_factor=True, json=CONFIRM
    ),
    ("confirm_second_factor", "wrong-password"): begun_second_factor(password=WRONG, code="000000"),
    ("confirm_second_factor", "wrong-code"): begun_second_factor(code="000000"),
    ("confirm_second_factor", "no-second-factor"): by_person(
        "PUT", f"{ME}/second-factor", json=CONFIRM | {"code": "000000"}
    ),
    ("confirm_second_factor", "second-factor-active"): by_person(
        "PUT", f"{ME}/second-factor", second_factor=True, json=CONFIRM
    ),
    ("confirm_second_factor", "too-many-attempts"): begun_second_factor(times=20, code="000000"),
    ("reset_second_factor", "wrong-password"): reset(password=WRONG),
    ("reset_second_factor", "wrong-code"): reset(second_factor=True, code="000000"),
    ("reset_second_factor", "too-many-attempts"): reset(times=20, password=WRONG),
    ("reset_second_factor", "no-such-account"): nothing_there(
        "DELETE", "/v1/users/{account_id}/second-factor", json=CONFIRM
    ),
    ("reset_second_factor", "no-second-factor"): reset(),
    ("remove_second_factor", "wrong-password"): by_person("DELETE", f"{ME}/second-factor", json=WRONGLY),
    ("remove_second_factor", "no-second-factor"): by_person("DELETE", f"{ME}/second-factor", json=CONFIRM),
    ("remove_second_factor", "weak-password"): short_password,
    ("remove_second_factor", "wrong-code"): by_person(
        "DELETE", f"{ME}/second-factor", second_factor=True, json=CONFIRM | {"code": "000000"}
    ),
    ("remove_second_factor", "too-many-attempts"): by_person("DELETE", f"{ME}/second-factor", times=20, json=WRONGLY),
    ("renew_recovery_codes", "wrong-password"): by_person("POST", f"{ME}/recovery-codes", json=WRONGLY),
    ("renew_recovery_codes", "no-second-factor"): by_person("POST", f"{ME}/recovery-codes", json=CONFIRM),
    ("renew_recovery_codes", "wrong-code"): by_person(
        "POST", f"{ME}/recovery-codes", second_factor=True, json=CONFIRM | {"code": "000000"}
    ),
    ("renew_recovery_codes", "too-many-attempts"): by_person("POST", f"{ME}/recovery-codes", times=20, json=WRONGLY),
    ("end_session", "no-such-session"): nothing_there("DELETE", f"{ME}/sessions/{{session_id}}"),
    ("get_user", "no-such-account"): nothing_there("GET", "/v1/users/{account_id}"),
    ("delete_user", "no-such-account"): nothing_there("DELETE", "/v1/users/{account_id}", json=CONFIRM),
    ("delete_user", "last-administrator"): last_administrator("DELETE", "/v1/users/{own}", json=CONFIRM),
    ("approve_user", "no-such-account"): nothing_there("POST", "/v1/users/{account_id}/approve"),
    ("approve_user", "not-pending"): lambda api: api.call("POST", f"/v1/users/{api.person().id}/approve"),
    ("deactivate_user", "no-such-account"): nothing_there("POST", "/v1/users/{account_id}/deactivate"),
    ("deactivate_user", "last-administrator"): last_administrator("POST", "/v1/users/{own}/deactivate"),
    ("reactivate_user", "no-such-account"): nothing_there("POST", "/v1/users/{account_id}/reactivate"),
    ("change_group", "no-such-account"): nothing_there("PUT", "/v1/users/{account_id}/group", json=GROUP),
    ("change_role", "no-such-account"): nothing_there("PUT", "/v1/users/{account_id}/role", json=DEMOTE),
    ("change_role", "last-administrator"): last_administrator("PUT", "/v1/users/{own}/role", json=DEMOTE),
    ("list_sign_ins_of_user", "no-such-account"): nothing_there("GET", "/v1/users/{account_id}/sign-ins"),
    ("deactivate_client", "no-such-client"): nothing_there("DELETE", "/v1/clients/{client_id}", json=CONFIRM),
    ("add_client_secret", "no-such-client"): nothing_there("POST", "/v1/clients/{client_id}/secrets", json=CONFIRM),
    ("add_client_secret", "too-many-secrets"): many_secrets,
    ("remove_client_secret", "no-such-client"): nothing_there(
        "DELETE", "/v1/clients/{client_id}/secrets/{secret_id}", json=CONFIRM
    ),
    **unconfirmed("delete_user", "DELETE", "/v1/users/{account_id}", "administrator"),
    **unconfirmed("change_group", "PUT", "/v1/users/{account_id}/group", "administrator", group="liver"),
    **unconfirmed("invite", "POST", "/v1/invitations", "administrator", email="i@example.org", role="clinician"),
    **unconfirmed("change_role", "PUT", "/v1/users/{account_id}/role", "administrator", role="clinician"),
    **unconfirmed("register_client", "POST", "/v1/clients", name="PACS"),
    **unconfirmed("deactivate_client", "DELETE", "/v1/clients/{client_id}"),
    **unconfirmed("add_client_secret", "POST", "/v1/clients/{client_id}/secrets"),
    **unconfirmed("remove_client_secret", "DELETE", "/v1/clients/{client_id}/secrets/{secret_id}"),
}
