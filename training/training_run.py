"""One training run, and what a network that is trained in it offers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from hepar.contracts.cards import Task
from training.configuration import Configuration, code_fingerprint
from training.export.parity import GreyImages, ModelOutput

if TYPE_CHECKING:
    import onnx
    from torch import nn  # pyright: ignore[reportMissingImports]

ORIGIN = "origin.txt"
"""Of a trained network: what its weights come from besides the data."""


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


def training_origin(folder: Path) -> str:
    """The sentences about it for the model card, or nothing."""
    file = folder / ORIGIN
    return file.read_text().strip() if file.exists() else ""


def training_minutes(folder: Path) -> float:
    """The training time so far, interrupted runs included."""
    file = folder / "minutes.txt"
    return float(file.read_text()) if file.exists() else 0.0
