"""Miniature copies of the public datasets, made from phantoms, read as the real ones would be."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import highdicom
import nibabel
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

from hepar.imaging.ct_image import Window
from tests.pictures import ct_dataset
from training.configuration import LABEL_MAP
from training.datasets.collection import LAYOUTS, Record, Source, collect, read_collection
from training.datasets.records import (
    Fault,
    NotThisDataset,
    ReadOptions,
    SourceSlice,
    TypedBox,
    box_fault,
    boxes_of_mask,
)
from training.lesions import Label, synthesise
from training.phantom import abdomen_phantom

REPOSITORY = Path(__file__).parents[2]
SIDE, SLICES, LESION_SLICES = 96, 6, (2, 3)
WINDOW = Window(0, 250)
OPTIONS = ReadOptions(WINDOW, every_nth=2)


class Case:
    """A tiny patient. hu, liver, lesions: (slices, h, w), from the feet up; lesions on LESION_SLICES."""

    def __init__(self, seed: int, label: Label = "metastasis") -> None:
        rng = np.random.default_rng([seed, 77])
        phantom = abdomen_phantom(rng, SIDE)
        made = synthesise(phantom.hu, phantom.liver_mask, phantom.spacing_mm, label, rng)
        self.spacing_mm = phantom.spacing_mm
        self.hu = np.stack([made.hu if index in LESION_SLICES else phantom.hu for index in range(SLICES)])
        self.hu = np.rint(np.clip(self.hu, -1000, 2000))
        self.liver = np.stack([made.liver_mask | made.lesion_mask | phantom.liver_mask] * SLICES)
        self.lesions = np.zeros_like(self.liver)
        self.lesions[list(LESION_SLICES)] = made.lesion_mask
        self.boxes = boxes_of_mask(made.lesion_mask, "x")

    def png(self, index: int) -> bytes:
        return _encoded(WINDOW.to_grey(self.hu[index]), "PNG")


def _encoded(grey: NDArray[np.uint8], form: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, form)
    return buffer.getvalue()


def write(path: Path, content: bytes | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def nifti(stack: NDArray[np.generic], spacing_mm: float, kind: type = np.int16) -> bytes:
    """(slices, h, w) in display order as a NIfTI file in RAS+, gzipped by nibabel."""
    values: NDArray[np.generic] = np.ascontiguousarray(stack.astype(kind).transpose(2, 1, 0)[::-1, ::-1, :])
    image = nibabel.Nifti1Image(values, np.diag([spacing_mm, spacing_mm, 5.0, 1.0]))
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb") as file:
        file.write(image.to_bytes())
    return buffer.getvalue()


def yolo_line(box: TypedBox, number: int) -> str:
    x, y = (box.x_min + box.x_max) / 2 / SIDE, (box.y_min + box.y_max) / 2 / SIDE
    return f"{number} {x} {y} {(box.x_max - box.x_min) / SIDE} {(box.y_max - box.y_min) / SIDE}\n"


def class_folders(root: Path) -> None:
    """The Kaggle layout: two folders of JPEG, YOLO labels beside."""
    labels: tuple[Label, ...] = ("cholangiocarcinoma", "metastasis")
    for seed, label in enumerate(labels):
        case = Case(seed, label)
        for index in LESION_SLICES:
            write(root / label / f"{index}.jpg", _encoded(WINDOW.to_grey(case.hu[index]), "JPEG"))
            write(root / label / f"{index}.txt", "".join(yolo_line(box, seed) for box in case.boxes))


def yolo(root: Path) -> None:
    case = Case(0)
    write(root / "data.yaml", "train: images/train\nnames:\n  0: cholangiocarcinoma\n  1: metastasis\n")
    write(root / "images" / "train" / "with.png", case.png(2))
    write(root / "labels" / "train" / "with.txt", "".join(yolo_line(box, 1) for box in case.boxes))
    write(root / "images" / "train" / "without.png", case.png(0))


def pascal_voc(root: Path) -> None:
    case = Case(0)
    write(root / "JPEGImages" / "a.png", case.png(2))
    objects = "".join(
        f"<object><name>metastasis</name><bndbox><xmin>{box.x_min + 1}</xmin><ymin>{box.y_min + 1}</ymin>"
        f"<xmax>{box.x_max}</xmax><ymax>{box.y_max}</ymax></bndbox></object>"
        for box in case.boxes
    )
    write(root / "Annotations" / "a.xml", f"<annotation><filename>a.png</filename>{objects}</annotation>")
    write(root / "Annotations" / "b.xml", "<annotation/>")
    write(root / "Annotations" / "c.xml", "<annotation")


def coco(root: Path) -> None:
    case = Case(0)
    write(root / "images" / "a.png", case.png(2))
    write(root / "images" / "b.png", case.png(0))
    annotations = [
        {"id": i, "image_id": 1, "category_id": 4, "bbox": [b.x_min, b.y_min, b.x_max - b.x_min, b.y_max - b.y_min]}
        for i, b in enumerate(case.boxes)
    ]
    names = ["a.png", "b.png", "gone.png"]
    images = [{"id": index, "file_name": name} for index, name in enumerate(names, start=1)]
    document = {"images": images, "annotations": annotations, "categories": [{"id": 4, "name": "metastasis"}]}
    write(root / "instances.json", json.dumps(document))


def csv_boxes(root: Path) -> None:
    case = Case(0)
    write(root / "images" / "a.png", case.png(2))
    write(root / "images" / "b.png", case.png(0))
    rows = "".join(f"a.png,{b.x_min},{b.y_min},{b.x_max},{b.y_max},metastasis\n" for b in case.boxes)
    write(root / "boxes.csv", f"image,x_min,y_min,x_max,y_max,type\n{rows}gone.png,1,1,2,2,metastasis\n")


def lits(root: Path) -> None:
    case = Case(0)
    write(root / "imagesTr" / "liver_0.nii.gz", nifti(case.hu, case.spacing_mm))
    write(root / "labelsTr" / "liver_0.nii.gz", nifti(case.liver + case.lesions.astype(int), case.spacing_mm))
    write(root / "imagesTr" / "liver_1.nii.gz", b"not a volume")
    write(root / "volume-7.nii.gz", nifti(case.hu, case.spacing_mm))
    write(root / "segmentation-7.nii.gz", nifti(case.liver + case.lesions.astype(int), case.spacing_mm))


def mct_ltdiag(root: Path) -> None:
    labels: tuple[tuple[str, Label], ...] = (
        ("ICC", "cholangiocarcinoma"),
        ("CRLM", "metastasis"),
        ("HCC", "metastasis"),
    )
    rows = ["ID,type,patient_sex,patient_age"]
    for seed, (kind, label) in enumerate(labels):
        case = Case(seed, label)
        rows.append(f"p{seed},{kind},F,60")
        members = {f"NIFTI/{phase}.nii.gz": nifti(case.hu, case.spacing_mm) for phase in ("nc", "art", "pvp", "delay")}
        members["mask_pvp.nii.gz"] = nifti(case.lesions, case.spacing_mm)
        members["liver_mask_pvp.nii.gz"] = nifti(case.liver, case.spacing_mm)
        _tar(root / f"p{seed}.tar", {f"p{seed}/{name}": content for name, content in members.items()})
    _tar(root / "stranger.tar", {"x": b""})
    rows.append("p9,ICC,M,70")
    _tar(root / "p9.tar", {"p9/NIFTI/pvp.nii.gz": b"half"})
    write(root / "meta_info_patient.csv", "\n".join(rows) + "\n")


def _tar(path: Path, members: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


def plc_cect(root: Path) -> None:
    """With its faults: 8 bits of -200..200 HU, slices from the top down, a header that says 1 mm."""
    case = Case(0, "cholangiocarcinoma")
    grey = Window(-200, 200).to_grey(case.hu)[::-1]
    rows = ["patient_id,phase,cancer_type,ct_path,mask_path,liver_mask_path"]
    for phase in ("P", "C2"):
        names = [f"{kind}_{phase}.nii.gz" for kind in ("ct", "mask", "liver")]
        for name, stack in zip(names, (grey, case.lesions[::-1], case.liver[::-1]), strict=True):
            write(root / name, nifti(stack, 1.0, np.uint8))
        rows.append(f"1,{phase},ICC,{','.join(names)}")
    write(root / "unscaled.nii.gz", nifti(case.hu, 1.0))
    rows.append("2,C2,ICC,unscaled.nii.gz,mask_C2.nii.gz,liver_C2.nii.gz")
    write(root / "patient_data.csv", "\n".join(rows) + "\n")


def ct_series(folder: Path, case: Case, patient: str, suffix: str = ".dcm") -> list[pydicom.Dataset]:
    """The slices' files, named from the top down so that only their positions tell the order."""
    series, study, frame = generate_uid(), generate_uid(), generate_uid()
    datasets = []
    for index in range(SLICES):
        dataset = ct_dataset(case.hu[index].astype(np.int32))
        dataset.PatientID, dataset.PatientName, dataset.StudyDate, dataset.StudyTime = patient, patient, "", ""
        dataset.PatientBirthDate = dataset.PatientSex = dataset.StudyID = dataset.AccessionNumber = ""
        dataset.SeriesInstanceUID, dataset.StudyInstanceUID, dataset.FrameOfReferenceUID = series, study, frame
        dataset.SeriesNumber, dataset.InstanceNumber, dataset.SliceThickness = 1, index + 1, "5"
        dataset.PixelSpacing = [f"{case.spacing_mm:.4f}"] * 2
        dataset.ImagePositionPatient = ["0", "0", str(5 * index)]
        path = folder / f"image_{SLICES - index}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        dataset.save_as(path, enforce_file_format=True)
        datasets.append(dataset)
    return datasets


def dicom_series(root: Path) -> None:
    ct_series(root / "study" / "series", Case(0), "somebody")
    write(root / "study" / "broken.dcm", b"no DICOM")


def crlm(root: Path) -> None:
    """The SEG's frames cover the lesion slices only."""
    case = Case(0)
    slices = ct_series(root / "CRLM-CT-1" / "ct", case, "CRLM-CT-1")
    ct_series(root / "CRLM-CT-2" / "ct", Case(1), "CRLM-CT-2")
    covered = list(LESION_SLICES)
    masks = np.stack([case.liver[covered], case.lesions[covered]], axis=-1)
    segmentation = highdicom.seg.Segmentation(
        source_images=[slices[index] for index in covered],
        pixel_array=masks,
        segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[
            highdicom.seg.SegmentDescription(
                segment_number=number,
                segment_label=label,
                segmented_property_category=codes.SCT.Organ,
                segmented_property_type=codes.SCT.Liver,
                algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.MANUAL,
            )
            for number, label in ((1, "Liver"), (2, "Tumor_1"))
        ],
        series_instance_uid=generate_uid(),
        series_number=2,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="Hepar",
        manufacturer_model_name="test",
        software_versions="1",
        device_serial_number="1",
        omit_empty_frames=False,
    )
    path = root / "CRLM-CT-1" / "seg" / "1-1.dcm"
    path.parent.mkdir(parents=True)
    segmentation.save_as(path)


def ircadb(root: Path) -> None:
    case = Case(0)
    patient = root / "3Dircadb1.1"
    ct_series(patient / "PATIENT_DICOM", case, "p", suffix="")
    for name, stack in (("liver", case.liver), ("livertumor01", case.lesions)):
        masked = Case(0)
        masked.hu = (stack * 255.0 - 1024).astype(np.float32)
        ct_series(patient / "MASKS_DICOM" / name, masked, "p", suffix="")


def chaos(root: Path) -> None:
    case = Case(0)
    patient = root / "CT" / "1"
    ct_series(patient / "DICOM_anon", case, "1")
    for index in range(SLICES):
        write(patient / "Ground" / f"liver_{index:03d}.png", _encoded(case.liver[index].astype(np.uint8) * 255, "PNG"))
    ct_series(root / "CT" / "2" / "DICOM_anon", case, "2")
    write(root / "CT" / "2" / "Ground" / "liver_000.png", _encoded(np.zeros((SIDE, SIDE), dtype=np.uint8), "PNG"))


BUILDERS: dict[str, Callable[[Path], None]] = {
    "class_folders": class_folders, "yolo": yolo, "pascal_voc": pascal_voc, "coco": coco, "csv_boxes": csv_boxes,
    "lits": lits, "mct_ltdiag": mct_ltdiag, "plc_cect": plc_cect, "crlm": crlm, "ircadb": ircadb, "chaos": chaos,
    "dicom_series": dicom_series,
}  # fmt: skip


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
    assert [fault.origin for fault in faults] == ["p9.tar", "stranger.tar"]
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
    assert "metastasis/text.jpg: the bytes are neither PNG, JPEG nor DICOM" in done.stdout
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
        write(tmp_path / "kaggle" / label / f"{seed}.jpg", _encoded(wide, "JPEG"))
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
    assert "metastasis_unboxed.png: a tumour without a box" in prepared.stdout
    assert "haemangioma_other.png: its type 'haemangioma' has no label of ours" in prepared.stdout
    assert "16 images in" in prepared.stdout
    examples = [json.loads(line) for line in (run / "data" / "manifest.jsonl").read_text().splitlines()]
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


def _corners(box: TypedBox) -> tuple[int, int, int, int]:
    return box.x_min, box.y_min, box.x_max, box.y_max
