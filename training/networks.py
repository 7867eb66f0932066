"""Every network that Hepar trains, under the name of its served model: how it is trained and turned into a graph."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from hepar.contracts.cards import Task
from training.configuration import ClassifierName, Configuration, code_fingerprint
from training.export.parity import GreyImages, ModelOutput
from training.lesions import LABELS
from training.prepared.dataset import require_boxes, training_labels

if TYPE_CHECKING:
    import keras  # pyright: ignore[reportMissingImports]
    import onnx
    from torch import nn  # pyright: ignore[reportMissingImports]


@dataclass(frozen=True)
class Run:
    """One training run: its configuration and folders."""

    configuration: Configuration
    size: Literal["compact", "full"]
    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def network_folder(self, name: str) -> Path:
        return self.folder / name


class Network(Protocol):
    """A network that can be trained and exported to triton_models/."""

    @property
    def name(self) -> str: ...

    @property
    def task(self) -> Task: ...

    @property
    def architecture(self) -> str: ...

    def labels(self, data: Path) -> tuple[str, ...]: ...

    def train(self, run: Run) -> None: ...

    def graph(self, run: Run) -> onnx.ModelProto: ...

    def framework_outputs(self, run: Run, images: GreyImages) -> list[ModelOutput]:
        """The output of the training framework for images (n, side, side), which the graph must reproduce."""
        ...


@dataclass(frozen=True)
class Classifier:
    """One of the five classifiers, in Keras. kind: its name in the configuration."""

    kind: ClassifierName
    architecture: str
    task: Task = "classification"

    @property
    def name(self) -> str:
        return f"classify_{self.kind}"

    def labels(self, data: Path) -> tuple[str, ...]:
        return training_labels(data)

    def train(self, run: Run) -> None:
        from training.classifier.fit import train_classifier

        train_classifier(self.kind, run.configuration, run.data, run.network_folder(self.name))

    def graph(self, run: Run) -> onnx.ModelProto:
        from training.export.classifier import classifier_graph

        return classifier_graph(self._trained(run), len(self.labels(run.data)))

    def framework_outputs(self, run: Run, images: GreyImages) -> list[ModelOutput]:
        from scipy.special import softmax

        logits = self._trained(run).predict(images[..., None], batch_size=8, verbose=0)["logits"]
        return list(softmax(np.asarray(logits, dtype=np.float64), axis=1))

    def _trained(self, run: Run) -> keras.Model:
        from training.classifier.fit import BEST_WEIGHTS, new_classifier

        model = new_classifier(self.kind, run.configuration, len(self.labels(run.data)))
        model.load_weights(run.network_folder(self.name) / BEST_WEIGHTS)
        return model


@dataclass(frozen=True)
class Yolo:
    """YOLOv3 or YOLOv5, by ultralytics."""

    kind: Literal["yolov3", "yolov5"]
    architecture: str
    task: Task = "detection"

    @property
    def name(self) -> str:
        return f"detect_{self.kind}"

    def labels(self, data: Path) -> tuple[str, ...]:  # noqa: ARG002  detectors always distinguish both tumour types
        return LABELS

    def train(self, run: Run) -> None:
        from training.detector.yolo import train_yolo

        require_boxes(run.data)
        architecture = getattr(run.configuration.detector, self.kind)
        train_yolo(architecture, run.configuration, run.data, run.network_folder(self.name))

    def graph(self, run: Run) -> onnx.ModelProto:
        from training.export.yolo import yolo_graph

        side = run.configuration.data.input_size_px
        return yolo_graph(self._trained(run), side, side)

    def framework_outputs(self, run: Run, images: GreyImages) -> list[ModelOutput]:
        from training.export.yolo import yolo_outputs

        return list(yolo_outputs(self._trained(run), images))

    def _trained(self, run: Run) -> nn.Module:
        from training.detector.yolo import best_checkpoint, work_offline
        from training.export.yolo import load_network

        work_offline(run.network_folder(self.name))
        return load_network(best_checkpoint(run.network_folder(self.name)))


@dataclass(frozen=True)
class FasterRcnn:
    """Faster R-CNN with a ResNet feature pyramid, by torchvision."""

    name: str = "detect_faster_rcnn"
    architecture: str = "Faster R-CNN with ResNet-FPN (torchvision), suppression in the graph"
    task: Task = "detection"

    def labels(self, data: Path) -> tuple[str, ...]:  # noqa: ARG002
        return LABELS

    def train(self, run: Run) -> None:
        from training.detector.faster_rcnn import train_faster_rcnn

        require_boxes(run.data)
        settings = run.configuration.detector.faster_rcnn
        train_faster_rcnn(settings, run.configuration, run.data, run.network_folder(self.name))

    def graph(self, run: Run) -> onnx.ModelProto:
        from training.export.faster_rcnn import faster_rcnn_graph

        side = run.configuration.data.input_size_px
        return faster_rcnn_graph(self._trained(run), side, side)

    def framework_outputs(self, run: Run, images: GreyImages) -> list[ModelOutput]:
        from training.export.faster_rcnn import faster_rcnn_outputs

        return list(faster_rcnn_outputs(self._trained(run), images))

    def _trained(self, run: Run) -> nn.Module:
        from training.detector.faster_rcnn import trained_faster_rcnn

        settings = run.configuration.detector.faster_rcnn
        return trained_faster_rcnn(settings, run.configuration.data.input_size_px, run.network_folder(self.name))


@dataclass(frozen=True)
class ScopeCheck:
    """Decides whether an image is an abdominal CT. Fitted, not trained; implemented in torch for the export."""

    name: str = "check_input"
    architecture: str = "Mahalanobis distance of layout, grey levels and texture from the training images"
    task: Task = "input_check"

    def labels(self, data: Path) -> tuple[str, ...]:  # noqa: ARG002
        return ("abdominal_ct",)

    def train(self, run: Run) -> None:
        from training.input_check.fit import fit_input_check

        fit_input_check(run.data, run.configuration.data.seed, run.network_folder(self.name))

    def graph(self, run: Run) -> onnx.ModelProto:
        from training.input_check.fit import fitted_input_check
        from training.input_check.network import input_check_graph

        side = run.configuration.data.input_size_px
        return input_check_graph(fitted_input_check(run.network_folder(self.name)), side, side)

    def framework_outputs(self, run: Run, images: GreyImages) -> list[ModelOutput]:
        from training.input_check.fit import fitted_input_check, typicality

        return list(typicality(fitted_input_check(run.network_folder(self.name)), images))


@dataclass(frozen=True)
class Segmenter:
    """A ResUNet with masks of liver and lesions. `run.data` is a data set of `prepare_segmentation`."""

    name: str = "segment_resunet"
    architecture: str = "UNet of residual blocks, with a mask of the liver and one of its lesions"
    task: Task = "segmentation"

    def labels(self, data: Path) -> tuple[str, ...]:  # noqa: ARG002  always the same two
        return ("liver", "lesion")

    def train(self, run: Run) -> None:
        from training.segmenter.fit import train_segmenter

        train_segmenter(run.configuration, run.data, run.network_folder(self.name))

    def graph(self, run: Run) -> onnx.ModelProto:
        from training.export.segmenter import segmenter_graph

        return segmenter_graph(self._trained(run))

    def framework_outputs(self, run: Run, images: GreyImages) -> list[ModelOutput]:
        logits = np.asarray(self._trained(run).predict(images[..., None], batch_size=8, verbose=0), dtype=np.float64)
        return list(np.moveaxis(1 / (1 + np.exp(-logits)), -1, 1))

    def _trained(self, run: Run) -> keras.Model:
        from training.segmenter.fit import LAST_WEIGHTS, segmenter_settings
        from training.segmenter.network import build_segmenter

        model = build_segmenter(segmenter_settings(run.configuration), run.configuration.data.input_size_px)
        model.load_weights(run.network_folder(self.name) / LAST_WEIGHTS)
        return model


_POOLED = "multiple-instance pooling of its class activation map"
_ALL: tuple[Network, ...] = (
    Classifier("resnet", f"ResNet with {_POOLED}"),
    Classifier("unet", f"UNet that segments, with {_POOLED}"),
    Classifier("resunet", f"UNet of residual blocks that segments, with {_POOLED}"),
    Classifier("xception", f"Xception with {_POOLED}"),
    Classifier("densenet", f"DenseNet with {_POOLED}"),
    FasterRcnn(),
    Yolo("yolov3", "YOLOv3 (ultralytics, anchor-free head) with suppression in the graph"),
    Yolo("yolov5", "YOLOv5 (ultralytics, anchor-free head) with suppression in the graph"),
    ScopeCheck(),
)
NETWORKS: dict[str, Network] = {network.name: network for network in _ALL}


def train(network: Network, run: Run) -> None:
    """Trains to the end, resuming an interrupted run; records the code fingerprint and the training time."""
    folder = run.network_folder(network.name)
    if (folder / "finished").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    fingerprint_file = folder / "code.sha256"
    if not fingerprint_file.exists():
        fingerprint_file.write_text(code_fingerprint())
    minutes_before, started_s = training_minutes(folder), time.monotonic()
    try:
        network.train(run)
        (folder / "finished").touch()
    finally:
        minutes = minutes_before + (time.monotonic() - started_s) / 60
        (folder / "minutes.txt").write_text(f"{minutes:.2f}")


def training_minutes(folder: Path) -> float:
    """The training time so far, interrupted runs included."""
    file = folder / "minutes.txt"
    return float(file.read_text()) if file.exists() else 0.0
