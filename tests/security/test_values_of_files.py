"""No value of a file reaches a log, the output of any process, or an answer."""

from __future__ import annotations

import json
from collections import Counter

import httpx
import pytest

from tests.support.callers import sign_up
from tests.support.canaries import CANARIES, CANARY, canary_files
from tests.support.pictures import encoded, gradient
from tests.support.stack import Stack

BATCH = 32
FILES = canary_files()


@pytest.fixture(scope="module")
def answers(stack: Stack, client: httpx.Client) -> dict[str, str]:
    """The JSON text of both parts of each file's analysis."""
    caller, names = sign_up(client), list(FILES)
    texts: dict[str, str] = {}
    for start in range(0, len(names), BATCH):
        part = names[start : start + BATCH]
        images = [("image", (f"{CANARY}.dcm", FILES[name])) for name in part]
        answer = client.post("/v1/analyses/batch", files=images, headers=caller, timeout=120)
        assert answer.status_code == 200, answer.text
        texts |= {name: json.dumps(item) for name, item in zip(part, answer.json()["items"], strict=True)}
    return texts


def test_no_value_of_a_file_reaches_an_answer(answers: dict[str, str]) -> None:
    told = {name: text[:600] for name, text in answers.items() if any(canary in text for canary in CANARIES)}
    assert told == {}


def test_no_value_of_a_file_reaches_the_output_of_a_process(answers: dict[str, str], stack: Stack) -> None:
    """Of all processes of the stack, Triton included."""
    logs = stack.logs() + (stack.folder / "triton.log").read_text()
    lines = [line[:600] for line in logs.splitlines() if any(canary in line for canary in CANARIES)]
    assert lines == []


def test_every_line_of_the_services_is_a_line_of_their_log(answers: dict[str, str], stack: Stack) -> None:
    """Nothing else writes to their output but Triton's keeper, so nobody can forge a line."""
    written = [line for line in stack.logs().splitlines() if not line.startswith(("Triton ", "Wrote "))]
    assert len(written) > len(FILES) / BATCH
    for line in written:
        assert json.loads(line)["service"], line


def test_files_of_both_kinds_were_sent(answers: dict[str, str]) -> None:
    """Some are read in spite of their canary, others are refused: both paths were tried."""
    statuses = Counter(json.loads(text)["classification"].get("status", 200) for text in answers.values())
    assert statuses[200] > 50
    assert statuses[422] > 80
    assert statuses[415] > 15
    assert set(statuses) <= {200, 413, 415, 422}
    unsupported = " ".join(text for text in answers.values() if '"status": 415' in text)
    for reason in ("modality is unknown", "modality is missing", "only greyscale", "bits a pixel are not read"):
        assert reason in unsupported, reason


def test_a_name_in_the_texts_of_a_picture_is_not_told(stack: Stack, client: httpx.Client) -> None:
    content = encoded(gradient(), "JPEG", comment=CANARY.encode())
    headers = sign_up(client) | {"content-type": f"image/{CANARY}"}
    for sent in (content, content[: len(content) // 2]):
        answer = client.post("/v1/analyses", content=sent, headers=headers)
        assert CANARY not in answer.text
    assert CANARY not in stack.logs()
