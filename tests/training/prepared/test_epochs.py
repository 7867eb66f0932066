"""Training images of each epoch: other lesions in the same slices, under the same names and labels."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from training.configuration import Configuration, load_configuration
from training.model_export import synthesis_note
from training.prepared.dataset import Example, image_paths, read_images, read_manifest
from training.prepared.epochs import EpochImages
from training.prepared.synthesis import prepare
from training.sources import LiverSlice, Source, UnusableData, phantom_slices

SMOKE = load_configuration("smoke")
DATA = SMOKE.data.model_copy(
    update={"lesion_free_copies": 2, "distractors": True, "domain_share": 0.5, "real_repeats": 1}
)
LESIONS = ((40, 40, 50, 52),)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prepared from phantoms; one of the training part has a real lesion."""
    folder = tmp_path_factory.mktemp("data")
    slices = list(phantom_slices(10, DATA))
    last = slices.pop()
    real = LiverSlice("real", "real", last.hu, last.liver_mask, tumour_free=False, real_lesions=LESIONS)
    prepare(Source(slices, [real], "phantoms"), DATA, folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_each_epoch_has_other_lesions_under_the_same_names_and_labels(data: Path, tmp_path: Path) -> None:
    images = EpochImages(data, tmp_path / "drawn", DATA)
    before = contents(data)
    drawn: list[tuple[list[Example], np.ndarray]] = []
    for epoch in (0, 1, 2):
        images.draw(epoch)
        examples = read_manifest(images.folder, "train")
        drawn.append((examples, read_images(image_paths(images.folder, examples))))
    prepared = read_manifest(data, "train")
    assert drawn[0][0] == prepared
    assert np.array_equal(drawn[0][1], read_images(image_paths(data, prepared)))
    first, second = drawn[1:]
    for examples, _ in (first, second):
        assert [(item.name, item.label) for item in examples] == [(item.name, item.label) for item in prepared]
    kept = [item.name.endswith("no_tumour") or "_real_" in item.name for item in prepared]
    assert 3 <= sum(kept) < len(kept) / 3
    same = [bool(np.array_equal(one, other)) for one, other in zip(first[1], second[1], strict=True)]
    assert same == kept, "slices without lesions and real lesions stay, all else changes"
    tumours = [
        one.boxes != other.boxes
        for one, other in zip(first[0], second[0], strict=True)
        if "_real_" not in one.name and one.boxes
    ]
    assert all(tumours)
    assert contents(data) == before, "the prepared data set stays as it is"


def test_the_same_epoch_is_drawn_again_after_an_interruption(data: Path, tmp_path: Path) -> None:
    once, again = (EpochImages(data, tmp_path / name, DATA, workers=workers) for name, workers in (("a", 1), ("b", 2)))
    once.draw(1)
    once.draw(2)
    (again.folder / "next" / "train").mkdir(parents=True)  # left by a process that was killed
    again.draw(2)
    assert contents(once.folder / "train") == contents(again.folder / "train")


def test_boxes_and_masks_are_those_of_the_image(data: Path, tmp_path: Path) -> None:
    images = EpochImages(data, tmp_path / "drawn", DATA)
    images.draw(3)
    for example in read_manifest(images.folder, "train"):
        lines = (images.folder / "train" / "labels" / f"{example.name}.txt").read_text().splitlines()
        assert [int(line.split()[0]) for line in lines] == [box[0] for box in example.boxes]
        (mask,) = read_images([images.folder / "train" / "lesions" / f"{example.name}.png"])
        assert bool(mask.any()) is bool(example.boxes)
        for _, x_min, y_min, x_max, y_max in example.boxes:
            centre = np.rint([(y_min + y_max) / 2 * DATA.input_size_px, (x_min + x_max) / 2 * DATA.input_size_px])
            near = mask[int(centre[0]) - 3 : int(centre[0]) + 4, int(centre[1]) - 3 : int(centre[1]) + 4]
            assert near.any(), example.name


def test_a_data_set_without_slices_to_draw_into_is_refused(data: Path, tmp_path: Path) -> None:
    copy = tmp_path / "collection"
    shutil.copytree(data, copy, ignore=lambda *_: ["backgrounds"])
    with pytest.raises(UnusableData, match="run `prepare` from such slices"):
        EpochImages(copy, tmp_path / "drawn", DATA).draw(1)


def test_a_teacher_and_synthesis_in_each_epoch_exclude_each_other() -> None:
    document = json.loads(SMOKE.model_dump_json())
    document["classifier"]["synthesis"] = "each_epoch"
    with pytest.raises(ValidationError, match="a teacher knows the prepared images only"):
        Configuration.model_validate(document)


def test_a_card_states_synthesis_in_each_epoch() -> None:
    configuration = load_configuration("compact-4")
    assert synthesis_note("detection", configuration) == "New lesions were synthesised for every epoch"
    assert synthesis_note("classification", configuration)
    assert synthesis_note("segmentation", configuration) == synthesis_note("detection", SMOKE) == ""
