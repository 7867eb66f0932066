"""What all commands share: the training run, the model repository, and checks of what earlier commands wrote."""

from __future__ import annotations

import subprocess
import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict

from hepar.contracts.cards import ModelCard
from hepar.contracts.figures import Metric
from training.configuration import load_configuration
from training.prepared.dataset import data_fingerprint
from training.training_run import Run

if TYPE_CHECKING:
    from training.evaluation.shipped_models import ShippedModel


class MissingPrerequisite(Exception):
    """The output of an earlier command is missing; the message names that command."""


@dataclass(frozen=True)
class Context:
    """configuration: its name, as given on the command line."""

    configuration: str
    run: Run
    repository: Path

    @classmethod
    def create(cls, configuration: str, folder: Path | None, repository: Path, run_name: str | None = None) -> Context:
        """Loads the configuration. Raises FileNotFoundError and pydantic.ValidationError.

        folder: of the training run; if None, var/training/<run_name>, which is the configuration's name by default.
        """
        name = Path(configuration).stem
        run = Run(
            configuration=load_configuration(configuration),
            size="full" if name.startswith("full") else "compact",
            folder=folder or Path("var/training") / (run_name or name),
        )
        return cls(configuration, run, repository)

    @property
    def collection(self) -> Path:
        return self.run.folder / "collection"

    def require_collection(self) -> None:
        """Raises MissingPrerequisite."""
        if not (self.collection / "manifest.jsonl").is_file():
            raise MissingPrerequisite(f"{self.collection} has no collection: run `python -m training explore` first")

    def require_data(self) -> None:
        """Raises MissingPrerequisite if no data is prepared."""
        if not (self.run.data / "manifest.jsonl").is_file():
            raise MissingPrerequisite(f"{self.run.data} has no data: run `python -m training prepare` first")

    def require_models(self) -> list[ShippedModel]:
        """The models of the repository. Raises MissingPrerequisite if there is none."""
        from training.evaluation.shipped_models import shipped_models

        models = shipped_models(self.repository)
        if not models:
            raise MissingPrerequisite(f"{self.repository} has no model: run `python -m training export` first")
        return models

    def require_segmenter(self) -> Path:
        """The ONNX file of its leading version. Raises MissingPrerequisite if the repository has no segmenter."""
        from training.evaluation.shipped_models import segmenter_of

        segmenter = segmenter_of(self.repository)
        if segmenter is None:
            raise MissingPrerequisite(f"{self.repository} has no segmenter: run `python -m training segmenter export`")
        return segmenter

    def require_models_of_this_data(self) -> list[ShippedModel]:
        """As `require_models`. Also raises MissingPrerequisite if a model was evaluated on other data."""
        models = self.require_models()
        self.require_data()
        fingerprint = data_fingerprint(self.run.data)
        for item in models:
            if item.card.measured_on_sha256 != fingerprint:
                raise MissingPrerequisite(
                    f"{item.card.name} was not evaluated on the data in {self.run.data}: "
                    "prepare it from the same source (DATA)"
                )
        return models

    def run_in_new_process(self, *arguments: str) -> bool:
        """Runs another command with the same global options; returns whether it succeeded."""
        return run_in_new_process(self.configuration, self.run.folder, self.repository, *arguments)


def run_in_new_process(configuration: str, folder: Path, repository: Path, *arguments: str) -> bool:
    """Runs `python -m training` with these options; returns whether it succeeded."""
    command = [sys.executable, "-m", "training", "--configuration", configuration]
    command += ["--folder", str(folder), "--repository", str(repository), *arguments]
    return subprocess.run(command, check=False).returncode == 0  # noqa: S603  the arguments come from our own parser


class Command(BaseModel, ABC):
    """The arguments of one command. Its docstring is its help text."""

    model_config = ConfigDict(frozen=True)
    run_name: ClassVar[str | None] = None
    """Name of the run's default folder if it is not that of the configuration."""

    @abstractmethod
    def run(self, context: Context) -> None: ...


def print_metrics(card: ModelCard) -> None:
    print(f"{card.name}: temperature {card.temperature:g}, decision threshold {card.decision_threshold:g}")
    for name, metric in card.metrics.items():
        print(f"  {name:<28} {formatted(metric)}")


def formatted(metric: Metric) -> str:
    return f"{metric.value:.3f}  (95 % interval {metric.low:.3f} to {metric.high:.3f})"
