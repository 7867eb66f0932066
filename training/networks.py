"""Every network Hepar trains: how it is trained, exported and judged, under the name of its served model."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from hepar.contracts.cards import InputSize, Metric, ModelCard, Window
from training.configuration import Configuration, code_fingerprint
from training.lesions import LABELS
from training.prepare import CLASS_LABELS, Example, data_fingerprint, read_manifest, read_real_lesions

if TYPE_CHECKING:
    import onnx

    from training.evaluation.detection import Boxes

LICENCE = "AGPL-3.0-or-later"
LIMITS = [
    "Research software, not a medical device: not for diagnosis or treatment decisions.",
    "Trained on synthesised lesions: figures on them say nothing about real tumour types.",
    "Portal-venous phase axial slices in the soft-tissue window; other phases and organs are out of scope.",
    "Benign lesions and hepatocellular carcinoma were not in the training data.",
]
_FLOAT16_TOLERANCE = 0.01


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


@dataclass(frozen=True)
class Judgement:
    """What held-out patients say of a model."""

    temperature: float
    decision_threshold: float
    metrics: dict[str, Metric]


class Network(Protocol):
    """A network that can join triton_models/."""

    name: str
    task: Literal["classification", "detection"]
    architecture: str
    labels: tuple[str, ...]

    def train(self, run: Run) -> None: ...

    def graph(self, run: Run) -> onnx.ModelProto: ...

    def judge(self, model: Path | bytes, data: Path, temperature: float | None, threshold: float | None) -> Judgement:
        """Fits what is None on the validation part; the figures are of the test part."""
        ...


class ClassifyResnet:
    name = "classify_resnet"
    task: Literal["classification", "detection"] = "classification"
    architecture = "ResNet with basic blocks and multiple-instance pooling of its class activation map"
    labels: tuple[str, ...] = tuple(CLASS_LABELS)

    def train(self, run: Run) -> None:
        from training.classifier.fit import train_classifier

        train_classifier(run.configuration, run.data, run.of(self.name))

    def graph(self, run: Run) -> onnx.ModelProto:
        from training.classifier.fit import BEST_WEIGHTS, new_classifier
        from training.export.classifier import classifier_graph

        model = new_classifier(run.configuration)
        model.load_weights(run.of(self.name) / BEST_WEIGHTS)
        return classifier_graph(model)

    def judge(self, model: Path | bytes, data: Path, temperature: float | None, threshold: float | None) -> Judgement:
        from scipy.special import softmax

        from training.evaluation import classification
        from training.evaluation.served import run_model

        def logits_of(images: list[Path]) -> NDArray[np.float64]:
            return np.asarray(run_model(model, images)["logits"], dtype=np.float64)

        if temperature is None or threshold is None:
            validation = read_manifest(data, "validation")
            logits = logits_of(_images(data, validation))
            labels = np.array([example.label for example in validation])
            temperature = temperature or classification.fitted_temperature(logits, labels)
            threshold = threshold or classification.decision_threshold(softmax(logits / temperature, axis=1), labels)
        test = read_manifest(data, "test")
        probabilities = softmax(logits_of(_images(data, test)) / temperature, axis=1)
        labels = np.array([example.label for example in test])
        metrics = classification.classification_figures(
            probabilities, labels, [example.patient for example in test], threshold
        )
        real = read_real_lesions(data)
        if real:
            answers = softmax(logits_of([data / "real" / f"{row.name}.png" for row in real]) / temperature, axis=1)
            metrics |= classification.real_lesion_figures(answers, [row.patient for row in real])
        return Judgement(temperature, threshold, metrics)


class DetectYolov5:
    name = "detect_yolov5"
    task: Literal["classification", "detection"] = "detection"
    architecture = "YOLOv5 (ultralytics, anchor-free head) with suppression in the graph"
    labels: tuple[str, ...] = LABELS

    def train(self, run: Run) -> None:
        from training.detector.fit import train_detector

        train_detector(run.configuration, run.data, run.of(self.name))

    def graph(self, run: Run) -> onnx.ModelProto:
        from training.detector.fit import best_checkpoint, work_offline
        from training.export.detector import detector_graph, load_network

        work_offline(run.of(self.name))
        side = run.configuration.data.input_size_px
        return detector_graph(load_network(best_checkpoint(run.of(self.name))), side, side)

    def judge(self, model: Path | bytes, data: Path, temperature: float | None, threshold: float | None) -> Judgement:
        from training.evaluation import detection
        from training.evaluation.served import run_model

        def found_in(images: list[Path]) -> list[Boxes]:
            answers = run_model(model, images)
            rows = zip(answers["boxes"], answers["labels"], answers["scores"], strict=True)
            return [
                detection.Boxes(boxes[scores > 0].astype(float), labels[scores > 0], scores[scores > 0].astype(float))
                for boxes, labels, scores in rows
            ]

        if threshold is None:
            validation = read_manifest(data, "validation")
            threshold = detection.chosen_threshold(
                found_in(_images(data, validation)), [_truth(example) for example in validation]
            )
        test = read_manifest(data, "test")
        metrics = detection.detection_figures(
            found_in(_images(data, test)),
            [_truth(example) for example in test],
            [example.patient for example in test],
            threshold,
        )
        real = read_real_lesions(data)
        if real:
            truth = [_boxes([(0, *box) for box in row.boxes]) for row in real]
            found = found_in([data / "real" / f"{row.name}.png" for row in real])
            metrics |= detection.real_lesion_figures(found, truth, [row.patient for row in real], threshold)
        return Judgement(temperature or 1.0, threshold, metrics)


NETWORKS: dict[str, Network] = {network.name: network for network in (ClassifyResnet(), DetectYolov5())}


def train(network: Network, run: Run) -> None:
    """Trains to the end, resuming where it was; notes which code made the weights."""
    folder = run.of(network.name)
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / "code.sha256"
    if not note.exists():
        note.write_text(code_fingerprint())
    network.train(run)


def export(network: Network, run: Run, repository: Path) -> ModelCard:
    """Writes the model's folder, judged by the very bytes that are shipped."""
    from training.export.repository import write_model
    from training.export.weights import store_weights_as_float16

    exact = network.graph(run)
    exact_bytes = exact.SerializeToString()
    probe = _images(run.data, read_manifest(run.data, "validation"))[:64]
    halved = store_weights_as_float16(exact)
    shipped = halved if _same_answers(exact_bytes, halved.SerializeToString(), probe) else _parsed(exact_bytes)
    judgement = network.judge(shipped.SerializeToString(), run.data, None, None)
    data = run.configuration.data
    card = ModelCard(
        name=network.name,
        task=network.task,
        architecture=network.architecture,
        size=run.size,
        labels=list(network.labels),
        input=InputSize(height=data.input_size_px, width=data.input_size_px),
        window=Window(low_hu=data.window_low_hu, high_hu=data.window_high_hu),
        temperature=judgement.temperature,
        decision_threshold=judgement.decision_threshold,
        metrics=judgement.metrics,
        training_data=(run.data / "provenance.txt").read_text().strip(),
        data_sha256=data_fingerprint(run.data),
        code_sha256=(run.of(network.name) / "code.sha256").read_text(),
        licence=LICENCE,
        date=datetime.datetime.now(datetime.UTC).date(),
        limits=LIMITS,
    )
    write_model(repository, shipped, card)
    return card


def _same_answers(exact: bytes, halved: bytes, images: list[Path]) -> bool:
    """Do the weights' missing bits change an answer? Scores and probabilities may move by 0.01, labels not at all."""
    from scipy.special import softmax

    from training.evaluation.served import run_model

    before, after = run_model(exact, images), run_model(halved, images)
    if "scores" in before:
        return bool(np.abs(before["scores"] - after["scores"]).max() <= _FLOAT16_TOLERANCE)
    kept = softmax(before["logits"], axis=1), softmax(after["logits"], axis=1)
    same_labels = (kept[0].argmax(axis=1) == kept[1].argmax(axis=1)).all()
    return bool(same_labels and np.abs(kept[0] - kept[1]).max() <= _FLOAT16_TOLERANCE)


def _parsed(model: bytes) -> onnx.ModelProto:
    import onnx

    return onnx.load_model_from_string(model)


def _images(data: Path, examples: list[Example]) -> list[Path]:
    return [data / example.part / "images" / f"{example.name}.png" for example in examples]


def _truth(example: Example) -> Boxes:
    return _boxes(example.boxes)


def _boxes(rows: list[tuple[int, float, float, float, float]]) -> Boxes:
    from training.evaluation.detection import Boxes

    table = np.array(rows, dtype=np.float64).reshape(-1, 5)
    return Boxes(table[:, 1:], table[:, 0].astype(np.intp), np.ones(len(table)))
