"""Networks are trained on collected datasets without any code change."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.training.miniatures import SIDE, WINDOW, Case, crlm, encoded_image, mct_ltdiag, plc_cect, write, yolo_line
from tests.training.support import run_training
from training.datasets.collection import read_collection
from training.datasets.records import TypedBox
from training.lesions import Label


def test_a_classifier_and_a_detector_are_trained_on_the_kaggle_layout(tmp_path: Path) -> None:
    labels: tuple[Label, ...] = ("cholangiocarcinoma", "metastasis")
    for seed in range(16):
        label = labels[seed % 2]
        case = Case(seed, label)
        wide = np.pad(WINDOW.to_grey(case.hu[2]), ((0, 0), (SIDE // 2, SIDE // 2)))
        write(tmp_path / "kaggle" / label / f"{seed}.jpg", encoded_image(wide, "JPEG"))
        lines = [yolo_line(box, 0).split() for box in case.boxes]
        yolo_rows = [f"0 {(float(x) + 0.5) / 2} {y} {float(w) / 2} {h}\n" for _, x, y, w, h in lines]
        write(tmp_path / "kaggle" / label / f"{seed}.txt", "".join(yolo_rows))
    write(tmp_path / "kaggle" / "metastasis" / "unboxed.png", Case(0).png(2))
    write(tmp_path / "kaggle" / "haemangioma" / "other.png", Case(0).png(2))
    run = tmp_path / "run"
    too_early = run_training(run, "prepare", "--collection")
    assert too_early.returncode == 1
    assert "run `python -m training explore` first" in too_early.stderr
    assert run_training(run, "explore", "--source", f"class_folders={tmp_path / 'kaggle'}").returncode == 0
    prepared = run_training(run, "prepare", "--collection")
    assert prepared.returncode == 0, prepared.stderr
    assert "haemangioma_other.png: the label map has no label for its type 'haemangioma'" in prepared.stdout
    assert "17 images in" in prepared.stdout
    rows = [json.loads(line) for line in (run / "data" / "manifest.jsonl").read_text().splitlines()]
    examples = [row for row in rows if not row["name"].endswith("unboxed")]
    (unboxed,) = (row for row in rows if row["name"].endswith("unboxed"))
    assert unboxed["boxes"] == []
    detector_images = (run / "data" / f"{unboxed['part']}.txt").read_text()
    assert "unboxed" not in detector_images, "a tumour without a box must not train detectors as an empty image"
    assert len(detector_images.splitlines()) == sum(row["part"] == unboxed["part"] for row in examples)
    for part in ("train", "validation", "test"):
        assert {row["label"] for row in examples if row["part"] == part} == {0, 1}, "stratified"
    for row in examples:
        seed = int(row["name"].split("_")[-1])
        for box, expected in zip(
            sorted(row["boxes"]), sorted(Case(seed, labels[seed % 2]).boxes, key=_corners), strict=True
        ):
            shares = [value / SIDE for value in _corners(expected)]
            fitted = [(shares[0] + 0.5) / 2, 0.25 + shares[1] / 2, (shares[2] + 0.5) / 2, 0.25 + shares[3] / 2]
            assert box[0] == row["label"] == seed % 2
            assert box[1:] == pytest.approx(fitted, abs=1e-2)
    for network in ("classify_resnet", "detect_yolov5"):
        for command in ("train", "export"):
            result = run_training(run, command, network)
            assert result.returncode == 0, result.stderr[-2000:]
        card = json.loads((run / "models" / network / "card.json").read_text())
        assert "class_folders" in card["training_data"]
        assert card["labels"] == ["cholangiocarcinoma", "metastasis"], "no healthy slices, no third label"
        assert not any("synthesised" in limit for limit in card["limits"])


@pytest.mark.parametrize("kinds", [("mct_ltdiag",), ("crlm", "plc_cect")])
def test_networks_are_trained_on_volumes_with_masks(kinds: tuple[str, ...], tmp_path: Path) -> None:
    """CRLM contains metastases only, so it is joined with a dataset that has the other type."""
    builders: dict[str, Callable[..., None]] = {"mct_ltdiag": mct_ltdiag, "crlm": crlm, "plc_cect": plc_cect}
    for kind in kinds:
        builders[kind](tmp_path / kind, copies=4)
    run = tmp_path / "run"
    sources = [word for kind in kinds for word in ("--source", f"{kind}={tmp_path / kind}")]
    assert run_training(run, "explore", "--every-nth", "2", *sources).returncode == 0
    prepared = run_training(run, "prepare", "--collection")
    assert prepared.returncode == 0, prepared.stderr
    rows = [json.loads(line) for line in (run / "data" / "manifest.jsonl").read_text().splitlines()]
    assert {row["label"] for row in rows} == {0, 1, 2}
    records = {row.path.split("/")[-1][:-4]: row for row in read_collection(run / "collection")}
    for row in rows:
        with Image.open(run / "data" / row["part"] / "lesions" / f"{row['name']}.png") as mask:
            share = np.asarray(mask).mean()
        original = next(record for name, record in records.items() if row["name"] == f"{record.source}_{name}")
        if original.lesion_mask is None:
            assert share == 0
            continue
        with Image.open(run / "collection" / original.lesion_mask) as outlined:
            assert share == pytest.approx(np.asarray(outlined).mean(), rel=0.1), "the outline, not an ellipse"
    for network in ("classify_unet", "detect_faster_rcnn"):
        result = run_training(run, "train", network)
        assert result.returncode == 0, result.stderr[-2000:]
        assert (run / network / "finished").is_file()


def _corners(box: TypedBox) -> tuple[int, int, int, int]:
    return box.x_min, box.y_min, box.x_max, box.y_max
