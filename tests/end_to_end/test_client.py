"""The Python client and the command line `hepar` against the running stack, and against servers that misbehave."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from starlette.types import Receive, Scope, Send

from hepar.client import AsyncHepar, CannotReach, Hepar, HeparProblem, Options, UnexpectedAnswer
from hepar.client.files import NoImages, images_in
from hepar.client.requests import Call, wait_s
from hepar.contracts.analyses import Analysis, Classification, Detection
from hepar.contracts.problems import Problem
from hepar.contracts.tokens import AccessToken
from tests.end_to_end.conftest import Stack
from tests.support.pictures import ct_dataset, dicom_bytes, encoded, gradient
from tests.support.serving import serving

PASSWORD = "a long enough password"
PICTURE = encoded(gradient(128, 128))
TOKEN = AccessToken(access_token="one", expires_in=600, scope="analyses", refresh_token="first")


@pytest.fixture
def hepar(stack: Stack) -> Iterator[Hepar]:
    with Hepar(stack.settings.gateway_url) as hepar:
        email = f"{uuid.uuid4().hex}@example.org"
        assert hepar.sign_up(email, PASSWORD, "Ada").email == email
        hepar.sign_in(email, PASSWORD)
        yield hepar


def test_the_client_does_all_there_is_to_do(hepar: Hepar, tmp_path: Path) -> None:
    assert hepar.me().name == "Ada"
    assert {model.card.name for model in hepar.models().models} == {"classify_tiny", "detect_tiny"}
    assert hepar.classify(PICTURE).label == "metastasis"
    (tmp_path / "x.png").write_bytes(PICTURE)
    found = hepar.detect(tmp_path / "x.png", Options(annotate=True, fusion="non_maximum_suppression"))
    assert (len(found.boxes), found.method) == (1, "non_maximum_suppression")
    assert found.annotated_png
    both = hepar.analyse(PICTURE, Options(explain=True, classifiers=["classify_tiny"]))
    assert isinstance(both.classification, Classification)
    assert both.classification.explanation is not None
    many = hepar.analyse_many([("a.png", PICTURE), ("b.png", b"no image")])
    assert isinstance(many.items[0].detection, Detection)
    assert isinstance(many.items[1].detection, Problem)
    ready = {item.index: item.item for item in hepar.analyse_as_ready([("a.png", PICTURE), ("b.png", PICTURE)])}
    assert sorted(ready) == [0, 1]


def test_a_refusal_is_an_exception_that_tells_why(hepar: Hepar, stack: Stack) -> None:
    with pytest.raises(HeparProblem, match="not supported") as caught:
        hepar.classify(b"no image")
    assert caught.value.problem.status == 415
    with Hepar(stack.settings.gateway_url) as stranger:
        for refused in (stranger.me, lambda: list(stranger.analyse_as_ready([("a", PICTURE)]))):
            with pytest.raises(HeparProblem) as caught:
                refused()
            assert caught.value.problem.status == 401


async def _all_async(url: str) -> tuple[str, int, list[int]]:
    async with AsyncHepar(url) as hepar:
        email = f"{uuid.uuid4().hex}@example.org"
        await hepar.sign_up(email, PASSWORD)
        token = await hepar.sign_in(email, PASSWORD)
        assert token.refresh_token is not None
        assert (await hepar.me()).email == email
        assert len((await hepar.models()).models) == 2
        label = (await hepar.classify(PICTURE)).label
        assert label is not None
        boxes = len((await hepar.detect(PICTURE)).boxes)
        assert isinstance(await hepar.analyse(PICTURE), Analysis)
        assert len((await hepar.analyse_many([("a", PICTURE)])).items) == 1
        indices = [item.index async for item in hepar.analyse_as_ready([("a", PICTURE), ("b", PICTURE)])]
    async with AsyncHepar(url) as stranger:
        with pytest.raises(HeparProblem):
            [item async for item in stranger.analyse_as_ready([("a", PICTURE)])]
    return label, boxes, sorted(indices)


def test_the_asynchronous_client_does_the_same(stack: Stack) -> None:
    import asyncio

    assert asyncio.run(_all_async(stack.settings.gateway_url)) == ("metastasis", 1, [0, 1])


class Moody:
    """A gateway that answers the next of `answers` to each request: status, headers and a body."""

    def __init__(self, *answers: tuple[int, dict[str, str], bytes]) -> None:
        self.answers = list(answers)
        self.seen: list[tuple[str, dict[str, str]]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        self.seen.append((scope["path"], {name.decode(): value.decode() for name, value in scope["headers"]}))
        while (await receive()).get("more_body"):
            pass
        status, headers, body = self.answers.pop(0) if self.answers else (500, {}, b"")
        coded = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": coded})
        await send({"type": "http.response.body", "body": body})


def refusal(status: int) -> bytes:
    return Problem(type="t", title="t", status=status, detail="d", request_id="12345678").model_dump_json().encode()


MODELS = b'{"models": []}'
RENEWED = b'{"access_token": "two", "expires_in": 600, "scope": "analyses", "refresh_token": "second"}'


def test_it_waits_as_long_as_it_is_told_and_repeats_with_the_same_key() -> None:
    moody = Moody(
        (429, {"retry-after": "1"}, refusal(429)), (503, {"retry-after": "1"}, refusal(503)), (201, {}, b"{}")
    )
    with serving(moody) as url, Hepar(url) as hepar:
        began = time.monotonic()
        with pytest.raises(UnexpectedAnswer):
            hepar.sign_up("a@example.org", PASSWORD)
        assert time.monotonic() - began >= 2
    keys = [headers["idempotency-key"] for _, headers in moody.seen]
    assert len(keys) == 3
    assert len(set(keys)) == 1


def test_it_gives_up_after_four_tries() -> None:
    moody = Moody(*[(503, {"retry-after": "0"}, refusal(503))] * 9)
    with serving(moody) as url, Hepar(url, TOKEN) as hepar, pytest.raises(HeparProblem):
        hepar.models()
    assert len(moody.seen) == 4


def test_a_token_that_ends_or_is_refused_is_renewed_once() -> None:
    ended = TOKEN.model_copy(update={"expires_in": 1})
    moody = Moody((200, {}, RENEWED), (200, {}, MODELS), (401, {}, refusal(401)), (200, {}, RENEWED), (200, {}, MODELS))
    with serving(moody) as url, Hepar(url, ended) as hepar:
        hepar.models()
        assert hepar.token is not None
        assert hepar.token.refresh_token == "second"
        hepar.models()
    assert [path for path, _ in moody.seen] == ["/v1/token", "/v1/models", "/v1/models", "/v1/token", "/v1/models"]
    assert moody.seen[1][1]["authorization"] == "Bearer two"


def test_a_hospital_system_gets_another_token_by_its_secret() -> None:
    token = b'{"access_token": "one", "expires_in": 600, "scope": "analyses"}'
    moody = Moody((200, {}, token), (401, {}, refusal(401)), (200, {}, token), (200, {}, MODELS))
    with serving(moody) as url, Hepar(url) as hepar:
        hepar.sign_in_as_client("id", "secret")
        hepar.models()
    assert [path for path, _ in moody.seen] == ["/v1/token", "/v1/models", "/v1/token", "/v1/models"]


def test_what_is_no_gateway_is_said_so() -> None:
    with Hepar("http://127.0.0.1:9", TOKEN) as hepar, pytest.raises(CannotReach):
        hepar.models()
    for status in (200, 500):
        with (
            serving(Moody((status, {}, b"<html>"))) as url,
            Hepar(url, TOKEN) as hepar,
            pytest.raises(UnexpectedAnswer),
        ):
            hepar.models()
    nothing = Moody((200, {"content-type": "text/event-stream"}, b""))
    with serving(nothing) as url, Hepar(url, TOKEN) as hepar, pytest.raises(UnexpectedAnswer, match="stopped"):
        list(hepar.analyse_as_ready([("a", PICTURE)]))


@pytest.mark.parametrize(
    ("status", "headers", "tried", "seconds"),
    [
        (200, {}, 1, None), (404, {}, 1, None), (503, {}, 1, 0.5), (503, {}, 3, 2.0), (503, {}, 4, None),
        (429, {"retry-after": "7"}, 1, 7.0), (429, {"retry-after": "3600"}, 1, None),
        (429, {"retry-after": "x"}, 2, 1.0), (409, {}, 1, None), (409, {"retry-after": "1"}, 1, 1.0),
    ],
)  # fmt: skip
def test_how_long_it_waits(status: int, headers: dict[str, str], tried: int, seconds: float | None) -> None:
    assert wait_s(httpx.Response(status, headers=headers), tried) == seconds


def test_only_a_post_has_a_key() -> None:
    assert "Idempotency-Key" in Call("POST", "/").arguments("k", None)["headers"]
    assert "Idempotency-Key" not in Call("GET", "/").arguments("k", None)["headers"]


# The command line.


@pytest.fixture
def command(stack: Stack, tmp_path: Path) -> Command:
    ready = Command(stack.settings.gateway_url, tmp_path / "config")
    with Hepar(stack.settings.gateway_url) as hepar:
        hepar.sign_up(ready.email, PASSWORD)
    return ready


class Command:
    def __init__(self, url: str, config: Path) -> None:
        self.email = f"{uuid.uuid4().hex}@example.org"
        self.config = config
        self._environment = os.environ | {"HEPAR_URL": url, "XDG_CONFIG_HOME": str(config), "HEPAR_PASSWORD": PASSWORD}

    def __call__(self, *words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "hepar.client", *map(str, words)],
            env=self._environment | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


def series(folder: Path) -> list[Path]:
    """Twelve slices whose names say another order than their instance numbers."""
    folder.mkdir()
    uid = "1.2.3"
    for number in range(1, 13):
        dataset = ct_dataset(np.tile(np.linspace(-100, 300, 80).astype(np.int32), (80, 1)))
        dataset.SeriesInstanceUID, dataset.InstanceNumber = uid, number
        (folder / f"IMG{(number * 7) % 13:04d}").write_bytes(dicom_bytes(dataset))
    return images_in([folder])


def test_login_whoami_models_and_logout(command: Command) -> None:
    assert command("whoami").returncode == 4, "sign in first"
    signed = command("login", command.email)
    assert (signed.returncode, "Signed in" in signed.stdout) == (0, True)
    tokens = command.config / "hepar" / "tokens.json"
    assert tokens.stat().st_mode & 0o077 == 0
    assert command("whoami").stdout == f"{command.email}, researcher\n"
    assert "classify_tiny" in command("models").stdout
    assert command("logout").returncode == 0
    assert command("whoami").returncode == 4
    assert command("login", command.email, HEPAR_PASSWORD="a wrong but long one").returncode == 4
    assert command("login").returncode == 2


def test_a_folder_and_a_series_come_in_order_with_tables_and_pictures(command: Command, tmp_path: Path) -> None:
    slices = series(tmp_path / "series")
    (tmp_path / "pictures").mkdir()
    for name in ("slice10.png", "slice9.png"):
        (tmp_path / "pictures" / name).write_bytes(PICTURE)
    (tmp_path / "pictures" / "notes.txt").write_text("not an image")
    command("login", command.email)
    out, table = tmp_path / "out", tmp_path / "table.csv"
    done = command("analyse", tmp_path / "series", tmp_path / "pictures", "--csv", table, "--json", "--annotate", out)
    assert done.returncode == 0, done.stderr
    documents = [json.loads(line) for line in done.stdout.splitlines()]
    expected = [*slices, tmp_path / "pictures" / "slice9.png", tmp_path / "pictures" / "slice10.png"]
    assert [document["file"] for document in documents] == list(map(str, expected))
    assert [int(file.name[3:]) for file in slices[:4]] == [7, 1, 8, 2], "by instance number"
    rows = list(csv.DictReader(table.open()))
    assert [row["file"] for row in rows] == list(map(str, expected))
    assert {(row["label"], row["boxes"], row["problem"]) for row in rows} == {("metastasis", "1", "")}
    assert rows[0]["longest_mm"] != ""
    for kind in ("boxes", "evidence"):
        pictures = list(out.glob(f"*-{kind}.png"))
        assert len(pictures) == len(expected)
        assert Image.open(pictures[0]).size[0] > 60


def test_one_bad_file_is_named_and_the_others_are_answered(command: Command, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image")
    (tmp_path / "good.png").write_bytes(PICTURE)
    command("login", command.email)
    done = command("classify", tmp_path / "bad.png", tmp_path / "good.png")
    assert done.returncode == 1
    bad, good, notice = done.stdout.splitlines()
    assert "bad.png: The format is not supported" in bad
    assert "good.png: metastasis" in good
    assert "not a medical device" in notice
    table = command("detect", tmp_path / "good.png", "--csv", "-").stdout
    assert next(csv.DictReader(io.StringIO(table)))["boxes"] == "1"


def test_wrong_use_and_no_gateway_have_codes_of_their_own(command: Command, tmp_path: Path) -> None:
    assert command("classify", tmp_path / "nothing.png").returncode == 2
    assert command("frobnicate").returncode == 2
    (tmp_path / "x.png").write_bytes(PICTURE)
    away = command("classify", tmp_path / "x.png", HEPAR_URL="http://127.0.0.1:9")
    assert away.returncode == 3
    assert "http://127.0.0.1:9" in away.stderr
    assert command("classify", tmp_path / "x.png").returncode == 4
    with pytest.raises(NoImages):
        images_in([tmp_path / "config"])
