"""Every network Hepar trains: how it is trained, exported and judged, under the name of its served model."""

from __future__ import annotations

import datetime
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from PIL import Image

from hepar.contracts.cards import InputSize, ModelCard, Task, Window
from training.configuration import ClassifierName, Configuration, code_fingerprint
from training.export.parity import Answer, GreyImages, Unlike
from training.lesions import LABELS
from training.prepare import data_fingerprint, labels_of, read_manifest, require_boxes

if TYPE_CHECKING:
    import keras  # pyright: ignore[reportMissingImports]
    import onnx
    from torch import nn  # pyright: ignore[reportMissingImports]

LICENCE = "AGPL-3.0-or-later"
NOT_A_MEDICAL_DEVICE = "Research software, not a medical device: not for diagnosis or treatment decisions."
PARITY_IMAGES = 32


@dataclass(frozen=True)
class Run:
    """One training run's folders."""

    configuration: Configuration
    size: Literal["compact", "full"]
    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def of(self, name: str) -> Path:
        return self.folder / name


class Network(Protocol):
    """A network that can join triton_models/."""

    @property
    def name(self) -> str: ...

    @property
    def task(self) -> Task: ...

    @property
    def architecture(self) -> str: ...

    def labels(self, data: Path) -> tuple[str, ...]: ...

    def train(self, run: Run) -> None: ...

    def graph(self, run: Run) -> onnx.ModelProto: ...

    def framework_answers(self, run: Run, images: GreyImages) -> list[Answer]:
        """What the framework itself says of images (n, side, side): the graph must say the same."""
        ...


@dataclass(frozen=True)
class Classifier:
    """One of the five, in Keras. kind: its name in the configuration."""

    kind: ClassifierName
    architecture: str
    task: Task = "classification"

    @property
    def name(self) -> str:
        return f"classify_{self.kind}"

    def labels(self, data: Path) -> tuple[str, ...]:
        return labels_of(data)

    def train(self, run: Run) -> None:
        from training.classifier.fit import train_classifier

        train_classifier(self.kind, run.configuration, run.data, run.of(self.name))

    def graph(self, run: Run) -> onnx.ModelProto:
        from training.export.classifier import classifier_graph

        return classifier_graph(self._trained(run), len(self.labels(run.data)))

    def framework_answers(self, run: Run, images: GreyImages) -> list[Answer]:
        from scipy.special import softmax

        logits = self._trained(run).predict(images[..., None], batch_size=8, verbose=0)["logits"]
        return list(softmax(np.asarray(logits, dtype=np.float64), axis=1))

    def _trained(self, run: Run) -> keras.Model:
        from training.classifier.fit import BEST_WEIGHTS, new_classifier

        model = new_classifier(self.kind, run.configuration, len(self.labels(run.data)))
        model.load_weights(run.of(self.name) / BEST_WEIGHTS)
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

    def labels(self, data: Path) -> tuple[str, ...]:  # noqa: ARG002  detectors always know both tumours
        return LABELS

    def train(self, run: Run) -> None:
        from training.detector.yolo import train_yolo

        require_boxes(run.data)
        architecture = getattr(run.configuration.detector, self.kind)
        train_yolo(architecture, run.configuration, run.data, run.of(self.name))

    def graph(self, run: Run) -> onnx.ModelProto:
        from training.export.yolo import yolo_graph

        side = run.configuration.data.input_size_px
        return yolo_graph(self._trained(run), side, side)

    def framework_answers(self, run: Run, images: GreyImages) -> list[Answer]:
        from training.export.yolo import yolo_answers

        return list(yolo_answers(self._trained(run), images))

    def _trained(self, run: Run) -> nn.Module:
        from training.detector.yolo import best_checkpoint, work_offline
        from training.export.yolo import load_network

        work_offline(run.of(self.name))
        return load_network(best_checkpoint(run.of(self.name)))


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
        train_faster_rcnn(settings, run.configuration, run.data, run.of(self.name))

    def graph(self, run: Run) -> onnx.ModelProto:
        from training.export.faster_rcnn import faster_rcnn_graph

        side = run.configuration.data.input_size_px
        return faster_rcnn_graph(self._trained(run), side, side)

    def framework_answers(self, run: Run, images: GreyImages) -> list[Answer]:
        from training.export.faster_rcnn import faster_rcnn_answers

        return list(faster_rcnn_answers(self._trained(run), images))

    def _trained(self, run: Run) -> nn.Module:
        from training.detector.faster_rcnn import trained_faster_rcnn

        settings = run.configuration.detector.faster_rcnn
        return trained_faster_rcnn(settings, run.configuration.data.input_size_px, run.of(self.name))


@dataclass(frozen=True)
class ScopeCheck:
    """Is it an abdominal CT at all? Fitted, not trained; in torch for its export."""

    name: str = "check_input"
    architecture: str = "Mahalanobis distance of layout, grey levels and texture from those of the training images"
    task: Task = "input_check"

    def labels(self, data: Path) -> tuple[str, ...]:  # noqa: ARG002
        return ("abdominal_ct",)

    def train(self, run: Run) -> None:
        from training.input_check.fit import fit_input_check

        fit_input_check(run.data, run.configuration.data.seed, run.of(self.name))

    def graph(self, run: Run) -> onnx.ModelProto:
        from training.input_check.fit import fitted_input_check
        from training.input_check.network import input_check_graph

        side = run.configuration.data.input_size_px
        return input_check_graph(fitted_input_check(run.of(self.name)), side, side)

    def framework_answers(self, run: Run, images: GreyImages) -> list[Answer]:
        from training.input_check.fit import fitted_input_check, typicality

        return list(typicality(fitted_input_check(run.of(self.name)), images))


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
    """Trains to the end, resuming where it was; notes which code made the weights and how long it took."""
    folder = run.of(network.name)
    if (folder / "finished").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / "code.sha256"
    if not note.exists():
        note.write_text(code_fingerprint())
    before, began = trained_minutes(folder), time.monotonic()
    try:
        network.train(run)
        (folder / "finished").touch()
    finally:
        (folder / "minutes.txt").write_text(f"{before + (time.monotonic() - began) / 60:.2f}")


def trained_minutes(folder: Path) -> float:
    """Of all calls together, interrupted ones too."""
    note = folder / "minutes.txt"
    return float(note.read_text()) if note.exists() else 0.0


def export(network: Network, run: Run, repository: Path) -> ModelCard:
    """Writes the model's folder, judged by the very bytes that are shipped.

    Raises Unlike where the graph does not answer as the framework does.
    """
    from training.evaluation.judgement import judge
    from training.export.parity import require_parity
    from training.export.passes import optimise
    from training.export.repository import write_model
    from training.export.weights import store_weights_as_float16

    exact = optimise(network.graph(run))
    exact_bytes = exact.SerializeToString()
    probe = parity_images(run)
    expected = network.framework_answers(run, probe)
    require_parity(expected, exact_bytes, probe)
    try:
        shipped = store_weights_as_float16(exact).SerializeToString()
        require_parity(expected, shipped, probe)
    except Unlike:
        shipped = exact_bytes
    judgement = judge(network.task, shipped, run.data, None, None)
    data = run.configuration.data
    card = ModelCard(
        name=network.name,
        task=network.task,
        architecture=network.architecture,
        size=run.size,
        labels=list(network.labels(run.data)),
        input=InputSize(height=data.input_size_px, width=data.input_size_px),
        window=Window(low_hu=data.window_low_hu, high_hu=data.window_high_hu),
        temperature=judgement.temperature,
        decision_threshold=judgement.decision_threshold,
        metrics=judgement.metrics,
        training_data=(run.data / "provenance.txt").read_text().strip(),
        data_sha256=data_fingerprint(run.data),
        training_minutes=round(trained_minutes(run.of(network.name)), 1),
        code_sha256=(run.of(network.name) / "code.sha256").read_text(),
        licence=LICENCE,
        date=datetime.datetime.now(datetime.UTC).date(),
        limits=[NOT_A_MEDICAL_DEVICE, *(run.data / "limits.txt").read_text().splitlines()],
    )
    write_model(repository, _parsed(shipped), card)
    return card


def parity_images(run: Run) -> GreyImages:
    """PARITY_IMAGES of the validation part, evenly spread: (n, side, side) uint8."""
    examples = read_manifest(run.data, "validation")
    chosen = examples[:: max(1, len(examples) // PARITY_IMAGES)][:PARITY_IMAGES]
    paths = [run.data / example.part / "images" / f"{example.name}.png" for example in chosen]
    return np.stack([np.asarray(Image.open(path)) for path in paths])


def _parsed(model: bytes) -> onnx.ModelProto:
    import onnx

    return onnx.load_model_from_string(model)
