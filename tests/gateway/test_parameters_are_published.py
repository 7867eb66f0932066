"""What a service accepts is published: parameters, form fields, headers; and the gateway answers what is published.

Parameters are found in FastAPI's own description of each route. Headers are found by watching: the names of a request's
headers are objects that remember what they were compared with.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Form
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from starlette.types import Receive, Scope, Send

from auth_service.app import create_app as create_auth
from auth_service.settings import AuthSettings
from classify_service.app import create_app as create_classify
from classify_service.settings import ClassifySettings
from detect_service.app import create_app as create_detect
from detect_service.settings import DetectSettings
from gateway.app import create_app as create_gateway
from gateway.openapi import load_public_document
from gateway.settings import GatewaySettings
from hepar.web.openapi import operations
from study_service.app import create_app as create_study
from tests.support.auth_client import AuthTestClient
from tests.support.gateway_client import DARK, NOWHERE, Surroundings, bearer, gateway, problem
from tests.support.public_api import PublicApi, filled
from tests.support.study_api import study_settings

if TYPE_CHECKING:
    from tests.support.triton import RunningTriton

DOCUMENT = load_public_document()
OPERATIONS = {(method.upper(), path): operation for path, method, operation in operations(DOCUMENT)}
NOT_PARAMETERS = {
    "host": "names this server",
    "content-length": "of HTTP itself",
    "content-encoding": "of HTTP itself: refused by name",
    "content-type": "OpenAPI declares it as the media types of a body",
    "accept": "OpenAPI declares it as the media types of an answer",
    "accept-encoding": "of HTTP itself: compression",
    "authorization": "OpenAPI declares it as a security scheme",
    "origin": "browsers send it: CORS",
    "cookie": "FastAPI reads it for every route; no route has a cookie",
    "x-forwarded-for": "of the gateway to auth_service, which believes nobody else",
}


def parameters_of(operation: dict[str, Any]) -> set[str]:
    """In lower case; fields of forms too."""
    names = set()
    for parameter in operation.get("parameters", []):
        names.add(parameter["$ref"].rpartition("/")[2] if "$ref" in parameter else parameter["name"])
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        if kind == "application/x-www-form-urlencoded":
            names |= DOCUMENT["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]][
                "properties"
            ].keys()
    return {name.lower() for name in names}


def accepted(app: FastAPI) -> Iterator[tuple[tuple[str, str], set[str]]]:
    """Of each route: the names that FastAPI looks for in path, query, headers, cookies and forms."""
    for route in iter_route_contexts(app.routes):
        dependant = getattr(route, "dependant", None)
        if dependant is None:
            continue
        names = {field.alias.lower() for field in get_flat_params(dependant)} | set(form_fields(dependant))
        for method in route.methods or ():
            yield (method, str(route.path)), names


def form_fields(dependant: Dependant) -> Iterator[str]:
    for field in dependant.body_params:
        if isinstance(field.field_info, Form):
            yield from getattr(field.field_info.annotation, "model_fields", [field.alias])
    for more in dependant.dependencies:
        yield from form_fields(more)


@pytest.fixture(scope="module")
def apps(triton: RunningTriton, tmp_path_factory: pytest.TempPathFactory) -> dict[str, FastAPI]:
    folder = tmp_path_factory.mktemp("published")
    models = {"triton": triton.grpc, "model_repository": triton.repository}
    return {
        "gateway": create_gateway(GatewaySettings(web_folder=folder)),
        "auth": create_auth(auth_settings(folder)),
        "classify": create_classify(ClassifySettings.model_validate(models)),
        "detect": create_detect(DetectSettings.model_validate(models)),
        "study": create_study(study_settings(folder, NOWHERE)),
    }


def auth_settings(folder: Path) -> AuthSettings:
    return AuthSettings(
        database_url=f"sqlite+aiosqlite:///{folder / 'a.sqlite3'}",
        keys_folder=folder / "keys",
        secret_key_file=folder / "secret.key",
    )


def test_every_parameter_that_a_route_accepts_is_published(apps: dict[str, FastAPI]) -> None:
    found = {name: dict(accepted(app)) for name, app in apps.items()}
    assert found["auth"]["GET", "/v1/users"] >= {"limit", "after", "status", "role"}
    for name, routes in found.items():
        for route, names in routes.items():
            if route in OPERATIONS:
                assert names <= parameters_of(OPERATIONS[route]), (name, route)
            else:
                assert not route[1].startswith(("/v1", "/.well-known")), f"{route} of {name} is not published"


class WatchedName(bytes):
    """A header's name that remembers what it was compared with."""

    asked: ClassVar[set[str]] = set()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, bytes):
            self.asked.add(other.decode("latin-1").lower())
        return bytes(self) == other

    def __hash__(self) -> int:
        return super().__hash__()


def watched(app: FastAPI) -> Any:  # noqa: ANN401  an ASGI app
    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["headers"] = [(WatchedName(name), value) for name, value in scope["headers"]]
        await app(scope, receive, send)

    return call


def requests_of(
    client: TestClient, app: FastAPI, headers: dict[str, str]
) -> Iterator[tuple[tuple[str, str], set[str]]]:
    """Sends a request to each published operation of an app, and yields the headers that were looked for."""
    for (method, path), operation in OPERATIONS.items():
        if (method, path) not in dict(accepted(app)):
            continue
        uploads = "multipart/form-data" in operation.get("requestBody", {}).get("content", {})
        body: dict[str, Any] = {"files": [("image", ("a.png", DARK))]} if uploads else {"json": {}}
        WatchedName.asked.clear()
        client.request(method, filled(path), headers=headers, **body)
        yield (method, path), set(WatchedName.asked)


def test_every_header_that_is_read_is_published(apps: dict[str, FastAPI], around: Surroundings, tmp_path: Path) -> None:
    read: dict[tuple[str, str], set[str]] = {}
    settings = auth_settings(tmp_path)
    with TestClient(create_auth(settings), base_url="http://127.0.0.1") as auth:
        administrator = AuthTestClient(auth).administrator()
    public = GatewaySettings(
        auth_url=around.auth_url, classify_url=around.classify_url, detect_url=around.detect_url,
        study_url=around.study_url,
        database_url=f"sqlite+aiosqlite:///{tmp_path}/state.sqlite3", cors_origins=["https://pacs.example.org"],
        web_folder=tmp_path,
    )  # fmt: skip
    watching = apps | {"auth": create_auth(settings), "gateway": create_gateway(public)}
    watching["study"] = create_study(study_settings(tmp_path, around.auth_url))
    for name, app in watching.items():
        headers = administrator if name == "auth" else bearer(around)
        with TestClient(watched(app), base_url="http://127.0.0.1") as client:
            for route, names in requests_of(client, app, headers):
                read.setdefault(route, set()).update(names)
    assert read.keys() == OPERATIONS.keys()
    assert "x-hepar-timeout-ms" in read["POST", "/v1/analyses"]
    for route, names in read.items():
        assert names - NOT_PARAMETERS.keys() <= parameters_of(OPERATIONS[route]), route
    assert set().union(*read.values()) >= NOT_PARAMETERS.keys(), "no entry that nothing reads"


def test_the_gateway_answers_what_is_published_and_no_more(around: Surroundings) -> None:
    with gateway(around) as client:
        for path in DOCUMENT["paths"]:
            known = {method for method, other in OPERATIONS if other == path}
            known |= {"HEAD"} if "GET" in known else set()
            where = filled(path)
            for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
                answer = client.request(method, where)
                if method in known:
                    assert answer.status_code != 405, (method, path)
                    assert answer.status_code != 404, (method, path)
                else:
                    assert answer.status_code == 405, (method, path)
                    assert set(answer.headers["allow"].split(", ")) == known
        for nothing in ("/v1/nothing", "/v1/users/me/nothing", "/.well-known/nothing", "/v1/users/a/b"):
            assert problem(client.get(nothing)).type == "/problems/http-404"


def test_every_operation_needs_the_scope_that_is_published(around: Surroundings) -> None:
    with gateway(around) as client:
        api = PublicApi(client, around)
        form = api.registered_client()
        secret = form["secrets"][0]["secret"]
        system = api.token(grant_type="client_credentials", client_id=form["id"], client_secret=secret).json()
        clinician = api.person("clinician").headers
        lacking = {
            "analyses": bearer(around, "account models studies"),
            "studies": bearer(around, "account models analyses all-studies"),
            "account": {"authorization": f"Bearer {system['access_token']}"},
            "users": clinician,
            "clients": clinician,
            "audit": clinician,
        }
        for (method, path), operation in OPERATIONS.items():
            where = filled(path)
            scopes = [scope for needed in operation["security"] for scope in needed.get("oauth2", [])]
            answer = client.request(method, where)
            if not scopes:
                assert answer.status_code not in (401, 403), (method, path)
                continue
            assert problem(answer).type == "/problems/unauthenticated", (method, path)
            refused = client.request(method, where, headers=lacking[scopes[0]])
            assert problem(refused).type == "/problems/forbidden", (method, path)
            assert scopes[0] in refused.json()["detail"] or "only people" in refused.json()["detail"]
