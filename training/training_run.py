"""One training run, and what a network that is trained in it offers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from hepar.contracts.cards import ModelCard, Task
from training.configuration import Configuration, code_fingerprint
from training.export.parity import GreyImages, ModelOutput

if TYPE_CHECKING:
    import onnx
    from torch import nn  # pyright: ignore[reportMissingImports]

ORIGIN = "origin.txt"
"""Of a trained network: what its weights come from besides the data."""
FINISHED, FINGERPRINT, MINUTES = "finished", "code.sha256", "minutes.txt"
"""Of a trained network: that it is trained to the end, the code that began it or averaged it, and how long it took."""


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

    @property
    def field_mm(self) -> float:
        """See `hepar.contracts.cards.InputSize`."""
        ...

    def labels(self, data: Path) -> tuple[str, ...]: ...

    def train(self, run: Run) -> None: ...

    def graph(self, run: Run) -> onnx.ModelProto: ...

    def framework_outputs(self, run: Run, images: GreyImages) -> list[ModelOutput]:
        """The output of the training framework for images (n, side, side), which the graph must reproduce."""
        ...


class Averaged(Network, Protocol):
    """A network whose weights can be averaged over trainings."""

    def average(self, run: Run, sources: Sequence[Path]) -> None:
        """Writes the mean. sources: folders of trainings, and graphs where the network can read them."""
        ...


class Detector(Network, Protocol):
    """A network that can also be exported again from its served graph, when its checkpoint is gone."""

    def restored(self, run: Run, model: Path) -> nn.Module:
        """The network with the weights of a graph that was exported from it, in evaluation mode."""
        ...

    def graph_of(self, network: nn.Module, run: Run) -> onnx.ModelProto: ...

    def outputs_of(self, network: nn.Module, images: GreyImages) -> list[ModelOutput]:
        """As `framework_outputs`."""
        ...


def train(network: Network, run: Run) -> None:
    """Trains to the end, resuming an interrupted run; records the code fingerprint and the training time."""
    folder = run.network_folder(network.name)
    if (folder / FINISHED).exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    fingerprint_file = folder / FINGERPRINT
    if not fingerprint_file.exists():
        fingerprint_file.write_text(code_fingerprint())
    minutes_before, started_s = training_minutes(folder), time.monotonic()
    try:
        network.train(run)
        (folder / FINISHED).touch()
    finally:
        minutes = minutes_before + (time.monotonic() - started_s) / 60
        (folder / MINUTES).write_text(f"{minutes:.2f}")


def average(network: Averaged, run: Run, sources: Sequence[Path]) -> None:
    """Makes the mean of the weights of other trainings the training of this run.

    sources: folders of runs that continued the same training, each to a length or with settings of its own; for a
    classifier also the served graph from which they started. Weights that were learnt independently have no useful
    mean. Raises FileExistsError if this run has a training, FileNotFoundError for a run without a finished one and for
    a graph without its card, and UnusableData for weights or a graph of another shape.
    """
    out = run.network_folder(network.name)
    if out.exists():
        raise FileExistsError(f"{out} holds a training already: choose another folder for the mean")
    trainings = [source if source.is_file() else source / network.name for source in sources]
    for training in trainings:
        if training.is_file() and not _card_of(training).exists():
            raise FileNotFoundError(f"{training} has no card: give the graph in its model repository")
        if not training.is_file() and not (training / FINISHED).exists():
            raise FileNotFoundError(f"{training} holds no finished training")
    network.average(run, trainings)
    sentences = [f"The weights are the mean of those of {len(trainings)} trainings that share their start"]
    sentences += [sentence for training in trainings for sentence in training_origin(training).split(". ") if sentence]
    (out / ORIGIN).write_text(". ".join(dict.fromkeys(sentences)))
    (out / MINUTES).write_text(f"{sum(map(training_minutes, trainings)):.2f}")
    (out / FINGERPRINT).write_text(code_fingerprint())
    (out / FINISHED).touch()


def training_origin(folder: Path) -> str:
    """The sentences about it for the model card, or nothing."""
    file = folder / ORIGIN
    return file.read_text().strip() if file.exists() else ""


def training_minutes(training: Path) -> float:
    """The training time so far, interrupted runs included; of a served graph that of its card."""
    if training.is_file():
        return ModelCard.model_validate_json(_card_of(training).read_bytes()).training_minutes or 0.0
    file = training / MINUTES
    return float(file.read_text()) if file.exists() else 0.0


def _card_of(graph: Path) -> Path:
    return graph.parents[1] / "card.json"
