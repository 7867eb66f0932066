"""Miniature copies of the public datasets are read as the real ones would be."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.training.miniatures import (
    BUILDERS,
    LESION_SLICES,
    SIDE,
    WINDOW,
    Case,
    class_folders,
    crlm,
    csv_boxes,
    encoded_image,
    mct_ltdiag,
    plc_cect,
    write,
    yolo,
    yolo_line,
)
from training.configuration import LABEL_MAP
from training.datasets.collection import LAYOUTS, Record, Source, collect, read_collection
from training.datasets.records import (
    Fault,
    NotThisDataset,
    ReadOptions,
    SourceSlice,
    TypedBox,
    box_fault,
)
from training.lesions import Label

REPOSITORY = Path(__file__).parents[2]
OPTIONS = ReadOptions(WINDOW, every_nth=2)


def read(kind: str, root: Path, options: ReadOptions = OPTIONS) -> tuple[list[SourceSlice], list[Fault]]:
    BUILDERS[kind](root)
    items = list(LAYOUTS[kind].read(root, options))
    return [item for item in items if isinstance(item, SourceSlice)], [
        item for item in items if isinstance(item, Fault)
    ]


def corners(item: SourceSlice) -> list[tuple[int, int, int, int]]:
    return sorted((box.x_min, box.y_min, box.x_max, box.y_max) for box in item.boxes)


def expected_corners(case: Case) -> list[tuple[int, int, int, int]]:
    return sorted((box.x_min, box.y_min, box.x_max, box.y_max) for box in case.boxes)


def test_every_layout_has_a_miniature() -> None:
    assert set(BUILDERS) == set(LAYOUTS)


@pytest.mark.parametrize("kind", sorted(BUILDERS))
def test_another_folder_is_named_not_guessed(kind: str, tmp_path: Path) -> None:
    with pytest.raises(NotThisDataset, match=str(tmp_path)):
        list(LAYOUTS[kind].read(tmp_path, OPTIONS))


@pytest.mark.parametrize("kind", ["yolo", "coco", "csv_boxes"])
def test_pictures_with_boxes_and_without(kind: str, tmp_path: Path) -> None:
    slices, faults = read(kind, tmp_path)
    types = {item.tumour_type: item for item in slices}
    assert set(types) == {"metastasis", "none"}
    assert corners(types["metastasis"]) == expected_corners(Case(0))
    assert (types["metastasis"].grey == WINDOW.to_grey(Case(0).hu[2])).all()
    assert len(faults) == (kind != "yolo")


def test_the_kaggle_layout_takes_the_type_from_the_folder_and_the_boxes_from_beside(tmp_path: Path) -> None:
    slices, faults = read("class_folders", tmp_path)
    assert faults == []
    assert sorted(item.tumour_type for item in slices) == ["cholangiocarcinoma"] * 2 + ["metastasis"] * 2
    for item in slices:
        seed = ["cholangiocarcinoma", "metastasis"].index(item.tumour_type)
        labels: tuple[Label, ...] = ("cholangiocarcinoma", "metastasis")
        assert corners(item) == expected_corners(Case(seed, labels[seed]))
    assert len({item.name for item in slices}) == 4


def test_pascal_voc_counts_from_one_and_names_what_is_broken(tmp_path: Path) -> None:
    (item,), faults = read("pascal_voc", tmp_path)
    assert corners(item) == expected_corners(Case(0))
    assert [(fault.origin, fault.reason.split(":")[0]) for fault in faults] == [
        ("Annotations/b.xml", "its image is missing"),
        ("Annotations/c.xml", "not an annotation"),
    ]


def check_volume(slices: list[SourceSlice], case: Case, tumour_type: str) -> None:
    """Both lesion slices and every second other one, the right way up and in Hounsfield units."""
    with_lesion = [item for item in slices if item.boxes]
    assert [item.tumour_type for item in with_lesion] == [tumour_type] * len(LESION_SLICES)
    assert [int(item.name[-4:]) for item in slices] == [0, 2, 3, 4]
    for item in slices:
        number = int(item.name[-4:])
        assert item.liver_mask is not None
        assert (item.liver_mask == case.liver[number]).all()
        assert np.abs(item.grey.astype(int) - WINDOW.to_grey(case.hu[number])).max() <= 1
        if item.boxes:
            assert corners(item) == expected_corners(case)
        else:
            assert item.tumour_type == "none"


def test_lits_and_msd_volumes(tmp_path: Path) -> None:
    slices, (fault,) = read("lits", tmp_path)
    for patient in ("liver_0", "lits_7"):
        check_volume([item for item in slices if item.patient == patient], Case(0), "unknown")
    assert slices[0].spacing_mm == pytest.approx((Case(0).spacing_mm,) * 2, rel=1e-4)
    assert fault.origin == "imagesTr/liver_1.nii.gz"


def test_mct_ltdiag_is_read_from_its_tars(tmp_path: Path) -> None:
    slices, faults = read("mct_ltdiag", tmp_path)
    check_volume([item for item in slices if item.patient == "p0"], Case(0, "cholangiocarcinoma"), "ICC")
    check_volume([item for item in slices if item.patient == "p1"], Case(1), "CRLM")
    assert slices[0].origin == "p0.tar:pvp.nii.gz"
    assert [fault.origin for fault in faults] == ["broken.tar", "stranger.tar"]
    with pytest.raises(NotThisDataset, match="not venous"):
        list(LAYOUTS["mct_ltdiag"].read(tmp_path, ReadOptions(WINDOW, phase="venous")))


def test_plc_cect_is_mended_and_says_so(tmp_path: Path) -> None:
    slices, (fault,) = read("plc_cect", tmp_path)
    case = Case(0, "cholangiocarcinoma")
    case.hu = np.clip(case.hu, -200, 200)
    check_volume_within(slices, case)
    assert slices[0].spacing_mm == (400 / SIDE, 400 / SIDE)
    assert len(slices[0].mends) == 3
    assert "not the 8 bits" in fault.reason


def check_volume_within(slices: list[SourceSlice], case: Case) -> None:
    """As check_volume, but for the grey levels that eight bits of 400 HU cannot tell apart."""
    for item in slices:
        number = int(item.name[-4:])
        assert np.abs(item.grey.astype(int) - WINDOW.to_grey(case.hu[number])).max() <= 2
        assert bool(item.boxes) == (number in LESION_SLICES)
        if item.boxes:
            assert item.tumour_type == "ICC"
            assert corners(item) == expected_corners(case)


def test_crlm_reads_a_seg_that_covers_only_part_of_the_series(tmp_path: Path) -> None:
    slices, (fault,) = read("crlm", tmp_path)
    assert [int(item.name[-4:]) for item in slices] == list(LESION_SLICES)
    for item in slices:
        assert (item.patient, item.tumour_type) == ("CRLM-CT-1", "CRLM")
        assert corners(item) == expected_corners(Case(0))
    assert "CRLM-CT-2" in fault.reason


def test_ircadb_unites_its_tumour_masks(tmp_path: Path) -> None:
    slices, faults = read("ircadb", tmp_path)
    assert faults == []
    check_volume(slices, Case(0), "unknown")


def test_chaos_is_healthy(tmp_path: Path) -> None:
    slices, (fault,) = read("chaos", tmp_path)
    assert {item.tumour_type for item in slices} == {"none"}
    assert [int(item.name[-4:]) for item in slices] == [0, 2, 4]
    assert fault == Fault("CT/2", "6 slices but 1 masks")


def test_a_plain_series_is_unlabelled(tmp_path: Path) -> None:
    slices, (fault,) = read("dicom_series", tmp_path)
    assert {(item.patient, item.tumour_type) for item in slices} == {("somebody", "unlabelled")}
    assert (slices[1].grey == WINDOW.to_grey(Case(0).hu[2])).all()
    assert fault.origin == "study/broken.dcm"


@pytest.mark.parametrize("box", [(-1, 0, 5, 5), (0, 0, 11, 5), (5, 5, 5, 9), (0, 0, 5, 9)])
def test_a_box_outside_of_its_image_or_empty_is_a_fault(box: tuple[int, int, int, int]) -> None:
    assert box_fault(TypedBox(*box, "x"), height=8, width=10) is not None
    assert box_fault(TypedBox(0, 0, 10, 8, "x"), height=8, width=10) is None


def test_a_picture_that_cannot_be_read_and_a_box_outside_are_listed_by_name(tmp_path: Path) -> None:
    csv_boxes(tmp_path)
    write(tmp_path / "images" / "broken.png", b"\x89PNG\r\n\x1a\n")
    with (tmp_path / "boxes.csv").open("a") as file:
        file.write("b.png,90,90,120,120,metastasis\n")
    items = list(LAYOUTS["csv_boxes"].read(tmp_path, OPTIONS))
    assert {item.origin for item in items if isinstance(item, Fault)} == {
        "images/b.png",
        "images/broken.png",
        "gone.png",
    }


def test_several_sets_join_into_one_manifest_with_labels_of_the_map(tmp_path: Path) -> None:
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
    command = [sys.executable, "-m", "training", "--folder", str(out), "explore"]
    command += [word for source in sources for word in ("--source", source)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=REPOSITORY, check=False)


def test_explore_prints_faults_by_name_and_writes_a_report(tmp_path: Path) -> None:
    class_folders(tmp_path / "kaggle")
    write(tmp_path / "kaggle" / "metastasis" / "copy.jpg", (tmp_path / "kaggle" / "metastasis" / "2.jpg").read_bytes())
    write(tmp_path / "kaggle" / "metastasis" / "text.jpg", b"no picture")
    done = explore(tmp_path / "run", f"class_folders={tmp_path / 'kaggle'}")
    assert done.returncode == 0, done.stderr
    assert "class_folders: 5 images, 1 faults" in done.stdout
    assert "metastasis/text.jpg: the bytes are neither PNG, JPEG, TIFF, BMP, WebP nor DICOM" in done.stdout
    report = (tmp_path / "run" / "collection" / "report.html").read_text()
    assert report.count("data:image/png;base64,") == 4
    assert "metastasis_copy.png" in report, "a duplicate"
    assert "text.jpg" in report, "a fault"
    assert "not a medical device" in report
    assert "src='http" not in report


@pytest.mark.parametrize("source", ["kaggle=/tmp", "yolo", "yolo=/no/such/folder"])
def test_a_wrong_source_is_one_clear_line(tmp_path: Path, source: str) -> None:
    done = explore(tmp_path / "run", source)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1


def training(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "training", "--configuration", "smoke", "--folder", str(folder)]
    command += ["--repository", str(folder / "models"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=REPOSITORY, check=False)


def test_a_classifier_and_a_detector_train_on_the_kaggle_layout_with_no_code_change(tmp_path: Path) -> None:
    labels: tuple[Label, ...] = ("cholangiocarcinoma", "metastasis")
    for seed in range(16):
        label = labels[seed % 2]
        case = Case(seed, label)
        wide = np.pad(WINDOW.to_grey(case.hu[2]), ((0, 0), (SIDE // 2, SIDE // 2)))
        write(tmp_path / "kaggle" / label / f"{seed}.jpg", encoded_image(wide, "JPEG"))
        lines = [yolo_line(box, 0).split() for box in case.boxes]
        rows = [f"0 {(float(x) + 0.5) / 2} {y} {float(w) / 2} {h}\n" for _, x, y, w, h in lines]
        write(tmp_path / "kaggle" / label / f"{seed}.txt", "".join(rows))
    write(tmp_path / "kaggle" / "metastasis" / "unboxed.png", Case(0).png(2))
    write(tmp_path / "kaggle" / "haemangioma" / "other.png", Case(0).png(2))
    run = tmp_path / "run"
    early = training(run, "prepare", "--collection")
    assert early.returncode == 1
    assert "run `python -m training explore` first" in early.stderr
    assert training(run, "explore", "--source", f"class_folders={tmp_path / 'kaggle'}").returncode == 0
    prepared = training(run, "prepare", "--collection")
    assert prepared.returncode == 0, prepared.stderr
    assert "haemangioma_other.png: its type 'haemangioma' has no label of ours" in prepared.stdout
    assert "17 images in" in prepared.stdout
    everything = [json.loads(line) for line in (run / "data" / "manifest.jsonl").read_text().splitlines()]
    examples = [row for row in everything if not row["name"].endswith("unboxed")]
    (unboxed,) = (row for row in everything if row["name"].endswith("unboxed"))
    assert unboxed["boxes"] == []
    of_detectors = (run / "data" / f"{unboxed['part']}.txt").read_text()
    assert "unboxed" not in of_detectors, "a tumour that nobody located is no example of an empty image"
    assert len(of_detectors.splitlines()) == sum(row["part"] == unboxed["part"] for row in examples)
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
            done = training(run, command, network)
            assert done.returncode == 0, done.stderr[-2000:]
        card = json.loads((run / "models" / network / "card.json").read_text())
        assert "class_folders" in card["training_data"]
        assert card["labels"] == ["cholangiocarcinoma", "metastasis"], "no healthy slices, no third label"
        assert not any("synthesised" in limit for limit in card["limits"])


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kinds", [("mct_ltdiag",), ("crlm", "plc_cect")])
def test_volumes_with_masks_train_with_no_code_change(kinds: tuple[str, ...], tmp_path: Path) -> None:
    """CRLM holds metastases only: it joins a set that has the other type."""
    builders: dict[str, Callable[..., None]] = {"mct_ltdiag": mct_ltdiag, "crlm": crlm, "plc_cect": plc_cect}
    for kind in kinds:
        builders[kind](tmp_path / kind, copies=4)
    run = tmp_path / "run"
    sources = [word for kind in kinds for word in ("--source", f"{kind}={tmp_path / kind}")]
    assert training(run, "explore", "--every-nth", "2", *sources).returncode == 0
    prepared = training(run, "prepare", "--collection")
    assert prepared.returncode == 0, prepared.stderr
    rows = [json.loads(line) for line in (run / "data" / "manifest.jsonl").read_text().splitlines()]
    assert {row["label"] for row in rows} == ({0, 1, 2})
    own = {row.path.split("/")[-1][:-4]: row for row in read_collection(run / "collection")}
    for row in rows:
        with Image.open(run / "data" / row["part"] / "lesions" / f"{row['name']}.png") as mask:
            share = np.asarray(mask).mean()
        original = next(record for name, record in own.items() if row["name"] == f"{record.source}_{name}")
        if original.lesion_mask is None:
            assert share == 0
            continue
        with Image.open(run / "collection" / original.lesion_mask) as outlined:
            assert share == pytest.approx(np.asarray(outlined).mean(), rel=0.1), "the outline, not an ellipse"
    for network in ("classify_unet", "detect_faster_rcnn"):
        done = training(run, "train", network)
        assert done.returncode == 0, done.stderr[-2000:]
        assert (run / network / "finished").is_file()


def _corners(box: TypedBox) -> tuple[int, int, int, int]:
    return box.x_min, box.y_min, box.x_max, box.y_max
