"""Joining datasets into one collection, and the command `explore`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from tests.training.miniatures import SIDE, WINDOW, class_folders, mct_ltdiag, write, yolo
from tests.training.support import run_training
from training.configuration import LABEL_MAP
from training.datasets.collection import Record, Source, collect, read_collection
from training.datasets.records import ReadOptions

OPTIONS = ReadOptions(WINDOW, every_nth=2)


def test_several_datasets_are_joined_with_labels_of_the_label_map(tmp_path: Path) -> None:
    mct_ltdiag(tmp_path / "mct")
    yolo(tmp_path / "yolo")
    sources = [Source("mct_ltdiag", tmp_path / "mct"), Source("yolo", tmp_path / "yolo")]
    records, faults = collect(sources, OPTIONS, LABEL_MAP, tmp_path / "out")
    assert read_collection(tmp_path / "out") == [Record(**json.loads(json.dumps(vars(row)))) for row in records]
    labels = {row.tumour_type: row.label for row in records}
    assert labels == {
        "ICC": "cholangiocarcinoma", "CRLM": "metastasis", "HCC": None, "none": "no_tumour", "metastasis": "metastasis",
    }  # fmt: skip
    assert len(faults) == 2
    for row in records:
        with Image.open(tmp_path / "out" / row.path) as image:
            assert image.size == (SIDE, SIDE)
        assert row.patient.startswith(f"{row.source}/")
        assert len(row.sha256) == 64
        assert row.licence


def explore(out: Path, *sources: str) -> subprocess.CompletedProcess[str]:
    options = [word for source in sources for word in ("--source", source)]
    return run_training(out, "explore", *options, configuration="compact")


def test_explore_prints_faults_by_name_and_writes_a_report(tmp_path: Path) -> None:
    class_folders(tmp_path / "kaggle")
    write(tmp_path / "kaggle" / "metastasis" / "copy.jpg", (tmp_path / "kaggle" / "metastasis" / "2.jpg").read_bytes())
    write(tmp_path / "kaggle" / "metastasis" / "text.jpg", b"no picture")
    result = explore(tmp_path / "run", f"class_folders={tmp_path / 'kaggle'}")
    assert result.returncode == 0, result.stderr
    assert "class_folders: 5 images, 1 faults" in result.stdout
    assert "metastasis/text.jpg: the bytes are neither PNG, JPEG, TIFF, BMP, WebP nor DICOM" in result.stdout
    report = (tmp_path / "run" / "collection" / "report.html").read_text()
    assert report.count("data:image/png;base64,") == 4
    assert "metastasis_copy.png" in report, "a duplicate"
    assert "text.jpg" in report, "a fault"
    assert "not a medical device" in report
    assert "src='http" not in report


@pytest.mark.parametrize("source", ["kaggle=/tmp", "yolo", "yolo=/no/such/folder"])
def test_a_wrong_source_gives_a_one_line_error(tmp_path: Path, source: str) -> None:
    result = explore(tmp_path / "run", source)
    assert result.returncode == 1
    assert len(result.stderr.strip().splitlines()) == 1
