"""Every published parameter changes what the server does: for each one, a pair of requests whose results differ.

A parameter without an entry in the table fails, and so does an entry without a parameter.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from gateway.openapi import load_public_document
from hepar.web.openapi import Json, operations
from tests.gateway.destination_requests import some_sends
from tests.gateway.parameter_effects import EFFECTS, NOBODY
from tests.gateway.study_requests import finished, new
from tests.support.auth_client import PASSWORD
from tests.support.gateway_client import DARK, Surroundings, gateway
from tests.support.public_api import PublicApi

DOCUMENT = load_public_document()
TRACE = "0af7651916cd43dd8448eb211c80319c"


@dataclass(frozen=True)
class Published:
    """One operation. parameters: by name, as `in` says where they are; `form` for fields of a form."""

    method: str
    path: str
    name: str
    uploads: bool
    parameters: dict[str, str]


def published(path: str, method: str, operation: Json) -> Published:
    parameters = {}
    for parameter in operation.get("parameters", []):
        found = DOCUMENT["components"]["parameters"].get(parameter.get("$ref", "").rpartition("/")[2], parameter)
        parameters[found["name"]] = found["in"]
    content = operation.get("requestBody", {}).get("content", {})
    if form := content.get("application/x-www-form-urlencoded"):
        schema = DOCUMENT["components"]["schemas"][form["schema"]["$ref"].rpartition("/")[2]]
        parameters |= dict.fromkeys(schema["properties"], "form")
    return Published(method.upper(), path, operation["operationId"], "multipart/form-data" in content, parameters)


OPERATIONS = [published(*found) for found in operations(DOCUMENT)]
OF_MANY_OPERATIONS = {"X-Request-ID", "traceparent", "Idempotency-Key", "X-Hepar-Timeout-Ms"}
SPECIFIC = [
    (operation, parameter)
    for operation in OPERATIONS
    for parameter in operation.parameters
    if parameter not in OF_MANY_OPERATIONS
]


@pytest.fixture(scope="module")
def api(around: Surroundings) -> Iterator[PublicApi]:
    with gateway(around, account_per_minute=1_000_000, address_per_minute=1_000_000) as client:
        made = PublicApi(client, around)
        for _ in range(3):
            new(made)
        for _ in range(2):  # so that every list has more than one item, and accounts differ in status and role
            made.registered_client()
            made.token(username=made.administrator.email, password=PASSWORD)
            made.call("POST", f"/v1/users/{made.person().id}/deactivate")
        yield made


def ids(name: str) -> list[Any]:
    return [pytest.param(found, id=f"{found.method} {found.path}") for found in OPERATIONS if name in found.parameters]


def send(api: PublicApi, operation: Published, headers: dict[str, str], **more: Any) -> Any:  # noqa: ANN401
    """A request that reaches the operation, whatever becomes of it."""
    path = operation.path.replace("{", "").replace("}", "")
    for parameter, place in operation.parameters.items():
        if place == "path":
            path = path.replace(parameter, NOBODY)
    body: dict[str, Any] = {"files": [("image", ("a.png", DARK))]} if operation.uploads else {"json": {}}
    return api.client.request(operation.method, path, headers=headers, **(body | more))


@pytest.mark.parametrize("operation", ids("X-Request-ID"))
def test_the_callers_request_id_is_used(api: PublicApi, operation: Published) -> None:
    own = send(api, operation, {"x-request-id": "study-2026-0042"})
    assert own.headers["x-request-id"] == "study-2026-0042"
    assert send(api, operation, {}).headers["x-request-id"] != "study-2026-0042"


@pytest.mark.parametrize("operation", ids("traceparent"))
def test_the_callers_trace_is_continued(api: PublicApi, operation: Published, caplog: pytest.LogCaptureFixture) -> None:
    seen = []
    for headers in ({"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}, {}):
        with caplog.at_level(logging.INFO, logger="hepar.access"):
            caplog.clear()
            send(api, operation, headers)
            lines = [vars(record) for record in caplog.records if vars(record).get("route") == operation.path]
            seen.append(lines[-1]["trace_id"])
    assert seen[0] == TRACE != seen[1]


@pytest.mark.parametrize("operation", ids("Idempotency-Key"))
def test_a_repeated_key_gets_the_first_answer(api: PublicApi, operation: Published) -> None:
    key = {"idempotency-key": str(uuid.uuid4())}
    first, again, other = (send(api, operation, api.administrator.headers | headers) for headers in (key, key, {}))
    assert (first.content, first.status_code) == (again.content, again.status_code)
    assert [answer.headers.get("idempotency-replayed") for answer in (first, again, other)] == [None, "true", None]


@pytest.mark.parametrize("operation", ids("X-Hepar-Timeout-Ms"))
def test_the_callers_timeout_ends_the_work(api: PublicApi, operation: Published) -> None:
    statuses = [
        send(api, operation, api.administrator.headers | headers).status_code
        for headers in ({"x-hepar-timeout-ms": "1"}, {})
    ]
    assert statuses == [504, 200]


def test_the_table_has_no_parameter_that_is_not_published() -> None:
    assert EFFECTS.keys() <= {(operation.name, parameter) for operation, parameter in SPECIFIC}


@pytest.mark.parametrize(
    ("operation", "parameter"),
    [
        pytest.param(operation, parameter, id=f"{operation.method} {operation.path} {parameter}")
        for operation, parameter in SPECIFIC
    ],
)
def test_a_published_parameter_changes_the_result(api: PublicApi, operation: Published, parameter: str) -> None:
    without, with_it = EFFECTS[operation.name, parameter]
    plain, chosen, again = without(api), with_it(api), without(api)
    assert plain == again, "the request itself has the same result each time"
    assert chosen != plain


LISTS = [found for found in OPERATIONS if "after" in found.parameters]


@pytest.mark.parametrize("operation", [pytest.param(found, id=found.path) for found in LISTS])
def test_following_next_reaches_the_end_of_every_list(api: PublicApi, operation: Published) -> None:
    path = operation.path.replace("{account_id}", api.administrator.id).replace("{study_id}", finished(api))
    some_sends(api)

    def walk(limit: int) -> list[Any]:
        items, query = [], {"limit": str(limit)}
        while True:
            page = api.call("GET", path, params=query).json()
            assert 0 < len(page["items"]) <= limit
            items += page["items"]
            if page["next"] is None:
                return items
            assert page["next"] != query.get("after"), "the same page again"
            query["after"] = page["next"]

    whole = walk(100)
    assert len(whole) > 1
    assert walk(max(1, len(whole) // 3)) == whole
