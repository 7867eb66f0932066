"""Miniature copies of the public datasets are read like the real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.orientations import EXIF_ORIENTATIONS
from tests.training.miniatures import BUILDERS, LESION_SLICES, SIDE, WINDOW, Case, csv_boxes, write
from training.datasets.collection import LAYOUTS
from training.datasets.records import Fault, ReadOptions, SourceSlice, TypedBox, UnexpectedLayout, box_fault
from training.lesions import Label

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
def test_a_folder_with_another_layout_is_refused_by_name(kind: str, tmp_path: Path) -> None:
    with pytest.raises(UnexpectedLayout, match=str(tmp_path)):
        list(LAYOUTS[kind].read(tmp_path, OPTIONS))


@pytest.mark.parametrize("kind", ["yolo", "coco", "csv_boxes"])
def test_pictures_with_and_without_boxes(kind: str, tmp_path: Path) -> None:
    slices, faults = read(kind, tmp_path)
    types = {item.tumour_type: item for item in slices}
    assert set(types) == {"metastasis", "none"}
    assert corners(types["metastasis"]) == expected_corners(Case(0))
    assert (types["metastasis"].grey == WINDOW.to_grey(Case(0).hu[2])).all()
    assert len(faults) == (kind != "yolo")


def test_the_kaggle_layout_has_types_as_folders_and_boxes_in_text_files(tmp_path: Path) -> None:
    slices, faults = read("class_folders", tmp_path)
    assert faults == []
    assert sorted(item.tumour_type for item in slices) == ["cholangiocarcinoma"] * 2 + ["metastasis"] * 2
    for item in slices:
        seed = ["cholangiocarcinoma", "metastasis"].index(item.tumour_type)
        labels: tuple[Label, ...] = ("cholangiocarcinoma", "metastasis")
        assert corners(item) == expected_corners(Case(seed, labels[seed]))
    assert len({item.name for item in slices}) == 4


def test_pascal_voc_counts_pixels_from_one_and_broken_files_are_named(tmp_path: Path) -> None:
    (item,), faults = read("pascal_voc", tmp_path)
    assert corners(item) == expected_corners(Case(0))
    assert [(fault.origin, fault.reason.split(":")[0]) for fault in faults] == [
        ("Annotations/b.xml", "its image is missing"),
        ("Annotations/c.xml", "not an annotation"),
    ]


def check_volume(slices: list[SourceSlice], case: Case, tumour_type: str) -> None:
    """Both lesion slices and every second other slice are read, in display orientation and Hounsfield units."""
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


def test_mct_ltdiag_is_read_from_tar_files(tmp_path: Path) -> None:
    slices, faults = read("mct_ltdiag", tmp_path)
    check_volume([item for item in slices if item.patient == "p0"], Case(0, "cholangiocarcinoma"), "ICC")
    check_volume([item for item in slices if item.patient == "p1"], Case(1), "CRLM")
    assert slices[0].origin == "p0.tar:pvp.nii.gz"
    assert [fault.origin for fault in faults] == ["broken.tar", "unlisted.tar"]
    with pytest.raises(UnexpectedLayout, match="not venous"):
        list(LAYOUTS["mct_ltdiag"].read(tmp_path, ReadOptions(WINDOW, phase="venous")))


def test_plc_cect_is_corrected_and_the_corrections_are_listed(tmp_path: Path) -> None:
    slices, (fault,) = read("plc_cect", tmp_path)
    case = Case(0, "cholangiocarcinoma")
    case.hu = np.clip(case.hu, -200, 200)
    check_quantised_volume(slices, case)
    assert slices[0].spacing_mm == (400 / SIDE, 400 / SIDE)
    assert len(slices[0].corrections) == 3
    assert "not 8-bit grey levels" in fault.reason


def check_quantised_volume(slices: list[SourceSlice], case: Case) -> None:
    """As check_volume, with a tolerance for the quantisation of 400 HU to eight bits."""
    for item in slices:
        number = int(item.name[-4:])
        assert np.abs(item.grey.astype(int) - WINDOW.to_grey(case.hu[number])).max() <= 2
        assert bool(item.boxes) == (number in LESION_SLICES)
        if item.boxes:
            assert item.tumour_type == "ICC"
            assert corners(item) == expected_corners(case)


def test_crlm_reads_a_seg_that_covers_part_of_the_series(tmp_path: Path) -> None:
    slices, (fault,) = read("crlm", tmp_path)
    assert [int(item.name[-4:]) for item in slices] == list(LESION_SLICES)
    for item in slices:
        assert (item.patient, item.tumour_type) == ("CRLM-CT-1", "CRLM")
        assert corners(item) == expected_corners(Case(0))
    assert "CRLM-CT-2" in fault.reason


def test_ircadb_merges_its_tumour_masks(tmp_path: Path) -> None:
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
def test_an_empty_box_or_one_outside_the_image_is_a_fault(box: tuple[int, int, int, int]) -> None:
    assert box_fault(TypedBox(*box, "x"), height=8, width=10) is not None
    assert box_fault(TypedBox(0, 0, 10, 8, "x"), height=8, width=10) is None


def test_unreadable_pictures_and_boxes_outside_are_listed_by_name(tmp_path: Path) -> None:
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


@pytest.mark.parametrize("value", EXIF_ORIENTATIONS)
@pytest.mark.parametrize("rows", [1, 2])
def test_boxes_of_turned_pictures_and_of_high_pixels_lie_on_their_lesion(tmp_path: Path, value: int, rows: int) -> None:
    """rows: every how manyth row as sent is kept; the density of the picture states it."""
    upright = np.full((64, 96), 60, dtype=np.uint8)
    upright[16:32, 40:72] = 220
    stored = np.ascontiguousarray(EXIF_ORIENTATIONS[value](upright)[::rows])
    exif = Image.Exif()
    exif[0x0112] = value
    Image.fromarray(stored).save(tmp_path / "turned.png", exif=exif, dpi=(72 * rows, 72))
    lit_rows, lit_columns = np.nonzero(stored == 220)
    box = f"{lit_columns.min()},{lit_rows.min()},{lit_columns.max() + 1},{lit_rows.max() + 1}"
    (tmp_path / "boxes.csv").write_text(f"image,x_min,y_min,x_max,y_max,type\nturned.png,{box},hcc\n")
    (item,) = LAYOUTS["csv_boxes"].read(tmp_path, OPTIONS)
    assert isinstance(item, SourceSlice), item
    assert item.grey.shape == upright.shape
    assert corners(item) == [(40, 16, 72, 32)]
    lesion = item.grey[18:30, 42:70].astype(int)
    assert np.abs(lesion - 220).max() < 10, "bicubic scaling overshoots a little at an edge"
