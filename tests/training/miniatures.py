"""Miniature copies of the public datasets: made from phantoms, in the layout of the real ones."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import highdicom
import nibabel
import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

from hepar.imaging.ct_image import Window
from tests.support.pictures import ct_dataset
from training.datasets.records import TypedBox, boxes_of_mask
from training.lesions import Label, synthesise
from training.phantom import abdomen_phantom

SIDE, SLICES, LESION_SLICES = 96, 6, (2, 3)
WINDOW = Window(0, 250)


class Case:
    """A small volume of one patient. hu, liver, lesions: (slices, h, w), from the feet up; lesions on LESION_SLICES."""

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
        return encoded_image(WINDOW.to_grey(self.hu[index]), "PNG")


def encoded_image(grey: NDArray[np.uint8], image_format: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, image_format)
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
    """The Kaggle layout: two folders of JPEG files with YOLO text files."""
    labels: tuple[Label, ...] = ("cholangiocarcinoma", "metastasis")
    for seed, label in enumerate(labels):
        case = Case(seed, label)
        for index in LESION_SLICES:
            write(root / label / f"{index}.jpg", encoded_image(WINDOW.to_grey(case.hu[index]), "JPEG"))
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


def mct_ltdiag(root: Path, copies: int = 1) -> None:
    """`copies` patients of each type, one TAR file that is not in the table, and a broken one."""
    labels: tuple[tuple[str, Label], ...] = (
        ("ICC", "cholangiocarcinoma"),
        ("CRLM", "metastasis"),
        ("HCC", "metastasis"),
    )
    rows = ["ID,type,patient_sex,patient_age"]
    for seed, (kind, label) in enumerate(labels * copies):
        case = Case(seed, label)
        rows.append(f"p{seed},{kind},F,60")
        members = {f"NIFTI/{phase}.nii.gz": nifti(case.hu, case.spacing_mm) for phase in ("nc", "art", "pvp", "delay")}
        members["mask_pvp.nii.gz"] = nifti(case.lesions, case.spacing_mm)
        members["liver_mask_pvp.nii.gz"] = nifti(case.liver, case.spacing_mm)
        _tar(root / f"p{seed}.tar", {f"p{seed}/{name}": content for name, content in members.items()})
    _tar(root / "unlisted.tar", {"x": b""})
    rows.append("broken,ICC,M,70")
    _tar(root / "broken.tar", {"broken/NIFTI/pvp.nii.gz": b"half"})
    write(root / "meta_info_patient.csv", "\n".join(rows) + "\n")


def _tar(path: Path, members: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


def plc_cect(root: Path, copies: int = 1) -> None:
    """With the errors of the original: 8 bits of -200..200 HU, slices from the head down, 1 mm in the header."""
    rows = ["patient_id,phase,cancer_type,ct_path,mask_path,liver_mask_path"]
    for number in range(copies):
        case = Case(50 * number, "cholangiocarcinoma")
        grey = Window(-200, 200).to_grey(case.hu)[::-1]
        for phase in ("P", "C2"):
            names = [f"{kind}_{phase}_{number}.nii.gz" for kind in ("ct", "mask", "liver")]
            for name, stack in zip(names, (grey, case.lesions[::-1], case.liver[::-1]), strict=True):
                write(root / name, nifti(stack, 1.0, np.uint8))
            rows.append(f"{number},{phase},ICC,{','.join(names)}")
    write(root / "unscaled.nii.gz", nifti(Case(0).hu, 1.0))
    rows.append("unscaled,C2,ICC,unscaled.nii.gz,mask_C2_0.nii.gz,liver_C2_0.nii.gz")
    write(root / "patient_data.csv", "\n".join(rows) + "\n")


def ct_series(folder: Path, case: Case, patient: str, suffix: str = ".dcm") -> list[pydicom.Dataset]:
    """The files are named from the head down, so that only their positions give the right order."""
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


def crlm(root: Path, copies: int = 1) -> None:
    """The SEG covers the lesion slices only; the last patient has no SEG."""
    for number in range(copies):
        _crlm_patient(root, f"CRLM-CT-{1 + 2 * number}", Case(30 * number))
    ct_series(root / "CRLM-CT-2" / "ct", Case(1), "CRLM-CT-2")


def _crlm_patient(root: Path, name: str, case: Case) -> None:
    slices = ct_series(root / name / "ct", case, name)
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
    path = root / name / "seg" / "1-1.dcm"
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
        write(
            patient / "Ground" / f"liver_{index:03d}.png",
            encoded_image(case.liver[index].astype(np.uint8) * 255, "PNG"),
        )
    ct_series(root / "CT" / "2" / "DICOM_anon", case, "2")
    write(root / "CT" / "2" / "Ground" / "liver_000.png", encoded_image(np.zeros((SIDE, SIDE), dtype=np.uint8), "PNG"))


BUILDERS: dict[str, Callable[[Path], None]] = {
    "class_folders": class_folders, "yolo": yolo, "pascal_voc": pascal_voc, "coco": coco, "csv_boxes": csv_boxes,
    "lits": lits, "mct_ltdiag": mct_ltdiag, "plc_cect": plc_cect, "crlm": crlm, "ircadb": ircadb, "chaos": chaos,
    "dicom_series": dicom_series,
}  # fmt: skip
