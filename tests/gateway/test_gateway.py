"""The gateway before real services, and before one that misbehaves."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest

from auth_service.app import create_app as create_auth
from auth_service.keys import KeyRing
from auth_service.settings import AuthSettings
from auth_service.tokens import TokenIssuer
from classify_service.app import create_app as create_classify
from classify_service.settings import ClassifySettings
from hepar.imaging.input_frame import IMPLAUSIBLE_SPACING
from tests.support.gateway_client import DARK, NOWHERE, PNG, Misbehaving, Surroundings, bearer, gateway, problem
from tests.support.pictures import dicom_bytes, multi_frame
from tests.support.serving import serving
from tests.support.triton import RunningTriton


def test_an_analysis_has_both_parts_and_one_request_id(around: Surroundings) -> None:
    with gateway(around) as client:
        answer = client.post("/v1/analyses", content=DARK, headers=PNG | bearer(around))
        assert answer.status_code == 200, answer.text
        document = answer.json()
        assert document["classification"]["label"] == "metastasis"
        assert document["detection"]["boxes"][0]["label"] == "metastasis"
        ids = {document["request_id"], document["classification"]["request_id"], document["detection"]["request_id"]}
        assert ids == {answer.headers["x-request-id"]}
        assert client.get("/readyz").json()["parts"] == {
            "sign_in": True,
            "classification": True,
            "detection": True,
            "studies": True,
        }


def test_a_part_that_fails_on_its_own_says_so_in_its_place(around: Surroundings) -> None:
    with gateway(around, detect_url=NOWHERE) as client:
        answer = client.post("/v1/analyses", content=DARK, headers=PNG | bearer(around))
        assert answer.status_code == 200
        assert answer.json()["classification"]["label"] == "metastasis"
        assert answer.json()["detection"]["status"] == 503
        ready = client.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["parts"]["detection"] is False


def test_where_both_parts_fail_the_analysis_fails(around: Surroundings) -> None:
    with gateway(around, detect_url=NOWHERE, classify_url=NOWHERE) as client:
        answer = client.post("/v1/analyses", content=DARK, headers=PNG | bearer(around))
        assert problem(answer).status == 503
        assert answer.headers["retry-after"] == "5"


@pytest.mark.parametrize(
    ("behaviour", "status"),
    [
        (Misbehaving(body=b"no json"), 502),
        (Misbehaving(body=b'{"label": 1}'), 502),
        (Misbehaving(status=500, body=b"Traceback", kind=b"text/plain"), 502),
        (Misbehaving(status=422, body=b"{}", kind=b"application/problem+json"), 502),
        (
            Misbehaving(
                status=429,
                body=b'{"type":"t","title":"t","status":429,"detail":"d","request_id":"other"}',
                kind=b"application/problem+json",
            ),
            429,
        ),
        (
            Misbehaving(
                status=401,
                body=b'{"type":"t","title":"t","status":401,"detail":"d","request_id":"other"}',
                kind=b"application/problem+json",
            ),
            401,
        ),
    ],
    ids=["no json", "other json", "html", "no problem", "problem", "unauthenticated"],
)
def test_what_a_service_answers_is_checked_before_it_is_passed_on(
    around: Surroundings, behaviour: Misbehaving, status: int
) -> None:
    with serving(behaviour) as url, gateway(around, classify_url=url) as client:
        answer = client.post("/v1/classifications", content=DARK, headers=PNG | bearer(around))
        assert problem(answer).status == status
        if status == 429:
            assert answer.headers["retry-after"] == "7"
        if status == 401:
            assert answer.headers["www-authenticate"] == "Bearer"


def test_a_service_that_does_not_answer_ends_at_the_deadline_and_hears_of_it(around: Surroundings) -> None:
    slow = Misbehaving(wait_s=20)
    with serving(slow) as url, gateway(around, classify_url=url, deadline_s=0.6) as client:
        started = time.monotonic()
        answer = client.post("/v1/classifications", content=DARK, headers=PNG | bearer(around))
        assert problem(answer).status == 504
        assert time.monotonic() - started < 3
        assert 0 < int(slow.seen[0]["x-hepar-timeout-ms"]) <= 600
        time.sleep(0.3)
        assert slow.cancelled == 1


def test_a_client_may_ask_for_an_earlier_end(around: Surroundings) -> None:
    with serving(Misbehaving(wait_s=20)) as url, gateway(around, classify_url=url) as client:
        headers = PNG | bearer(around) | {"x-hepar-timeout-ms": "400"}
        started = time.monotonic()
        assert problem(client.post("/v1/classifications", content=b"x", headers=headers)).status == 504
        assert time.monotonic() - started < 3


@pytest.mark.parametrize("option", ["classifiers", "detectors"])
@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
@pytest.mark.parametrize("path", ["/v1/analyses", "/v1/analyses/batch"])
def test_an_option_that_one_service_refuses_fails_the_request(
    around: Surroundings, path: str, accept: str, option: str
) -> None:
    with gateway(around) as client:
        files, headers = [("image", ("a.png", DARK))], bearer(around) | {"accept": accept}
        answer = client.post(path, files=files, params={option: "nothing"}, headers=headers)
        (field,) = problem(answer).errors or []
        assert (answer.status_code, field.pointer, field.code) == (422, f"/{option}", "unknown_model")


@pytest.mark.parametrize("path", ["/v1/classifications/batch", "/v1/detections/batch"])
def test_a_batch_with_an_unknown_model_is_refused(around: Surroundings, path: str) -> None:
    with gateway(around) as client:
        option = {"/v1/classifications/batch": "classifiers", "/v1/detections/batch": "detectors"}[path]
        files = [("image", ("a.png", DARK))]
        answer = client.post(path, files=files, params={option: "nothing"}, headers=bearer(around))
        assert answer.status_code == 422


@pytest.mark.parametrize("timeout", ["0", "-5", "soon", "600001"])
def test_a_time_that_cannot_be_waited_is_refused(around: Surroundings, timeout: str) -> None:
    with gateway(around) as client:
        headers = bearer(around) | {"x-hepar-timeout-ms": timeout}
        for call in (("GET", "/v1/models"), ("POST", "/v1/analyses"), ("POST", "/v1/detections")):
            (field,) = problem(client.request(*call, headers=headers | PNG)).errors or []
            assert (field.location, field.pointer) == ("header", "/X-Hepar-Timeout-Ms")


def test_an_early_refusal_by_one_service_does_not_stop_the_other(around: Surroundings) -> None:
    body = b'{"type":"t","title":"t","status":415,"detail":"d","request_id":"other"}'
    refusing = Misbehaving(status=415, body=body, kind=b"application/problem+json", reads=False)
    with serving(refusing) as url, gateway(around, detect_url=url) as client:
        answer = client.post("/v1/analyses", content=DARK, headers=PNG | bearer(around))
        assert answer.json()["classification"]["label"] == "metastasis"


@pytest.mark.parametrize("path", ["/v1/classifications", "/v1/detections", "/v1/analyses"])
def test_uploads_need_a_token_with_the_right_scope_and_a_right_size(around: Surroundings, path: str) -> None:
    with gateway(around, upload_bytes_max=1000) as client:
        assert problem(client.post(path, content=b"x", headers=PNG)).status == 401
        refused = client.post(path, content=b"x", headers=PNG | bearer(around, "account"))
        assert problem(refused).status == 403
        large = b"x" * 100_000
        assert problem(client.post(path, content=large, headers=PNG | bearer(around))).status == 413
        chunks = iter([large[:50_000], large[50_000:]])
        assert problem(client.post(path, content=chunks, headers=PNG | bearer(around))).status == 413
        text = {"content-type": "text/plain"} | bearer(around)
        assert problem(client.post(path, content=b"x", headers=text)).status == 415


def test_accounts_are_passed_on(around: Surroundings) -> None:
    form = {"email": "grace@example.org", "password": "a long enough password"}
    with gateway(around) as client:
        created = client.post("/v1/users", json=form)
        assert (created.status_code, created.headers["location"]) == (201, f"/v1/users/{created.json()['id']}")
        assert problem(client.post("/v1/users", json=form)).status == 409
        wrong = client.post("/v1/token", data={"username": form["email"], "password": "another long password"})
        assert problem(wrong).status == 400
        token = client.post("/v1/token", data={"username": form["email"], "password": form["password"]}).json()
        me = client.get("/v1/users/me", headers={"authorization": f"Bearer {token['access_token']}"})
        assert me.json()["email"] == form["email"]
        assert problem(client.get("/v1/users/me", headers=bearer(around))).status == 401


def test_a_new_account_is_sent_with_its_address(around: Surroundings) -> None:
    form = {"email": "hopper@example.org", "password": "a long enough password"}
    with gateway(around) as client:
        made = client.post("/v1/users", json=form)
        assert made.headers["location"] == f"/v1/users/{made.json()['id']}"


@pytest.mark.parametrize(
    "behaviour",
    [
        Misbehaving(status=200, body=b"<html>", kind=b"text/html"),
        Misbehaving(status=302, body=b""),
        Misbehaving(status=204, body=b""),
        Misbehaving(status=500, body=b"Traceback", kind=b"text/plain"),
    ],
    ids=["html", "redirect", "other success", "no problem"],
)
def test_an_account_answer_needs_a_documented_status_and_media_type(
    around: Surroundings, behaviour: Misbehaving
) -> None:
    with serving(behaviour) as url, gateway(around, auth_url=url) as client:
        assert problem(client.get("/v1/users/me", headers=bearer(around))).status == 502


def test_tokens_are_checked_without_auth_service_once_its_keys_are_known(
    around: Surroundings, triton: RunningTriton, tmp_path: Path
) -> None:
    """By the gateway, and by the service behind it."""
    settings = AuthSettings(
        database_url=f"sqlite+aiosqlite:///{tmp_path / 'a.sqlite3'}",
        keys_folder=tmp_path / "keys",
        secret_key_file=tmp_path / "secret.key",
    )
    with ExitStack() as until_outage:
        url = until_outage.enter_context(serving(create_auth(settings)))
        models = {"triton": triton.grpc, "model_repository": triton.repository, "auth_url": url}
        classify = create_classify(ClassifySettings.model_validate(models))
        with serving(classify) as classify_url, gateway(around, auth_url=url, classify_url=classify_url) as client:
            issuer = TokenIssuer(KeyRing(tmp_path / "keys", 600), "hepar-auth", "hepar", 600)
            headers = PNG | {"authorization": f"Bearer {issuer.issue('somebody', 'analyses')}"}

            def status() -> int:
                return client.post("/v1/classifications", content=DARK, headers=headers).status_code

            assert status() == 200
            until_outage.close()
            assert client.get("/readyz").json()["parts"]["sign_in"] is False
            assert status() == 200
    with gateway(around, auth_url=NOWHERE) as newcomer:
        assert problem(newcomer.post("/v1/classifications", content=b"x", headers=headers)).status == 503


def test_a_frame_of_a_multi_frame_object_may_be_chosen(around: Surroundings) -> None:
    content = dicom_bytes(multi_frame(3))
    headers = {"content-type": "application/dicom"} | bearer(around)
    with gateway(around) as client:
        for path in ("/v1/classifications", "/v1/detections"):
            first = client.post(path, content=content, headers=headers).json()
            chosen = client.post(path, params={"frame": 2}, content=content, headers=headers).json()
            assert first["image"]["warnings"] == ["The object has 3 frames; the first was read.", IMPLAUSIBLE_SPACING]
            assert chosen["image"]["warnings"] == [IMPLAUSIBLE_SPACING], "the frames are too small for an abdomen"
            assert problem(client.post(path, params={"frame": 3}, content=content, headers=headers)).status == 422
            assert problem(client.post(path, params={"frame": -1}, content=content, headers=headers)).status == 422
        both = client.post("/v1/analyses", params={"frame": 1}, content=content, headers=headers).json()
        assert both["classification"]["image"]["warnings"] == both["detection"]["image"]["warnings"]
        assert both["detection"]["image"]["warnings"] == [IMPLAUSIBLE_SPACING]


def test_options_reach_the_services_and_a_wrong_one_is_refused(around: Surroundings) -> None:
    with gateway(around) as client:

        def post(path: str, **chosen: str | list[str]) -> httpx2.Response:
            return client.post(path, params=chosen, content=DARK, headers=PNG | bearer(around))

        one = post("/v1/classifications", vote="majority_vote", classifiers="classify_steady").json()
        assert (one["method"], one["voting_models"]) == ("majority_vote", 1)
        found = post("/v1/detections", fusion="non_maximum_suppression", detectors=["detect_left"], annotate="true")
        assert found.json()["method"] == "non_maximum_suppression"
        assert found.json()["annotated_png"]
        assert problem(post("/v1/classifications", classifiers="nobody")).status == 422
        assert problem(post("/v1/analyses", vote="loudest")).status == 422


def test_an_analysis_says_how_much_of_the_evidence_lies_in_the_boxes(around: Surroundings) -> None:
    """The tiny networks speak for everywhere alike: the share is that of the box, a sixteenth."""
    chosen = {"explain": "true", "explain_models": "true", "detectors": "detect_left"}
    with gateway(around) as client:
        answer = client.post("/v1/analyses", params=chosen, content=DARK, headers=PNG | bearer(around)).json()
    shares = [answer["classification"]["explanation"]["share_in_boxes"]]
    shares += [vote["explanation"]["share_in_boxes"] for vote in answer["classification"]["votes"]]
    assert shares == pytest.approx([1 / 16] * 3, abs=0.002)
