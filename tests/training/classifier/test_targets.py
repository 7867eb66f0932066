"""What a student learns: labels mixed with the teacher's probabilities, and the teacher's feature maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.configuration import TeacherConfiguration
from training.prepared.dataset import Example
from training.sources import UnusableData
from training.teacher.lessons import Lessons, lessons_of_run, write_lessons

BOX = (0.2, 0.2, 0.4, 0.4)
TYPED = Example("train", "a_metastasis_0", "a", 1, [(1, *BOX)])
FREE = Example("train", "a_no_tumour", "a", 2, [])
UNKNOWN = Example("train", "b_real_metastasis_0", "b", 1, [(1, *BOX)])
EXAMPLES = [TYPED, FREE, UNKNOWN]
SETTINGS = TeacherConfiguration(networks="random", probability_share=0.25, map_weight=0.1)


@pytest.fixture
def lessons() -> Lessons:
    """In another order than EXAMPLES."""
    maps = np.arange(3 * 4 * 4 * 2, dtype=np.float32).reshape(3, 4, 4, 2)
    return Lessons(
        names=(UNKNOWN.name, TYPED.name, FREE.name),
        probabilities=np.array([[0.4, 0.4, 0.2], [0.2, 0.6, 0.2], [0.0, 0.0, 1.0]], dtype=np.float32),
        maps=maps,
        livers=np.ones((3, 4, 4), dtype=np.float32),
        data_sha256="0" * 64,
        provenance="nobody",
    )


def test_labels_and_probabilities_are_mixed_and_an_unknown_type_is_equally_of_both(lessons: Lessons) -> None:
    from training.classifier.targets import taught_targets

    targets = taught_targets(EXAMPLES, 3, 4, SETTINGS, lessons)
    assert targets.logits == pytest.approx(
        np.array([[0.05, 0.9, 0.05], [0.0, 0.0, 1.0], [0.475, 0.475, 0.05]]), abs=1e-6
    )
    assert targets.lesions.tolist() == [[0, 1, 0], [0, 0, 1], [0.5, 0.5, 0]]
    assert np.array_equal(targets.maps[..., :2], lessons.maps[[1, 2, 0]])
    assert (targets.maps[..., 2] == 1).all()


def test_maps_are_averaged_to_the_cells_of_the_network(lessons: Lessons) -> None:
    from training.classifier.targets import taught_targets

    targets = taught_targets(EXAMPLES, 3, 2, SETTINGS, lessons)
    assert targets.maps.shape == (3, 2, 2, 3)
    assert targets.maps[0, 0, 1, 0] == pytest.approx(lessons.maps[1, :2, 2:, 0].mean())


def test_without_a_teacher_the_label_of_the_copy_is_learnt() -> None:
    from training.classifier.targets import label_targets

    targets = label_targets(EXAMPLES, 3)
    assert targets.logits.tolist() == targets.lesions.tolist() == [[0, 1, 0], [0, 0, 1], [0, 1, 0]]
    assert targets.maps.shape[:2] == (3, 0)


def test_an_image_that_the_teacher_did_not_see_is_refused(lessons: Lessons) -> None:
    with pytest.raises(UnusableData, match="does not know c"):
        lessons.of([Example("train", "c", "c", 2, [])])


def test_lessons_are_read_back_and_refused_for_other_images(lessons: Lessons, tmp_path: Path, prepared: Path) -> None:
    with pytest.raises(UnusableData, match="run `python -m training teach` first"):
        lessons_of_run(tmp_path, prepared / "data")
    write_lessons(lessons, tmp_path)
    with pytest.raises(UnusableData, match="is about other images"):
        lessons_of_run(tmp_path, prepared / "data")


def test_the_loss_of_the_maps_counts_the_liver_alone() -> None:
    import torchvision  # noqa: F401  must be imported before TensorFlow: the other order crashes

    from training.classifier.distillation import taught_map_loss

    target = np.zeros((2, 2, 2, 3), dtype=np.float32)
    target[0, 0, 0] = (1.0, 3.0, 0.5)
    target[0, 1, 1] = (2.0, 0.0, 1.5)
    taught = np.full((2, 2, 2, 2), 1.0, dtype=np.float32)
    first = (0.5 * (0 + 4) / 2 + 1.5 * (1 + 1) / 2) / 2
    assert np.asarray(taught_map_loss(target, taught)) == pytest.approx([first, 0.0])


def test_the_second_head_trains_the_network_and_is_not_part_of_it() -> None:
    import torchvision  # noqa: F401  must be imported before TensorFlow: the other order crashes

    from training.classifier.distillation import TAUGHT, with_taught_maps
    from training.classifier.fit import new_classifier
    from training.configuration import load_configuration

    network = new_classifier("unet", load_configuration("smoke"), 3)
    model = with_taught_maps(network, 16, 5)
    assert model.output[TAUGHT].shape[1:] == (16, 16, 5)
    assert len(model.trainable_variables) == len(network.trainable_variables) + 2
    assert TAUGHT not in network.output
