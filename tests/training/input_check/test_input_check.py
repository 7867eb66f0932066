"""The shipped input check: images that it must refuse, and images that it must accept."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest
from PIL import Image

from hepar.contracts.cards import ModelCard
from hepar.imaging import decode
from hepar.imaging.ct_image import Window
from hepar.imaging.letterbox import letterbox
from tests.training.support import REPOSITORY
from training.datasets.dicom import read_dicom_series
from training.datasets.records import Fault, ReadOptions
from training.evaluation.inference import run_model_on
from training.input_check.foreign import foreign_images

DATA = REPOSITORY.parent / "shared" / "data"
MODEL = REPOSITORY / "triton_models" / "check_input"
SIDE = 256


@pytest.fixture(scope="module")
def card() -> ModelCard:
    return ModelCard.model_validate_json((MODEL / "card.json").read_bytes())


def accepted(images: np.ndarray, card: ModelCard) -> np.ndarray:
    typicality = run_model_on(MODEL / "1" / "model.onnx", images)["typicality"]
    assert typicality.shape == (len(images), 1)
    return typicality[:, 0] >= card.decision_threshold


@pytest.fixture(scope="module")
def foreign() -> dict[str, np.ndarray]:
    return foreign_images(SIDE)


@pytest.mark.parametrize(
    ("group", "min_count", "max_accepted_share"),
    [("photographs", 20, 0.0), ("text", 12, 0.0), ("noise", 10, 0.0), ("other_modalities", 20, 0.1)],
)
def test_images_that_are_not_ct_are_refused(
    foreign: dict[str, np.ndarray], card: ModelCard, group: str, min_count: int, max_accepted_share: float
) -> None:
    images = foreign[group]
    assert len(images) >= min_count
    assert accepted(images, card).mean() <= max_accepted_share
    assert card.metrics[f"accepted_{group}"].value == pytest.approx(accepted(images, card).mean(), abs=1e-3)


def test_the_samples_are_accepted(card: ModelCard) -> None:
    images = [
        letterbox(decode(path.read_bytes()).pixels, SIDE, SIDE)[0] for path in (REPOSITORY / "samples").glob("*.png")
    ]
    assert len(images) == 3
    assert accepted(np.stack(images), card).all()


def test_held_out_slices_are_accepted(card: ModelCard) -> None:
    assert card.metrics["accepted_test_slices"].value >= 0.98


@pytest.mark.parametrize("series", ["ct-liver-3slice", "ct-siemens-j2k-20slice", "crlm-ct-1004-41slice"])
def test_real_series_of_other_hospitals_are_accepted(card: ModelCard, series: str) -> None:
    folder = DATA / "dicom" / series
    if not folder.is_dir():
        pytest.skip(f"needs {folder}")
    options = ReadOptions(Window(card.window.low_hu, card.window.high_hu), every_nth=1)
    read = list(read_dicom_series(folder, options))
    slices = [item for item in read if not isinstance(item, Fault)]
    assert len(slices) == len(read) >= 3
    assert accepted(np.stack([letterbox(item.grey, SIDE, SIDE)[0] for item in slices]), card).mean() >= 0.95


def test_a_ct_with_inverted_grey_levels_is_refused(card: ModelCard) -> None:
    path = REPOSITORY / "samples" / "no_tumour.png"
    upright = np.asarray(Image.open(path))
    inverted = letterbox(255 - upright, SIDE, SIDE)[0]
    assert not accepted(inverted[None], card).any()


def test_a_pelvis_is_refused_and_the_liver_of_the_same_person_accepted(card: ModelCard) -> None:
    """The volume has slices of 3 mm; some slices of its liver are refused, too.

    The labels cover the last 30 slices of the volume.
    """
    volume, organs = DATA / "nifti" / "ct-abdomen-pelvis.nii.gz", DATA / "nifti" / "ct-abdomen-pelvis-organs.nii.gz"
    if not volume.is_file():
        pytest.skip(f"needs {volume}")
    image = nibabel.as_closest_canonical(nibabel.load(volume))
    hu = np.asarray(image.dataobj, dtype=np.float32)
    low, high = card.window.low_hu, card.window.high_hu
    grey = np.clip((hu - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    slices = [
        letterbox(np.ascontiguousarray(np.rot90(grey[:, :, k])[:, ::-1]), SIDE, SIDE)[0] for k in range(hu.shape[2])
    ]
    passed = accepted(np.stack(slices), card)
    pelvis = slice(0, 30)  # from the thighs to the iliac crests
    assert not passed[pelvis].any()
    liver = nibabel.as_closest_canonical(nibabel.load(organs)).shape[2]
    assert passed[-liver:].mean() >= 0.7
