"""Every published problem of every operation can occur: for each one, a request that gets it.

A published problem without an entry in the table fails, and so does an entry that is not published.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient
from pyotp.totp import TOTP

from auth_service.app import create_app as create_auth
from auth_service.settings import AuthSettings
from gateway.openapi import load_public_document
from hepar.web.openapi import operations, problems_of
from tests.support.auth_client import PASSWORD
from tests.support.gateway_client import DARK, NOWHERE, Misbehaving, Surroundings, bearer, gateway, problem
from tests.support.mail_server import MailServer, mail_server, mail_settings, token_in
from tests.support.public_api import Person, PublicApi
from tests.support.serving import serving

DOCUMENT = load_public_document()
OPERATIONS = {(method.upper(), path): operation for path, method, operation in operations(DOCUMENT)}
ELSEWHERE = {
    "internal-error": "a defect: tests/web/test_app.py",
    "busy": "tests/web/test_app.py and tests/end_to_end",
    "upload-too-slow": "tests/web/test_app.py",
    "malformed-request": "tests/security/test_refusals.py",
    "idempotency-in-progress": "tests/gateway/test_idempotency.py",
    "unauthenticated": "tests/gateway/test_parameters_are_published.py",
    "forbidden": "tests/gateway/test_parameters_are_published.py",
    "below-quorum": "tests/classify_service",
}
OF_MANY = {
    "unknown-host", "headers-too-large", "url-too-long", "too-large", "rate-limited", "unavailable", "bad-upstream",
    "deadline-exceeded", "idempotency-key-reused", "invalid-request", "unsupported-media",
}  # fmt: skip
SPECIFIC = {
    (operation["operationId"], slug)
    for operation in OPERATIONS.values()
    for slug in problems_of(operation)
    if slug not in OF_MANY | ELSEWHERE.keys()
}
CONFIRM, WRONGLY = {"password": PASSWORD}, {"password": "another wrong password"}
WRONG, ANOTHER, NOBODY = "another wrong password", "yet another long password", "0" * 32


def where(path: str, identity: str = NOBODY) -> str:
    return "/".join(identity if part.startswith("{") else part for part in path.split("/"))


def body_of(operation: dict[str, Any]) -> dict[str, Any]:
    uploads = "multipart/form-data" in operation.get("requestBody", {}).get("content", {})
    return {"files": [("image", ("a.png", DARK))]} if uploads else {"json": {}}


def with_problem(slug: str) -> list[tuple[tuple[str, str], dict[str, Any]]]:
    return [(route, operation) for route, operation in OPERATIONS.items() if slug in problems_of(operation)]


def expect(slug: str, client: TestClient, send: Callable[[str, str, dict[str, Any]], httpx2.Response]) -> None:
    found = with_problem(slug)
    assert found
    for (method, path), operation in found:
        answer = send(method, path, operation)
        assert problem(answer).type == f"/problems/{slug}", (method, path, answer.text)
        assert str(answer.status_code) in operation["responses"]


def test_the_guard_refuses_at_every_operation(around: Surroundings) -> None:
    too_many = {f"x-{number}": "1" for number in range(120)}
    with gateway(around, upload_bytes_max=1000) as client:
        expect("unknown-host", client, lambda m, p, _: client.request(m, where(p), headers={"host": "elsewhere"}))
        expect("headers-too-large", client, lambda m, p, _: client.request(m, where(p), headers=too_many))
        expect("url-too-long", client, lambda m, p, _: client.request(m, where(p), params={"x": "x" * 5000}))
        coded = {"content-encoding": "gzip"}
        expect("unsupported-media", client, lambda m, p, _: client.request(m, where(p), content=b"x", headers=coded))
        headers = bearer(around) | {"content-type": "image/png"}
        expect("too-large", client, lambda m, p, _: client.request(m, where(p), content=b"x" * 70_000, headers=headers))


def test_each_operation_refuses_an_invalid_request(around: Surroundings) -> None:
    def send(method: str, path: str, operation: dict[str, Any]) -> httpx2.Response:
        headers = (bearer(around) if "analyses" in str(operation["security"]) else api.administrator.headers).copy()
        if "Idempotency-Key" in str(operation["parameters"]):
            return client.request(method, where(path), headers=headers | {"idempotency-key": "short"}, json={})
        query = {"limit": "0"} if "limit" in str(operation["parameters"]) else {"no_such_parameter": "1"}
        return client.request(method, where(path, "no-id"), headers=headers, params=query, json=[])

    with gateway(around) as client:
        api = PublicApi(client, around)
        expect("invalid-request", client, send)


def test_a_key_of_another_request_is_refused_at_every_analysis(around: Surroundings) -> None:
    def send(method: str, path: str, operation: dict[str, Any]) -> httpx2.Response:
        headers = bearer(around) | {"idempotency-key": str(uuid.uuid4())}
        body: dict[str, Any] = {"files": [("image", ("a.png", DARK))]}
        assert client.request(method, path, headers=headers, **body).status_code == 200
        return client.request(method, path, headers=headers, params={"frame": "0"}, **body)

    with gateway(around) as client:
        expect("idempotency-key-reused", client, send)


def test_the_gateway_refuses_and_fails_at_every_operation(around: Surroundings) -> None:
    def plain(method: str, path: str, operation: dict[str, Any]) -> httpx2.Response:
        return client.request(method, where(path), headers=bearer(around), **body_of(operation))

    with gateway(around, address_per_minute=1) as client:
        client.get("/v1/models")
        expect("rate-limited", client, plain)
    with gateway(around, auth_url=NOWHERE, classify_url=NOWHERE, detect_url=NOWHERE) as client:
        expect("unavailable", client, plain)


@pytest.mark.parametrize(
    ("slug", "behaviour"),
    [
        ("bad-upstream", Misbehaving(status=500, body=b"Traceback", kind=b"text/plain")),
        ("deadline-exceeded", Misbehaving(wait_s=20)),
    ],
)
def test_a_service_that_fails_or_is_slow_is_reported_at_every_operation(
    around: Surroundings, slug: str, behaviour: Misbehaving
) -> None:
    limits = {"deadline_s": 0.1, "batch_deadline_s": 0.1, "account_deadline_s": 0.1}
    with (
        serving(behaviour) as url,
        gateway(around, classify_url=url, detect_url=url, **limits) as images,
        gateway(around, auth_url=url, **limits) as accounts,
    ):

        def send(method: str, path: str, operation: dict[str, Any]) -> httpx2.Response:
            client = images if "analyses" in str(operation["security"]) else accounts
            return client.request(method, where(path), headers=bearer(around), **body_of(operation))

        expect(slug, images, send)


@contextmanager
def of_its_own(around: Surroundings, folder: Path, **settings: object) -> Iterator[PublicApi]:
    """A system with one administrator. settings: of auth_service."""
    files = {
        "database_url": f"sqlite+aiosqlite:///{folder / 'a.sqlite3'}",
        "keys_folder": folder / "keys",
        "secret_key_file": folder / "secret.key",
    }
    with serving(create_auth(AuthSettings.model_validate(files | settings))) as url:
        own = replace(around, auth_url=url, folder=folder)
        with gateway(own) as client:
            yield PublicApi(client, own)


@pytest.fixture(scope="module")
def api(around: Surroundings) -> Iterator[PublicApi]:
    with gateway(around) as client:
        yield PublicApi(client, around)


@pytest.fixture(scope="module")
def closed(around: Surroundings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublicApi]:
    """Nobody can sign up."""
    with of_its_own(around, tmp_path_factory.mktemp("closed"), signup="closed") as made:
        yield made


@pytest.fixture(scope="module")
def crowded(around: Surroundings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublicApi]:
    with of_its_own(around, tmp_path_factory.mktemp("crowded"), signup_burst=1) as made:
        yield made


@pytest.fixture(scope="module")
def mail() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture(scope="module")
def mailing(around: Surroundings, mail: MailServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublicApi]:
    """Links are sent by e-mail."""
    settings = mail_settings(mail.port, email_verification=True)
    with of_its_own(around, tmp_path_factory.mktemp("mailing"), **settings) as made:
        yield made


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


def unconfirmed(operation: str, method: str, path: str, **body: str) -> dict[tuple[str, str], Request]:
    """An integrator gives a wrong password, a wrong code, and too many wrong passwords."""

    def send(api: PublicApi, form: dict[str, str], second_factor: bool = False, times: int = 1) -> httpx2.Response:
        person = api.person("integrator")
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
}
WITH_A_LINK = [("reset_password", "weak-password"), ("reset_password", "too-many-attempts")]
PROBLEMS: dict[tuple[str, str], Request] = {
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
    ("delete_user", "no-such-account"): nothing_there("DELETE", "/v1/users/{account_id}"),
    ("delete_user", "last-administrator"): last_administrator("DELETE", "/v1/users/{own}"),
    ("approve_user", "no-such-account"): nothing_there("POST", "/v1/users/{account_id}/approve"),
    ("approve_user", "not-pending"): lambda api: api.call("POST", f"/v1/users/{api.person().id}/approve"),
    ("deactivate_user", "no-such-account"): nothing_there("POST", "/v1/users/{account_id}/deactivate"),
    ("deactivate_user", "last-administrator"): last_administrator("POST", "/v1/users/{own}/deactivate"),
    ("reactivate_user", "no-such-account"): nothing_there("POST", "/v1/users/{account_id}/reactivate"),
    ("change_role", "no-such-account"): nothing_there("PUT", "/v1/users/{account_id}/role", json={"role": "clinician"}),
    ("change_role", "last-administrator"): last_administrator(
        "PUT", "/v1/users/{own}/role", json={"role": "clinician"}
    ),
    ("list_sign_ins_of_user", "no-such-account"): nothing_there("GET", "/v1/users/{account_id}/sign-ins"),
    ("deactivate_client", "no-such-client"): nothing_there("DELETE", "/v1/clients/{client_id}", json=CONFIRM),
    ("add_client_secret", "no-such-client"): nothing_there("POST", "/v1/clients/{client_id}/secrets", json=CONFIRM),
    ("add_client_secret", "too-many-secrets"): many_secrets,
    ("remove_client_secret", "no-such-client"): nothing_there(
        "DELETE", "/v1/clients/{client_id}/secrets/{secret_id}", json=CONFIRM
    ),
    **unconfirmed("register_client", "POST", "/v1/clients", name="PACS"),
    **unconfirmed("deactivate_client", "DELETE", "/v1/clients/{client_id}"),
    **unconfirmed("add_client_secret", "POST", "/v1/clients/{client_id}/secrets"),
    **unconfirmed("remove_client_secret", "DELETE", "/v1/clients/{client_id}/secrets/{secret_id}"),
}


def test_the_table_has_no_problem_that_is_not_published() -> None:
    assert PROBLEMS.keys() | WITH_MAIL.keys() | set(WITH_A_LINK) == SPECIFIC
    published = {slug for operation in OPERATIONS.values() for slug in problems_of(operation)}
    assert published == {slug for _, slug in SPECIFIC} | OF_MANY | ELSEWHERE.keys()


@pytest.mark.parametrize(("name", "slug"), sorted(PROBLEMS))
def test_a_published_problem_occurs(
    api: PublicApi, closed: PublicApi, crowded: PublicApi, name: str, slug: str
) -> None:
    scene = closed if slug in ("last-administrator", "sign-up-closed") else api
    scene = crowded if (name, slug) == ("sign_up", "too-many-attempts") else scene
    answer = PROBLEMS[name, slug](scene)
    assert problem(answer).type == f"/problems/{slug}", answer.text


@pytest.mark.parametrize(("name", "slug"), sorted(WITH_MAIL))
def test_a_published_problem_of_a_link_occurs(mailing: PublicApi, name: str, slug: str) -> None:
    assert problem(WITH_MAIL[name, slug](mailing)).type == f"/problems/{slug}"


def test_weak_passwords_with_a_link_are_refused_and_limited(mailing: PublicApi, mail: MailServer) -> None:
    answers = weak_passwords_with_a_link(mailing, mail)
    kinds = [problem(answer).type.removeprefix("/problems/") for answer in answers]
    assert kinds == [WITH_A_LINK[0][1]] * 10 + [WITH_A_LINK[1][1]]
