"""Exports a trained network to the model repository: graph, parity check, evaluation and model card."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from hepar.contracts.cards import InputSize, ModelCard, Task, Window
from training.configuration import Configuration
from training.evaluation.model_evaluation import Evaluation, evaluate_model
from training.export.parity import GreyImages, ModelOutput, ParityError, require_parity
from training.prepared.dataset import data_fingerprint, image_paths, read_images, read_manifest
from training.training_run import FINGERPRINT, Detector, Network, Run, training_minutes, training_origin

if TYPE_CHECKING:
    import onnx

LICENCE = "AGPL-3.0-or-later"
NOT_A_MEDICAL_DEVICE = "Research software, not a medical device: not for diagnosis or treatment decisions."
PARITY_IMAGES = 32


def export(network: Network, run: Run, repository: Path, evaluation_data: Path | None = None) -> ModelCard:
    """Writes the model's folder. The metrics on its card are measured on the bytes that are shipped.

    evaluation_data: prepared data of the same patients for thresholds and metrics; by default that of the training.
    Raises ParityError if the graph does not reproduce the framework's output; the convolutions of some detectors are
    factorised after that check.
    """
    from training.export.passes import optimise
    from training.export.reduction import KEPT_ENERGY, calibration_images, reduced
    from training.export.repository import write_model

    images = parity_images(run)
    model = _shipped_bytes(optimise(network.graph(run)), network.framework_outputs(run, images), images)
    if energy := KEPT_ENERGY.get(network.name):
        model = reduced(_parsed(model), calibration_images(run.data), energy).SerializeToString()
    evaluation = evaluate_model(network.task, model, evaluation_data or run.data, None, None, network.field_mm)
    card = _card(network, run, evaluation, evaluation_data)
    write_model(repository, _parsed(model), card)
    return card


def exported_again(network: Detector, run: Run, model: Path) -> onnx.ModelProto:
    """The weights of a served graph in a graph of today's export.

    Raises ParityError where it does not answer as the framework does with these weights.
    """
    from training.export.passes import optimise

    restored = network.restored(run, model)
    images = parity_images(run)
    expected = network.outputs_of(restored, images)
    graph = optimise(network.graph_of(restored, run))
    require_parity(expected, graph.SerializeToString(), images)
    return graph


def _shipped_bytes(graph: onnx.ModelProto, expected: list[ModelOutput], images: GreyImages) -> bytes:
    """The graph with weights stored as float16 if that keeps parity, else the exact graph."""
    from training.export.weights import store_weights_as_float16

    exact = graph.SerializeToString()
    require_parity(expected, exact, images)
    try:
        smaller = store_weights_as_float16(graph).SerializeToString()
        require_parity(expected, smaller, images)
    except ParityError:
        return exact
    return smaller


def _card(network: Network, run: Run, evaluation: Evaluation, evaluation_data: Path | None) -> ModelCard:
    data, folder = run.configuration.data, run.network_folder(network.name)
    provenance = (run.data / "provenance.txt").read_text().strip()
    return ModelCard(
        name=network.name,
        task=network.task,
        architecture=network.architecture,
        size=run.size,
        labels=list(network.labels(run.data)),
        input=InputSize(height=data.input_size_px, width=data.input_size_px, field_mm=network.field_mm),
        window=Window(low_hu=data.window_low_hu, high_hu=data.window_high_hu),
        temperature=evaluation.temperature,
        decision_threshold=evaluation.decision_threshold,
        metrics=evaluation.metrics,
        training_data=". ".join(
            filter(None, [provenance, synthesis_note(network.task, run.configuration), training_origin(folder)])
        ),
        data_sha256=data_fingerprint(run.data),
        evaluation_sha256=None if evaluation_data is None else data_fingerprint(evaluation_data),
        training_minutes=round(training_minutes(folder), 1),
        code_sha256=(folder / FINGERPRINT).read_text(),
        licence=LICENCE,
        date=datetime.datetime.now(datetime.UTC).date(),
        limits=[NOT_A_MEDICAL_DEVICE, *(run.data / "limits.txt").read_text().splitlines()],
    )


def synthesis_note(task: Task, configuration: Configuration) -> str:
    """The sentence for the card of a network of this task; empty where its training images stay the same."""
    chosen = {"classification": configuration.classifier.synthesis, "detection": configuration.detector.synthesis}
    return "New lesions were synthesised for every epoch" if chosen.get(task) == "each_epoch" else ""


def parity_images(run: Run) -> GreyImages:
    """PARITY_IMAGES images of the validation part, evenly spread: (n, side, side) uint8."""
    examples = read_manifest(run.data, "validation")
    chosen = examples[:: max(1, len(examples) // PARITY_IMAGES)][:PARITY_IMAGES]
    return read_images(image_paths(run.data, chosen))


def _parsed(model: bytes) -> onnx.ModelProto:
    import onnx

    return onnx.load_model_from_string(model)
