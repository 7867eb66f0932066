"""For each published parameter, two requests whose results differ: the table of test_parameters_have_effect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyotp.totp import TOTP

from tests.gateway.destination_requests import SEND_EFFECTS
from tests.gateway.finding_requests import FINDING_EFFECTS
from tests.gateway.study_requests import STUDY_EFFECTS
from tests.support.auth_client import PASSWORD
from tests.support.gateway_client import DARK
from tests.support.pictures import dicom_bytes, encoded, multi_frame, nearly_flat
from tests.support.public_api import PublicApi

NOBODY = "0" * 32
CONFIRM = {"password": PASSWORD}
Call = Callable[[PublicApi], object]
Effect = tuple[Call, Call]
"""A request without the parameter (or with another value), and one with it. Returned is what the caller sees of it."""


def seen(document: Any) -> Any:  # noqa: ANN401  JSON
    """Without what differs from request to request."""
    if isinstance(document, dict):
        return {name: seen(part) for name, part in document.items() if name not in ("request_id", "duration_ms")}
    return [seen(part) for part in document] if isinstance(document, list) else document


def image(path: str, name: str, value: str) -> Effect:
    def call(chosen: dict[str, str]) -> Call:
        def answer(api: PublicApi) -> object:
            files = [("image", ("a.png", DARK))]
            found = api.call("POST", path, params=chosen, files=files)
            assert found.status_code == 200, found.text
            return seen(found.json())

        return answer

    return call({}), call({name: value})


def outside_liver(path: str) -> Effect:
    """The tiny detectors find a lesion in the upper left quarter, which is not liver here."""
    pixels = nearly_flat(0)
    pixels[:40, :40] = 200

    def call(chosen: dict[str, str]) -> Call:
        def answer(api: PublicApi) -> object:
            found = api.call("POST", path, params=chosen, files=[("image", ("a.png", encoded(pixels)))]).json()
            first = found["items"][0] if "items" in found else found
            return [box["inside_liver"] for box in first.get("detection", first)["boxes"]]

        return answer

    return call({}), call({"outside_liver": "true"})


def frame(path: str) -> Effect:
    content = dicom_bytes(multi_frame(3))

    def call(chosen: dict[str, str]) -> Call:
        def answer(api: PublicApi) -> object:
            headers = api.administrator.headers | {"content-type": "application/dicom"}
            return seen(api.call("POST", path, params=chosen, content=content, headers=headers).json())

        return answer

    return call({}), call({"frame": "1"})


def listed(path: str, name: str, value: str | None = None) -> Effect:
    """value: None for `next` of the first page of one item."""

    def call(with_it: bool) -> Call:
        def answer(api: PublicApi) -> object:
            where = path.replace("{own}", api.administrator.id)
            query = {"limit": "1"} if name == "after" else {}
            if with_it:
                query[name] = value or api.call("GET", where, params={"limit": "1"}).json()["next"]
            page = api.call("GET", where, params=query)
            assert page.status_code == 200, page.text
            items = page.json()["items"]
            assert items
            return len(items) if name == "limit" else items[0] if name == "after" else {item[name] for item in items}

        return answer

    return call(False), call(True)


def filtered(path: str, name: str, value: str) -> Effect:
    """What a list or a table begins with."""

    def call(query: dict[str, str]) -> Call:
        def answer(api: PublicApi) -> object:
            found = api.call("GET", path, params=query)
            assert found.status_code == 200, found.text
            return found.text[:400]

        return answer

    return call({}), call({name: value})


def by_id(method: str, path: str, made: Callable[[PublicApi], dict[str, str]], name: str, **body: Any) -> Effect:  # noqa: ANN401
    """path: with the names of what `made` makes; the request without the right `name` has an id that nothing has."""

    def call(with_it: bool) -> Call:
        def answer(api: PublicApi) -> object:
            known = made(api)
            chosen = known if with_it else known | {name: NOBODY}
            headers = {"authorization": known["authorization"]} if "authorization" in known else None
            request = body if headers is None else body | {"headers": headers}
            return api.call(method, path.format(**chosen), **request).status_code

        return answer

    return call(False), call(True)


def account(api: PublicApi) -> dict[str, str]:
    return {"account_id": api.person().id}


def client(api: PublicApi) -> dict[str, str]:
    made = api.registered_client()
    return {"client_id": made["id"], "secret_id": made["secrets"][0]["id"]}


def session(api: PublicApi) -> dict[str, str]:
    person = api.person()
    (own,) = api.call("GET", "/v1/users/me/sessions", headers=person.headers).json()["items"]
    return {"session_id": own["id"], **person.headers}


def token(made: Callable[[PublicApi], dict[str, str]], name: str, other: str | None = None) -> Effect:
    """The field as `made` returns it, compared with `other` or with no field."""

    def call(with_it: bool) -> Call:
        def answer(api: PublicApi) -> object:
            form = made(api)
            if not with_it:
                del form[name]
                form |= {name: other} if other is not None else {}
            found = api.token(**form)
            document = found.json()
            return found.status_code, document.get("scope"), document.get("refresh_token") is None

        return answer

    return call(False), call(True)


def by_password(api: PublicApi) -> dict[str, str]:
    return {"username": api.person().email, "password": PASSWORD}


def by_refresh_token(api: PublicApi) -> dict[str, str]:
    return {"grant_type": "refresh_token", "refresh_token": api.person().refresh_token}


def by_client(api: PublicApi) -> dict[str, str]:
    made = api.registered_client()
    secret = made["secrets"][0]["secret"]
    return {"grant_type": "client_credentials", "client_id": made["id"], "client_secret": secret}


def by_second_factor(api: PublicApi) -> dict[str, str]:
    person = api.person()
    form = {"password": PASSWORD}
    secret = api.call("POST", "/v1/users/me/second-factor", json=form, headers=person.headers).json()["secret"]
    code = form | {"code": TOTP(secret).now()}
    confirmed = api.call("PUT", "/v1/users/me/second-factor", json=code, headers=person.headers)
    return {"username": person.email, "password": PASSWORD, "otp": confirmed.json()["codes"][0]}


def known_device(with_it: bool) -> Call:
    """Whether the second sign-in comes from the device of the first."""

    def answer(api: PublicApi) -> object:
        form = by_password(api)
        device = api.token(**form).json()["device"]
        return api.token(**form, **({"device": device} if with_it else {})).json()["device"] == device

    return answer


def revoked(with_it: bool) -> Call:
    """What a refresh token is still good for, after it or another text was revoked."""

    def answer(api: PublicApi) -> object:
        token = api.person().refresh_token
        revocation = api.client.post("/v1/token/revoke", data={"token": token if with_it else "another"})
        assert revocation.status_code == 200
        return api.token(grant_type="refresh_token", refresh_token=token).status_code

    return answer


AUDIT_FILTERS = {
    "event": "signed_in",
    "account": NOBODY,
    "at_from": "2999-01-01T00:00:00Z",
    "at_to": "2001-01-01T00:00:00Z",
    "order": "newest",
}
VOTING = {"vote": "majority_vote", "classifiers": "classify_steady", "explain": "true", "explain_models": "true"}
FUSION = {"fusion": "non_maximum_suppression", "detectors": "detect_left", "annotate": "true"}
IMAGES = {
    "classify": ("/v1/classifications", VOTING),
    "detect": ("/v1/detections", FUSION),
    "analysis": ("/v1/analyses", VOTING | FUSION),
}
EFFECTS: dict[tuple[str, str], Effect] = {
    **STUDY_EFFECTS,
    **SEND_EFFECTS,
    **FINDING_EFFECTS,
    **{
        (name, option): image(path, option, value)
        for name, (path, options) in IMAGES.items()
        for option, value in options.items()
    },
    **{
        (f"{name}_batch", option): image(f"{path}/batch", option, value)
        for name, (path, options) in IMAGES.items()
        for option, value in options.items()
    },
    **{(name, "frame"): frame(path) for name, (path, _) in IMAGES.items()},
    ("segment", "frame"): frame("/v1/segmentations"),
    **{
        (f"{name}{batch}", "outside_liver"): outside_liver(IMAGES[name][0] + batch.replace("_", "/"))
        for name in ("detect", "analysis")
        for batch in ("", "_batch")
    },
    ("list_users", "limit"): listed("/v1/users", "limit", "1"),
    ("list_users", "after"): listed("/v1/users", "after"),
    ("list_users", "status"): listed("/v1/users", "status", "active"),
    ("list_users", "role"): listed("/v1/users", "role", "administrator"),
    ("list_users", "group"): filtered("/v1/users", "group", "nobodys-group"),
    ("list_users", "search"): filtered("/v1/users", "search", "nobody@example.net"),
    ("list_sign_ins", "limit"): listed("/v1/users/me/sign-ins", "limit", "1"),
    ("list_sign_ins", "after"): listed("/v1/users/me/sign-ins", "after"),
    ("list_sign_ins_of_user", "limit"): listed("/v1/users/{own}/sign-ins", "limit", "1"),
    ("list_sign_ins_of_user", "after"): listed("/v1/users/{own}/sign-ins", "after"),
    ("list_audit", "limit"): listed("/v1/audit", "limit", "1"),
    ("list_audit", "after"): listed("/v1/audit", "after"),
    **{
        (name, parameter): filtered(path, parameter, value)
        for name, path in {"list_audit": "/v1/audit", "export_audit_log": "/v1/audit.csv"}.items()
        for parameter, value in AUDIT_FILTERS.items()
    },
    ("list_clients", "limit"): listed("/v1/clients", "limit", "1"),
    ("list_clients", "after"): listed("/v1/clients", "after"),
    ("get_user", "account_id"): by_id("GET", "/v1/users/{account_id}", account, "account_id"),
    ("delete_user", "account_id"): by_id("DELETE", "/v1/users/{account_id}", account, "account_id", json=CONFIRM),
    ("approve_user", "account_id"): by_id("POST", "/v1/users/{account_id}/approve", account, "account_id"),
    ("change_group", "account_id"): by_id(
        "PUT", "/v1/users/{account_id}/group", account, "account_id", json=CONFIRM | {"group": "liver"}
    ),
    ("change_role", "account_id"): by_id(
        "PUT", "/v1/users/{account_id}/role", account, "account_id", json=CONFIRM | {"role": "researcher"}
    ),
    ("deactivate_user", "account_id"): by_id("POST", "/v1/users/{account_id}/deactivate", account, "account_id"),
    ("reactivate_user", "account_id"): by_id("POST", "/v1/users/{account_id}/reactivate", account, "account_id"),
    ("reset_second_factor", "account_id"): by_id(
        "DELETE", "/v1/users/{account_id}/second-factor", account, "account_id", json=CONFIRM
    ),
    ("list_sign_ins_of_user", "account_id"): by_id("GET", "/v1/users/{account_id}/sign-ins", account, "account_id"),
    ("end_session", "session_id"): by_id("DELETE", "/v1/users/me/sessions/{session_id}", session, "session_id"),
    ("deactivate_client", "client_id"): by_id("DELETE", "/v1/clients/{client_id}", client, "client_id", json=CONFIRM),
    ("add_client_secret", "client_id"): by_id(
        "POST", "/v1/clients/{client_id}/secrets", client, "client_id", json=CONFIRM
    ),
    ("remove_client_secret", "client_id"): by_id(
        "DELETE", "/v1/clients/{client_id}/secrets/{secret_id}", client, "client_id", json=CONFIRM
    ),
    ("remove_client_secret", "secret_id"): by_id(
        "DELETE", "/v1/clients/{client_id}/secrets/{secret_id}", client, "secret_id", json=CONFIRM
    ),
    ("create_token", "grant_type"): token(by_client, "grant_type"),
    ("create_token", "username"): token(by_password, "username", "nobody@example.org"),
    ("create_token", "password"): token(by_password, "password", "another long password"),
    ("create_token", "otp"): token(by_second_factor, "otp"),
    ("create_token", "refresh_token"): token(by_refresh_token, "refresh_token", "another"),
    ("create_token", "client_id"): token(by_client, "client_id", NOBODY),
    ("create_token", "client_secret"): token(by_client, "client_secret", "another"),
    ("create_token", "scope"): token(lambda api: by_password(api) | {"scope": "account"}, "scope"),
    ("create_token", "device"): (known_device(False), known_device(True)),
    ("revoke_token", "token"): (revoked(False), revoked(True)),
}
