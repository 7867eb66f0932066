"""What is ours of the comparison with peers: report, check of the answers, and one target awake at a time."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from copy import deepcopy
from email import message_from_bytes
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from bench.measurement import MeasurementFailed, models_of
from bench.peers import box_fusion
from bench.peers.agreement import check_classification, check_detection
from bench.peers.catalogue import PEERS, Peer
from bench.peers.measurement import ALONE, AS_SHIPPED, BATCHES, SAME_WORK, PeerCell, write_same_networks
from bench.peers.processes import only_awake
from bench.peers.report import conclusions, load_line, rows_of, run_line, table, write
from hepar.ensemble.fusion import FoundBox, weighted_box_fusion

REPOSITORY = Path(__file__).parents[2] / "triton_models"


def cell(target: str, counts: list[int], cpu_s: list[float], clients: int = 4) -> PeerCell:
    """Rounds of two seconds. counts: images answered in each round."""
    made = PeerCell("classification", target, clients)
    for count, spent_s in zip(counts, cpu_s, strict=True):
        latencies = [10.0] * (count - 1) + [200.0]
        made.add({"latencies_ms": latencies, "seconds": 2.0, "cpu_s": spent_s, "errors": []})
    return made


CELLS = [
    cell(ALONE, [160, 200, 180], [1.6, 2.0, 1.8]),
    cell("FastAPI, tuned", [80, 100, 120], [1.6, 2.0, 2.4]),
    cell("LitServe", [90, 110, 10], [1.8, 2.2, 0.2]),
    cell(SAME_WORK, [105, 120, 150], [3.15, 3.6, 4.5]),
    cell(AS_SHIPPED, [50, 50, 50], [2.0, 2.0, 2.0]),
    cell(ALONE, [200], [2.0], clients=16),
    cell("LitServe", [100], [2.0], clients=16),
]


def test_a_row_has_medians_spread_ratios_and_processor_time() -> None:
    """By hand: 120 images in two seconds are 60 a second, 3.6 s of processor time for them are 30 ms each."""
    row = rows_of(CELLS)[3]
    assert row["images_per_s"] == 60
    assert row["rounds"] == [52.5, 60, 75]
    assert row["to_onnxruntime_alone"] == pytest.approx(60 / 90, abs=0.001)
    assert row["best_peer"] == "FastAPI, tuned", "the median counts, not LitServe's best round; and not Hepar itself"
    assert row["to_best_peer"] == pytest.approx(60 / 50)
    assert row["cpu_ms"] == 30
    assert row["cpu_ms_besides_networks"] == 20
    assert row["p50_ms"] == 10
    assert (
        "| classification | 4 | Hepar, the same networks | 60.0 | 52.5 to 75.0 | 0.67 | 1.20 | 30.0 | 20.0 |"
        in (table(rows_of(CELLS))[5])
    )


def test_cells_are_compared_within_their_number_of_clients() -> None:
    assert rows_of(CELLS)[-1]["to_onnxruntime_alone"] == 0.5


def test_images_of_a_batch_are_counted_and_hepars_batches_are_no_peer() -> None:
    """By hand: 20 answers with 8 images each in two seconds are 80 images a second."""
    name = next(iter(BATCHES))
    batches = PeerCell("classification", name, 4, images=8)
    batches.add({"latencies_ms": [400.0] * 20, "seconds": 2.0, "cpu_s": 3.2, "errors": []})
    rows = rows_of([*CELLS, batches])
    assert rows[-1]["images_per_s"] == 80
    assert rows[-1]["cpu_ms"] == 20
    assert rows[-1]["best_peer"] == "FastAPI, tuned"
    assert any(f"{name} reaches 1.60 of the best peer (FastAPI, tuned) and 0.89" in line for line in conclusions(rows))


def test_the_report_says_what_hepar_reaches_and_whether_the_machine_was_quiet(tmp_path: Path) -> None:
    rows = rows_of(CELLS)
    said = conclusions(rows)
    assert len(said) == 2
    assert "Hepar, the same networks reaches 1.20 of the best peer (FastAPI, tuned) and 0.67" in said[0]
    assert "not quiet" not in load_line(0.2, 2)
    busy = load_line(7.4, 2)
    assert "The machine was not quiet: load average before the run 7.4 on 2 processors" in busy
    write(rows, "2 cores", [run_line([4, 16], 2.0, 3), busy], 7.4, tmp_path)
    page = (tmp_path / "peers.md").read_text()
    assert (
        f"2 cores. 3 round(s) of 2 s for each target with 4 and 16 clients (three times as long with batches). {busy}"
        in page
    )
    assert "of the best peer" not in page, "no conclusions from a busy machine"
    write(rows, "2 cores", [load_line(0.2, 2)], 0.2, tmp_path / "quiet")
    assert said[0] in (tmp_path / "quiet" / "peers.md").read_text()
    assert json.loads((tmp_path / "peers.json").read_text())["rows"] == rows


CLASSIFICATION: dict[str, Any] = {
    "probabilities": {"metastasis": 0.9, "no_tumour": 0.1},
    "votes": [{"model": "one", "probabilities": {"metastasis": 0.8, "no_tumour": 0.2}}],
}
BOX = {"x_min": 1.0, "y_min": 2.0, "x_max": 9.0, "y_max": 8.0, "label": "metastasis", "score": 0.7, "detectors": ["a"]}


def peer_answer(vote: float, single: float, model: str = "one") -> dict[str, Any]:
    return {
        "probabilities": {"metastasis": vote, "no_tumour": 1 - vote},
        "votes": {model: {"metastasis": single, "no_tumour": 1 - single}},
    }


def test_a_peer_with_hepars_probabilities_is_measured() -> None:
    check_classification("peer", "image", peer_answer(0.90005, 0.8), CLASSIFICATION)


@pytest.mark.parametrize("answer", [peer_answer(0.9002, 0.8), peer_answer(0.9, 0.79), peer_answer(0.9, 0.8, "other")])
def test_a_peer_with_other_probabilities_or_networks_fails_the_run(answer: dict[str, Any]) -> None:
    with pytest.raises(MeasurementFailed, match="peer"):
        check_classification("peer", "image", answer, CLASSIFICATION)


def test_a_peer_with_hepars_boxes_is_measured() -> None:
    check_detection("peer", "image", {"boxes": [BOX | {"x_min": 1.1}]}, {"boxes": [BOX]})


@pytest.mark.parametrize("change", [{"x_min": 2.0}, {"score": 0.6}, {"label": "no_tumour"}, {"detectors": ["b"]}, None])
def test_a_peer_with_other_boxes_fails_the_run(change: dict[str, Any] | None) -> None:
    boxes = [] if change is None else [deepcopy(BOX) | change]
    with pytest.raises(MeasurementFailed, match="peer"):
        check_detection("peer", "image", {"boxes": boxes}, {"boxes": [BOX]})


@pytest.mark.parametrize("seed", range(20))
def test_the_peers_fuse_boxes_as_hepar_does(seed: int) -> None:
    random = np.random.default_rng(seed)
    weights = {"a": 1.5, "b": 0.5, "c": 1.0}
    boxes = []
    for _ in range(12):
        x, y = random.choice([20.0, 25.0, 60.0], 2) + random.normal(0, 2, 2)
        corners = (x, y, x + random.uniform(20, 30), y + random.uniform(20, 30))
        boxes.append(
            (str(random.choice(list(weights))), corners, random.uniform(0.1, 0.9), str(random.choice(["m", "n"])))
        )
    expected = weighted_box_fusion([FoundBox(*box) for box in boxes], 3, 0.5, weights)
    fused = box_fusion.weighted_box_fusion(
        [box_fusion.Box(model, list(corners), score, label) for model, corners, score, label in boxes], weights, 0.5
    )
    assert [(one["label"], one["detectors"]) for one in fused] == [(one.label, list(one.detectors)) for one in expected]
    assert [one["score"] for one in fused] == pytest.approx([one.score for one in expected], abs=1e-4)
    got = [[one[side] for side in ("x_min", "y_min", "x_max", "y_max")] for one in fused]
    assert np.allclose(got, [one.corners for one in expected], atol=0.051)


def test_the_peers_run_the_classifiers_and_detectors_that_hepar_ships(tmp_path: Path) -> None:
    made = write_same_networks(REPOSITORY, tmp_path / "models")
    assert models_of(made) == models_of(REPOSITORY)
    assert {folder.name.split("_")[0] for folder in made.iterdir()} == {"classify", "detect"}
    inputs = [json.loads(card.read_bytes())["input"] for card in made.glob("*/card.json")]
    assert all(set(size) == {"height", "width"} for size in inputs), "the whole image, as the peers show it"


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_every_peer_gets_the_whole_image(peer: Peer) -> None:
    image = (REPOSITORY.parent / "samples" / "metastasis.png").read_bytes()
    body = peer.body(image)
    if peer.form == "multipart":
        form = message_from_bytes(b"Content-Type: " + body.content_type.encode() + b"\r\n\r\n" + body.content)
        (part,) = [part for part in form.walk() if not part.is_multipart()]
        assert part.get_param("name", header="content-disposition") == "image"
        assert image in body.content
    elif peer.form == "v2":
        assert base64.b64decode(json.loads(body.content)["inputs"][0]["data"][0]) == image
    else:
        assert body.content == image


@pytest.fixture
def sleepers() -> Iterator[list[psutil.Process]]:
    started = [subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) for _ in range(2)]
    yield [psutil.Process(one.pid) for one in started]
    for one in started:
        one.kill()
        one.wait()


def wait_for(process: psutil.Process, *, stopped: bool) -> None:
    """A signal takes effect a moment later."""
    end = time.monotonic() + 30
    while (process.status() == psutil.STATUS_STOPPED) != stopped:
        assert time.monotonic() < end, process.status()
        time.sleep(0.01)


def test_only_the_target_that_is_measured_is_awake(sleepers: list[psutil.Process]) -> None:
    measured, other = sleepers
    with only_awake(measured, sleepers):
        wait_for(other, stopped=True)
        wait_for(measured, stopped=False)
    wait_for(other, stopped=False)


def test_a_triton_server_and_its_models_stay_awake(tmp_path: Path) -> None:
    """The program is a copy of `sleep` under Triton's name; a shell starts it as the starter of the stack does."""
    server = tmp_path / "tritonserver"
    shutil.copy("/bin/sleep", server)
    with subprocess.Popen(["/bin/sh", "-c", f"{server} 60 & wait"]) as stack:
        root = psutil.Process(stack.pid)
        try:
            while not (children := root.children()) or children[0].name() != "tritonserver":
                time.sleep(0.01)
            with only_awake(None, [root]):
                wait_for(root, stopped=True)
                assert children[0].status() != psutil.STATUS_STOPPED
        finally:
            for process in [*root.children(), root]:
                process.kill()
