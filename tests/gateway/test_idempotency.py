"""An analysis that is repeated with its Idempotency-Key gets its first complete result, and nothing else is stored."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
import uuid
from contextlib import closing

import httpx2
import pytest
from fastapi.testclient import TestClient

from gateway.idempotency import BODY_BYTES_MAX
from tests.support.gateway_client import DARK, PNG, Misbehaving, Surroundings, bearer, gateway, problem
from tests.support.pictures import encoded, gradient
from tests.support.serving import serving

PATH = "/v1/classifications"


def new_key() -> dict[str, str]:
    return {"idempotency-key": str(uuid.uuid4())}


def post(client: TestClient, headers: dict[str, str], content: bytes = DARK, path: str = PATH) -> httpx2.Response:
    return client.post(path, content=content, headers=PNG | headers)


def test_the_same_request_gets_the_same_answer_once_more(around: Surroundings) -> None:
    key = bearer(around) | new_key()
    with gateway(around) as client:
        first, again = post(client, key), post(client, key)
        other = post(client, bearer(around) | new_key())
    assert first.status_code == again.status_code == 200
    assert first.content == again.content, "with the request id of the first"
    assert (first.headers.get("idempotency-replayed"), again.headers["idempotency-replayed"]) == (None, "true")
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert again.headers["content-type"] == first.headers["content-type"]
    assert other.json()["request_id"] != first.json()["request_id"]


def multipart(mark: bytes) -> bytes:
    head = b"--%s\r\nContent-Disposition: form-data; name=image\r\n\r\n" % mark
    return head + DARK + b"\r\n--%s--\r\n" % mark


def test_multipart_may_have_another_boundary(around: Surroundings) -> None:
    key = bearer(around) | new_key()
    with gateway(around) as client:
        answers = [
            client.post(
                PATH,
                content=multipart(mark),
                headers=key | {"content-type": f"multipart/form-data; boundary={mark.decode()}"},
            )
            for mark in (b"first", b"and-quite-another")
        ]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].content == answers[1].content


@pytest.mark.parametrize("difference", ["body", "query", "path", "type"])
def test_another_request_with_the_key_is_refused(around: Surroundings, difference: str) -> None:
    key = bearer(around) | new_key()
    with gateway(around) as client:
        assert post(client, key).status_code == 200
        if difference == "body":
            answer = post(client, key, encoded(gradient()))
        elif difference == "query":
            answer = post(client, key, path=PATH + "?vote=majority_vote")
        elif difference == "path":
            answer = post(client, key, path="/v1/detections")
        else:
            answer = client.post(PATH, content=DARK, headers=key | {"content-type": "image/jpeg"})
        assert problem(answer).type == "/problems/idempotency-key-reused"
        assert answer.status_code == 422
        assert post(client, key).headers["idempotency-replayed"] == "true"


def test_a_key_is_the_callers_own(around: Surroundings) -> None:
    key = new_key()
    with gateway(around) as client:
        first = post(client, bearer(around, subject="ada") | key)
        second = post(client, bearer(around, subject="grace") | key, encoded(gradient()))
    assert (first.status_code, second.status_code) == (200, 200)
    assert "idempotency-replayed" not in second.headers


@pytest.mark.parametrize("key", ["", "short", "x" * 129, "sixteen letters!", "sixteen-letters-\x00"])
def test_a_key_of_another_form_is_refused(around: Surroundings, key: str) -> None:
    with gateway(around) as client:
        headers = PNG | bearer(around) | {"idempotency-key": key}
        coded = [(name.encode(), value.encode()) for name, value in headers.items()]
        answer = client.post(PATH, content=DARK, headers=coded)
    assert problem(answer).status == 422


def test_two_keys_are_refused(around: Surroundings) -> None:
    headers = [*(PNG | bearer(around)).items(), ("idempotency-key", "a" * 20), ("idempotency-key", "b" * 20)]
    with gateway(around) as client:
        assert problem(client.post(PATH, content=DARK, headers=headers)).status == 422


def test_a_repetition_while_the_first_request_is_in_flight_is_refused(around: Surroundings) -> None:
    key = bearer(around) | new_key()
    slow = Misbehaving(wait_s=1.5, status=200, body=b"no json")
    with serving(slow) as url, gateway(around, classify_url=url) as client:
        first = threading.Thread(target=post, args=(client, key))
        first.start()
        time.sleep(0.5)
        answer = post(client, key)
        first.join()
        assert problem(answer).type == "/problems/idempotency-in-progress"
        assert (answer.status_code, answer.headers["retry-after"]) == (409, "1")
        assert len(slow.seen) == 1
        post(client, key)
        assert len(slow.seen) == 2, "a 502 is not stored: the work is repeated"


def test_a_stored_response_outlives_the_process(around: Surroundings) -> None:
    key = bearer(around) | new_key()
    file = around.folder / f"{uuid.uuid4()}.sqlite3"
    with gateway(around, database_url=f"sqlite+aiosqlite:///{file}") as client:
        first = post(client, key)
    broken = Misbehaving(status=500, body=b"", kind=b"text/plain")
    with (
        serving(broken) as url,
        gateway(around, database_url=f"sqlite+aiosqlite:///{file}", classify_url=url) as client,
    ):
        assert post(client, key).content == first.content
        assert broken.seen == []


def test_nothing_of_an_account_operation_is_stored(around: Surroundings) -> None:
    """Otherwise a key would return a token or a secret without the credentials that made it."""
    form = {"email": f"{uuid.uuid4()}@example.org", "password": "a long enough password"}
    signing_in = {"username": form["email"], "password": form["password"]}
    key = new_key()
    file = around.folder / f"{uuid.uuid4()}.sqlite3"
    with gateway(around, database_url=f"sqlite+aiosqlite:///{file}") as client:
        statuses = [client.post("/v1/users", json=form, headers=key).status_code for _ in range(2)]
        assert statuses == [201, 409]
        tokens = [client.post("/v1/token", data=signing_in, headers=key).json()["refresh_token"] for _ in range(2)]
        assert tokens[0] != tokens[1]
        with closing(sqlite3.connect(file)) as database:
            assert database.execute("SELECT count(*) FROM stored_responses").fetchone() == (0,)


def test_a_caller_without_a_valid_token_gets_no_replay(around: Surroundings) -> None:
    key = new_key()
    with gateway(around) as client:
        assert post(client, bearer(around) | key).status_code == 200
        assert post(client, key).status_code == 401
        assert post(client, {"authorization": "Basic c29tZWJvZHk6"} | key).status_code == 401
        assert post(client, {"authorization": bearer(around)["authorization"] + "x"} | key).status_code == 401


def test_a_caller_who_lost_the_scope_gets_no_replay(around: Surroundings) -> None:
    key = new_key()
    with gateway(around) as client:
        assert post(client, bearer(around) | key).status_code == 200
        assert post(client, bearer(around, scope="account") | key).status_code == 403
        assert post(client, bearer(around) | key).headers["idempotency-replayed"] == "true"


def test_the_file_tells_nobody_a_result(around: Surroundings) -> None:
    file = around.folder / f"{uuid.uuid4()}.sqlite3"
    key = bearer(around) | new_key()
    with gateway(around, database_url=f"sqlite+aiosqlite:///{file}") as client:
        assert b"metastasis" in post(client, key).content
        assert post(client, key).headers["idempotency-replayed"] == "true"
    assert file.stat().st_mode & 0o077 == 0
    written = b"".join(path.read_bytes() for path in file.parent.glob(f"{file.name}*"))
    for secret in ("metastasis", key["idempotency-key"]):
        assert secret.encode() not in written


DAMAGED = DARK[:60]


@pytest.mark.parametrize("path", [PATH, "/v1/detections", "/v1/analyses"])
def test_a_refused_image_is_not_stored(around: Surroundings, path: str) -> None:
    """A slow or overloaded decoder refuses images too, which it reads the next time."""
    key = bearer(around) | new_key()
    with gateway(around) as client:
        refused = post(client, key, DAMAGED, path)
        assert refused.status_code == 422
        again = post(client, key, path=path)
    assert again.status_code == 200
    assert "idempotency-replayed" not in again.headers


@pytest.mark.parametrize("events", [False, True])
@pytest.mark.parametrize("path", ["/v1/analyses", "/v1/analyses/batch", PATH + "/batch", "/v1/detections/batch"])
def test_a_result_with_a_failed_part_is_not_stored(around: Surroundings, path: str, events: bool) -> None:
    key = bearer(around) | new_key()
    accept = {"accept": "text/event-stream"} if events else {}
    images = [("image", ("a.png", DARK)), ("image", ("b.png", DARK))]
    damaged = [*images[:1], ("image", ("b.png", DAMAGED))]
    with gateway(around) as client:
        if path.endswith("batch"):
            answers = [client.post(path, files=damaged, headers=key | accept) for _ in range(2)]
        else:
            with serving(Misbehaving(status=503)) as url, gateway(around, detect_url=url) as partial:
                answers = [post(partial, key, path=path) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert all("idempotency-replayed" not in answer.headers for answer in answers)
        complete = [
            client.post(path, files=images[: 1 + path.endswith("batch")], headers=key | accept) for _ in range(2)
        ]
    assert [answer.headers.get("idempotency-replayed") for answer in complete] == [None, "true"]
    assert complete[0].content == complete[1].content


def test_a_result_without_all_models_is_not_stored(around: Surroundings) -> None:
    key = bearer(around) | new_key()
    with gateway(around) as client:
        document = post(client, bearer(around)).json()
    short = json.dumps(document | {"missing_models": ["classify_other"]}).encode()
    degraded = Misbehaving(body=short)
    with serving(degraded) as url, gateway(around, classify_url=url) as client:
        answers = [post(client, key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len(degraded.seen) == 2


def test_other_accounts_cannot_displace_a_stored_response(around: Surroundings) -> None:
    """The limits of Ada's account and of all accounts are reached by Eve; Ada's result stays."""
    ada, eve = (bearer(around, subject=name) for name in ("ada", "eve"))
    key = new_key()
    with gateway(around, stored_account_bytes_max=8_000, stored_bytes_max=16_000) as client:
        assert post(client, ada | key).status_code == 200
        keys = [new_key() for _ in range(12)]
        assert all(post(client, eve | one).status_code == 200 for one in keys)
        assert "idempotency-replayed" not in post(client, eve | keys[0]).headers
        assert post(client, ada | key).headers["idempotency-replayed"] == "true"


def test_an_early_refusal_is_not_kept(around: Surroundings) -> None:
    """It was sent before the whole body arrived, so there is no fingerprint."""
    key = bearer(around) | new_key()
    with gateway(around, upload_bytes_max=2000) as client:
        large = iter([b"x" * 40_000, b"x" * 40_000])
        assert client.post(PATH, content=large, headers=PNG | key).status_code == 413
        assert "idempotency-replayed" not in post(client, key).headers


def test_a_result_too_large_to_store_is_computed_again(around: Surroundings) -> None:
    key = bearer(around) | new_key()
    with gateway(around) as client:
        document = post(client, bearer(around)).json()
    large = Misbehaving(body=json.dumps(document | {"notice": "x" * BODY_BYTES_MAX}).encode())
    with serving(large) as url, gateway(around, classify_url=url) as client:
        statuses = [post(client, key).status_code for _ in range(2)]
    assert statuses == [200, 200]
    assert len(large.seen) == 2


def test_a_response_arrives_although_the_database_cannot_be_written(around: Surroundings) -> None:
    file = around.folder / f"{uuid.uuid4()}.sqlite3"
    key = bearer(around) | new_key()
    slow = Misbehaving(wait_s=2.0, status=404, body=b"{}", kind=b"application/problem+json")
    with serving(slow) as url, gateway(around, database_url=f"sqlite+aiosqlite:///{file}", classify_url=url) as client:
        answers: list[int] = []
        first = threading.Thread(target=lambda: answers.append(post(client, key).status_code))
        first.start()
        while not slow.seen:
            time.sleep(0.05)
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            first.join()
            assert answers == [502]
            refused = post(client, bearer(around) | new_key())
            assert problem(refused).type == "/problems/unavailable"
            assert client.post(PATH, content=DARK, headers=PNG | bearer(around)).status_code == 502
