"""Every network that Hepar trains, under the name of its served model: how it is trained and turned into a graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from hepar.contracts.cards import Task
from hepar.contracts.views import FIELD_MM
from training.configuration import ClassifierName
from training.export.parity import GreyImages, ModelOutput
from training.lesions import LABELS
from training.prepared.dataset import require_boxes, training_labels
from training.sources import UnusableData
from training.training_run import ORIGIN, Detector, Network, Run

if TYPE_CHECKING:
    import keras  # pyright: ignore[reportMissingImports]
    import onnx
    from torch import nn  # pyright: ignore[reportMissingImports]

DETECTOR_FIELD_MM = 341.3
"""They are trained on FIELD_MM and find more small lesions in a closer view (docs/decisions/0079)."""


@dataclass(frozen=True)
class Classifier:
    """One of the five classifiers, in Keras. kind: its name in the configuration."""

    kind: ClassifierName
    architecture: str
    task: Task = "classification"
    field_mm: float = FIELD_MM

    @property
    def name(self) -> str:
        return f"classify_{self.kind}"

    def labels(self, data: Path) -> tuple[str, ...]:
        return training_labels(data)

    def train(self, run: Run) -> None:
        from training.classifier.fit import train_classifier
        from training.classifier.origin import origin
        from training.teacher.lessons import lessons_of_run

        settings = run.configuration.classifier
        lessons = lessons_of_run(run.folder, run.data) if settings.teacher else None
        (run.network_folder(self.name) / ORIGIN).write_text(origin(settings.networks[self.kind], lessons))
        train_classifier(self.kind, run.configuration, run.data, run.network_folder(self.name), lessons)

    def average(self, run: Run, sources: Sequence[Path]) -> None:
        from training.classifier.average import save_mean
        from training.classifier.fit import BEST_WEIGHTS
        from training.classifier.shipped_weights import load_shipped_weights, training_images

        model, images = self._new(run), training_images(run.data)
        loads = [
            partial(load_shipped_weights, model, source, images)
            if source.is_file()
            else partial(model.load_weights, source / BEST_WEIGHTS)
            for source in sources
        ]
        save_mean(model, loads, run.network_folder(self.name) / BEST_WEIGHTS)

    def graph(self, run: Run) -> onnx.ModelProto:
        from training.export.classifier import classifier_graph

        return classifier_graph(self._trained(run), len(self.labels(run.data)))

    def framework_outputs(self, run: Run, images: GreyImages) -> list[ModelOutput]:
        from scipy.special import softmax

        logits = self._trained(run).predict(images[..., None], batch_size=8, verbose=0)["logits"]
        return list(softmax(np.asarray(logits, dtype=np.float64), axis=1))

    def _trained(self, run: Run) -> keras.Model:
        from training.classifier.fit import BEST_WEIGHTS

        model = self._new(run)
        model.load_weights(run.network_folder(self.name) / BEST_WEIGHTS)
        return model

    def _new(self, run: Run) -> keras.Model:
        from training.classifier.fit import new_classifier

        return new_classifier(self.kind, run.configuration, len(self.labels(run.data)))


@dataclass(frozen=True)
class Yolo:
    """YOLOv3 or YOLOv5, by ultralytics."""

    kind: Literal["yolov3", "yolov5"]
    architecture: str
    task: Task = "detection"
    field_mm: float = DETECTOR_FIELD_MM

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
        return self.graph_of(self._trained(run), run)

    def framework_outputs(self, run: Run, images: GreyImages) -> list[ModelOutput]:
        return self.outputs_of(self._trained(run), images)

    def restored(self, run: Run, model: Path) -> nn.Module:
        from training.detector.yolo import restored_yolo, work_offline

        work_offline(run.folder)
        return restored_yolo(getattr(run.configuration.detector, self.kind).architecture, model, run.data)

    def graph_of(self, network: nn.Module, run: Run) -> onnx.ModelProto:
        from training.export.yolo import yolo_graph

        side = run.configuration.data.input_size_px
        return yolo_graph(network, side, side)

    def outputs_of(self, network: nn.Module, images: GreyImages) -> list[ModelOutput]:
        from training.export.yolo import yolo_outputs

        return list(yolo_outputs(network, images))

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
    field_mm: float = DETECTOR_FIELD_MM

    def labels(self, data: Path) -> tuple[str, ...]:  # noqa: ARG002
        return LABELS

    def train(self, run: Run) -> None:
        from training.detector.faster_rcnn import train_faster_rcnn

        require_boxes(run.data)
        settings = run.configuration.detector.faster_rcnn
        train_faster_rcnn(settings, run.configuration, run.data, run.network_folder(self.name))

    def graph(self, run: Run) -> onnx.ModelProto:
        return self.graph_of(self._trained(run), run)

    def framework_outputs(self, run: Run, images: GreyImages) -> list[ModelOutput]:
        return self.outputs_of(self._trained(run), images)

    def restored(self, run: Run, model: Path) -> nn.Module:
        from training.detector.faster_rcnn import new_faster_rcnn
        from training.detector.shipped_weights import load_shipped_weights, training_images

        settings = run.configuration.detector.faster_rcnn
        network = new_faster_rcnn(settings, run.configuration.data.input_size_px)
        load_shipped_weights(network, model, training_images(run.data))
        return network

    def graph_of(self, network: nn.Module, run: Run) -> onnx.ModelProto:
        from training.export.faster_rcnn import faster_rcnn_graph

        side = run.configuration.data.input_size_px
        return faster_rcnn_graph(network, side, side)

    def outputs_of(self, network: nn.Module, images: GreyImages) -> list[ModelOutput]:
        from training.export.faster_rcnn import faster_rcnn_outputs

        return list(faster_rcnn_outputs(network, images))

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
    field_mm: float = FIELD_MM

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
    field_mm: float = FIELD_MM

    def labels(self, data: Path) -> tuple[str, ...]:  # noqa: ARG002  always the same two
        return ("liver", "lesion")

    def train(self, run: Run) -> None:
        from training.segmenter.fit import train_segmenter

        train_segmenter(run.configuration, run.data, run.network_folder(self.name))

    def average(self, run: Run, sources: Sequence[Path]) -> None:
        from training.classifier.average import save_mean
        from training.segmenter.fit import LAST_WEIGHTS

        if graph := next(filter(Path.is_file, sources), None):
            raise UnusableData(f"{graph}: the graph of a segmenter cannot be read back; give the folders of runs")
        model = self._new(run)
        loads = [partial(model.load_weights, source / LAST_WEIGHTS) for source in sources]
        save_mean(model, loads, run.network_folder(self.name) / LAST_WEIGHTS)

    def graph(self, run: Run) -> onnx.ModelProto:
        from training.export.segmenter import segmenter_graph

        return segmenter_graph(self._trained(run))

    def framework_outputs(self, run: Run, images: GreyImages) -> list[ModelOutput]:
        logits = np.asarray(self._trained(run).predict(images[..., None], batch_size=8, verbose=0), dtype=np.float64)
        return list(np.moveaxis(1 / (1 + np.exp(-logits)), -1, 1))

    def _trained(self, run: Run) -> keras.Model:
        from training.segmenter.fit import LAST_WEIGHTS

        model = self._new(run)
        model.load_weights(run.network_folder(self.name) / LAST_WEIGHTS)
        return model

    def _new(self, run: Run) -> keras.Model:
        from training.segmenter.fit import segmenter_settings
        from training.segmenter.network import build_segmenter

        return build_segmenter(segmenter_settings(run.configuration), run.configuration.data.input_size_px)


_POOLED = "multiple-instance pooling of its class activation map"
_DETECTORS: tuple[Detector, ...] = (
    FasterRcnn(),
    Yolo("yolov3", "YOLOv3 (ultralytics, anchor-free head) with suppression in the graph"),
    Yolo("yolov5", "YOLOv5 (ultralytics, anchor-free head) with suppression in the graph"),
)
_ALL: tuple[Network, ...] = (
    Classifier("resnet", f"ResNet with {_POOLED}"),
    Classifier("unet", f"UNet that segments, with {_POOLED}"),
    Classifier("resunet", f"UNet of residual blocks that segments, with {_POOLED}"),
    Classifier("xception", f"Xception with {_POOLED}"),
    Classifier("densenet", f"DenseNet with {_POOLED}"),
    *_DETECTORS,
    ScopeCheck(),
)
CLASSIFIERS = {network.name: network for network in _ALL if isinstance(network, Classifier)}
NETWORKS: dict[str, Network] = {network.name: network for network in _ALL}
DETECTORS: dict[str, Detector] = {network.name: network for network in _DETECTORS}
