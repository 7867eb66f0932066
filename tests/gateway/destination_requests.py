"""For each published parameter and problem of destinations and sends, requests that show it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import httpx2

from tests.gateway.study_requests import STUDY, Effect, Request, finished, new, nothing, of_study, place
from tests.support.public_api import PublicApi, filled

DESTINATION, SENDS, SEND = "/v1/destinations/{destination_name}", "/v1/sends", "/v1/sends/{send_id}"
OF_STUDY = f"{STUDY}/sends"
_NEW_STATUS = "UPDATE study_sends SET status = ?, due_at = '2100-01-01 00:00:00' WHERE id = ?"


def send_to(api: PublicApi, study_id: str, destination: str = "archive", **more: object) -> httpx2.Response:
    return api.call("POST", place(OF_STUDY, study_id), json={"destination": destination} | more)


def send_id(api: PublicApi, status: str) -> str:
    """A send that stays as it is."""
    made = send_to(api, finished(api))
    assert made.status_code == 202, made.text
    identity: str = made.json()["id"]
    with sqlite3.connect(api.study_settings.database_url.partition("///")[2], timeout=60) as connection:
        connection.execute(_NEW_STATUS, (status, identity))
    return identity


def some_sends(api: PublicApi) -> None:
    """Of one study; the same for all tests of a system."""
    while len(api.call("GET", place(OF_STUDY, finished(api))).json()["items"]) < 3:
        send_id(api, "sent")


def retried(api: PublicApi, status: str) -> httpx2.Response:
    return api.call("POST", f"/v1/sends/{send_id(api, status)}/retry")


def listed(path: str, name: str, value: str | None = None) -> Effect:
    """value: None for `next` of the first page of one item."""

    def call(with_it: bool) -> Callable[[PublicApi], object]:
        def answer(api: PublicApi) -> object:
            some_sends(api)
            where = place(path, finished(api))
            query = {"limit": "1"} if name == "after" else {} if name == "limit" else {"limit": "100"}
            if with_it:
                query[name] = value or api.call("GET", where, params={"limit": "1"}).json()["next"]
            page = api.call("GET", where, params=query)
            assert page.status_code == 200, page.text
            found = [item["id"] for item in page.json()["items"]]
            return len(found) if name == "limit" else found

        return answer

    return call(False), call(True)


def of_destination(method: str, path: str) -> Effect:
    return (
        lambda api: api.call(method, filled(path)).status_code,
        lambda api: api.call(method, path.format(destination_name="archive")).status_code,
    )


def fetch(api: PublicApi, destination: str) -> httpx2.Response:
    path = f"{DESTINATION}/fetches".format(destination_name=destination)
    return api.call("POST", path, json={"study_uid": "1.2.3"})


def with_body(study: Callable[[PublicApi], str]) -> Request:
    return lambda api: send_to(api, study(api))


def nobody(_: PublicApi) -> str:
    return "00000000-0000-0000-0000-000000000000"


SEND_EFFECTS: dict[tuple[str, str], Effect] = {
    ("test_destination", "destination_name"): of_destination("POST", f"{DESTINATION}/test"),
    ("retry_destination", "destination_name"): of_destination("POST", f"{DESTINATION}/retry"),
    ("fetch_study", "destination_name"): (
        lambda api: fetch(api, "nowhere").json()["type"],
        lambda api: fetch(api, "web-archive").json()["type"],
    ),
    ("list_sends", "status"): listed(SENDS, "status", "waiting"),
    ("list_sends", "destination"): listed(SENDS, "destination", "another"),
    ("list_sends", "limit"): listed(SENDS, "limit", "1"),
    ("list_sends", "after"): listed(SENDS, "after"),
    ("list_study_sends", "study_id"): of_study("GET", OF_STUDY),
    ("list_study_sends", "limit"): listed(OF_STUDY, "limit", "1"),
    ("list_study_sends", "after"): listed(OF_STUDY, "after"),
    ("send_study", "study_id"): (
        lambda api: with_body(nobody)(api).status_code,
        lambda api: with_body(finished)(api).status_code,
    ),
    ("retry_send", "send_id"): (
        lambda api: api.call("POST", filled(f"{SEND}/retry")).status_code,
        lambda api: retried(api, "failed").status_code,
    ),
}
SEND_PROBLEMS: dict[tuple[str, str], Request] = {
    ("test_destination", "no-such-destination"): nothing("POST", f"{DESTINATION}/test"),
    ("retry_destination", "no-such-destination"): nothing("POST", f"{DESTINATION}/retry"),
    ("fetch_study", "no-such-destination"): lambda api: fetch(api, "nowhere"),
    ("fetch_study", "no-such-study"): lambda api: fetch(api, "web-archive"),
    ("retry_send", "no-such-send"): nothing("POST", f"{SEND}/retry"),
    ("retry_send", "send-not-failed"): lambda api: retried(api, "sent"),
    ("send_study", "no-such-destination"): lambda api: send_to(api, finished(api), "nowhere"),
    ("send_study", "no-such-study"): with_body(nobody),
    ("send_study", "study-not-finished"): with_body(new),
    ("send_study", "no-such-slice"): lambda api: send_to(api, finished(api), key_slices=[99_999]),
    ("list_study_sends", "no-such-study"): nothing("GET", OF_STUDY),
}
