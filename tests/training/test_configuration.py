"""The configurations: the sizes of the networks they build, and errors in them."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
import torchvision  # noqa: F401  before TensorFlow, which else crashes it
from pydantic import ValidationError

from training.configuration import (
    CONFIGURATIONS,
    ClassifierArchitecture,
    ClassifierName,
    Configuration,
    YoloArchitecture,
    load_configuration,
)


def parameters_of_yolo(architecture: YoloArchitecture, folder: Path) -> int:
    from training.detector.yolo import work_offline

    work_offline(folder)
    from ultralytics import YOLO

    return sum(value.numel() for value in YOLO(architecture.architecture).model.parameters())


@pytest.mark.parametrize("name", [file.stem for file in CONFIGURATIONS.glob("*.toml")])
def test_every_configuration_names_all_eight_networks(name: str) -> None:
    configuration = load_configuration(name)
    assert set(configuration.classifier.networks) == set(get_args(ClassifierName))


def test_the_full_classifiers_have_the_published_sizes() -> None:
    """Millions of parameters without the published heads: He 2016, Chollet 2017, Huang 2017.

    UNet (Ronneberger 2015) has 31.0; upsampling with a 1 x 1 convolution instead of its up-convolution saves 2.0.
    """
    from training.classifier.fit import new_classifier

    full = load_configuration("full")
    published = {"resnet": 23.6, "xception": 20.9, "densenet": 7.0, "unet": 29.0}
    for kind, millions in published.items():
        name: ClassifierName = kind  # type: ignore[assignment]
        settings = full.classifier.networks[name]
        without_weights = settings.model_copy(update={"weights": None})
        networks = full.classifier.networks | {name: without_weights}
        classifier = full.classifier.model_copy(update={"networks": networks})
        model = new_classifier(name, full.model_copy(update={"classifier": classifier}), 3)
        assert model.count_params() / 1e6 == pytest.approx(millions, rel=0.02), kind


def test_the_detectors_have_the_published_sizes(tmp_path: Path) -> None:
    from training.detector.faster_rcnn import new_faster_rcnn

    full, compact = load_configuration("full").detector, load_configuration("compact").detector
    assert parameters_of_yolo(compact.yolov5, tmp_path) / 1e6 == pytest.approx(2.6, abs=0.15)
    assert parameters_of_yolo(compact.yolov3, tmp_path) / 1e6 == pytest.approx(12.1, abs=0.3)
    assert parameters_of_yolo(full.yolov3, tmp_path) / 1e6 == pytest.approx(104, abs=1)
    assert parameters_of_yolo(full.yolov5, tmp_path) / 1e6 == pytest.approx(155, abs=3)
    rcnn = new_faster_rcnn(full.faster_rcnn, 512)
    assert sum(value.numel() for value in rcnn.parameters()) / 1e6 == pytest.approx(41.3, abs=0.5)


def test_eight_compact_models_fit_into_80_megabytes(tmp_path: Path) -> None:
    """With two bytes per weight, as exported."""
    from training.classifier.fit import new_classifier
    from training.detector.faster_rcnn import new_faster_rcnn

    compact = load_configuration("compact")
    weights = sum(new_classifier(name, compact, 3).count_params() for name in compact.classifier.networks)
    weights += sum(value.numel() for value in new_faster_rcnn(compact.detector.faster_rcnn, 256).parameters())
    weights += sum(parameters_of_yolo(yolo, tmp_path) for yolo in (compact.detector.yolov3, compact.detector.yolov5))
    assert 2 * weights < 80e6


@pytest.mark.parametrize(
    "wrong", [{}, {"widths": [8]}, {"widths": [8, 16], "backbone": "ResNet50"}, {"backbone": "VGG16"}]
)
def test_an_incomplete_or_unknown_architecture_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ClassifierArchitecture.model_validate(wrong)


def test_an_unknown_setting_is_refused() -> None:
    smoke = load_configuration("smoke").model_dump()
    with pytest.raises(ValidationError, match="rotatoin"):
        Configuration.model_validate(smoke | {"classifier": smoke["classifier"] | {"rotatoin": 1}})
