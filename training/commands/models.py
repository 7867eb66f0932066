"""Commands that train, export and evaluate networks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_settings import CliPositionalArg

from hepar.contracts.cards import ModelCard
from training.commands.context import Command, Context, MissingPrerequisite, print_metrics, run_in_new_process
from training.commands.teacher import run_teacher_if_needed
from training.networks import CLASSIFIERS, NETWORKS
from training.prepared.dataset import data_fingerprint, require_same_split
from training.prepared.synthesis import prepare
from training.sources import choose_source
from training.training_run import FINISHED, average, train
from training.versions import leading_version, read_versions, write_card

ALL = "all"


def _known_network(name: str) -> str:
    if name not in NETWORKS:
        raise ValueError(f"unknown network {name!r}; known: {', '.join(sorted(NETWORKS))}")
    return name


def _known_classifier(name: str) -> str:
    if name not in CLASSIFIERS:
        raise ValueError(f"unknown classifier {name!r}; known: {', '.join(sorted(CLASSIFIERS))}")
    return name


def _known_network_or_all(name: str) -> str:
    return name if name == ALL else _known_network(name)


NetworkName = Annotated[str, AfterValidator(_known_network)]
ClassifierNetwork = Annotated[str, AfterValidator(_known_classifier)]
NetworkNameOrAll = Annotated[str, AfterValidator(_known_network_or_all)]
_NETWORK_HELP = f"one of {', '.join(sorted(NETWORKS))}"


def _run_for_each_network(context: Context, command: str) -> None:
    """One process per network: TensorFlow and torch conflict in one process, and each must free its memory."""
    for name in NETWORKS:
        print(f"{name}:", flush=True)
        if not context.run_in_new_process(command, name):
            raise MissingPrerequisite(
                f"{command} {name} failed; finished networks are kept, and the same command continues there"
            )


class Train(Command):
    """Train a network, or resume its training."""

    network: CliPositionalArg[NetworkNameOrAll] = Field(description=f"{ALL}, or {_NETWORK_HELP}")

    def run(self, context: Context) -> None:
        context.require_data()
        if self.network == ALL:
            _run_for_each_network(context, "train")
            return
        if NETWORKS[self.network].task == "classification":
            run_teacher_if_needed(context)
        train(NETWORKS[self.network], context.run)


class Average(Command):
    """Write the mean of the weights of trainings that continued the same one, as the training of this run."""

    network: CliPositionalArg[ClassifierNetwork] = Field(description=f"one of {', '.join(sorted(CLASSIFIERS))}")
    of: list[Path] = Field(
        min_length=2,
        description="folder of the run of one of them, or the served graph from which they started; repeated for each",
    )

    def run(self, context: Context) -> None:
        context.require_data()
        average(CLASSIFIERS[self.network], context.run, self.of)


class Export(Command):
    """Write a trained network to the model repository, and print its metrics."""

    network: CliPositionalArg[NetworkNameOrAll] = Field(description=f"{ALL}, or {_NETWORK_HELP}")
    evaluation: Path | None = Field(
        default=None,
        description="prepared data with the same split, for thresholds and metrics: that of the shipped models, "
        "so that a network trained with another recipe is measured as they are",
    )

    @model_validator(mode="after")
    def _one_network(self) -> Self:
        if self.evaluation is not None and self.network == ALL:
            raise ValueError("--evaluation needs the name of one network")
        return self

    def run(self, context: Context) -> None:
        context.require_data()
        if self.network == ALL:
            _run_for_each_network(context, "export")
            return
        if not (context.run.network_folder(self.network) / FINISHED).exists():
            raise MissingPrerequisite(
                f"training of {self.network} is not complete: run `python -m training train {self.network}`"
            )
        from training.model_export import export

        if self.evaluation is not None:
            require_same_split(context.run.data, self.evaluation)
        print_metrics(export(NETWORKS[self.network], context.run, context.repository, self.evaluation))


class Evaluate(Command):
    """Measure the shipped model on the held-out patients, and print its metrics."""

    network: CliPositionalArg[NetworkNameOrAll] = Field(description=f"{ALL} shipped networks, or {_NETWORK_HELP}")
    write: bool = Field(
        default=False,
        description="fit the decision threshold again, and write it and the metrics to the model card: for cards that "
        "were written when these were computed in another way",
    )

    def run(self, context: Context) -> None:
        context.require_data()
        shipped = [name for name in NETWORKS if (context.repository / name / "card.json").is_file()]
        for name in shipped if self.network == ALL else [self.network]:
            card = _evaluated(context.repository / name, context.run.data, refit=self.write)
            print_metrics(card)
            if self.write:
                write_card(context.repository / name, card)


def _evaluated(folder: Path, data: Path, *, refit: bool) -> ModelCard:
    """The model's card with new metrics. refit: with a new decision threshold as well.

    Raises MissingPrerequisite if the model does not exist or was evaluated on other data.
    """
    from training.evaluation.model_evaluation import evaluate_model

    if not (folder / "card.json").is_file():
        raise MissingPrerequisite(f"{folder} has no model: run `python -m training export {folder.name}` first")
    card = ModelCard.model_validate_json((folder / "card.json").read_bytes())
    if data_fingerprint(data) != card.measured_on_sha256:
        raise MissingPrerequisite(
            f"{folder} was not evaluated on the data in {data}: prepare it from the same source (DATA)"
        )
    model = folder / leading_version(read_versions(folder)) / "model.onnx"
    threshold = None if refit else card.decision_threshold
    evaluation = evaluate_model(card.task, model, data, card.temperature, threshold, card.input.field_mm)
    return card.model_copy(update={"metrics": evaluation.metrics, "decision_threshold": evaluation.decision_threshold})


class CrossValidate(Command):
    """Train and evaluate one network on each of K folds."""

    network: CliPositionalArg[NetworkName] = Field(description=_NETWORK_HELP)
    folds: int = Field(default=5, ge=3, description="number of folds")
    data: Path | None = Field(default=None, description="the folder msd-liver-slices; the collection without it")

    def run(self, context: Context) -> None:
        from training.cross_validation import cross_validate

        if self.data is None:
            context.require_collection()

        def prepare_fold(fold: tuple[int, int], out: Path) -> None:
            self._prepare_fold(context, fold, out)

        def run_command(folder: Path, command: str, network: str) -> None:
            if not run_in_new_process(context.configuration, folder, folder / "models", command, network):
                raise MissingPrerequisite(f"{command} {network} failed in {folder}; the same command continues there")

        path = cross_validate(self.network, self.folds, context.run.folder, prepare_fold, run_command)
        print(path.read_text(), path, sep="")

    def _prepare_fold(self, context: Context, fold: tuple[int, int], out: Path) -> None:
        from training.datasets.preparation import SplitChoice, prepare_collection

        data = context.run.configuration.data
        if self.data is None:
            prepare_collection(context.collection, data, out, SplitChoice(fold=fold))
        else:
            prepare(choose_source(self.data, data), data, out, fold=fold)


class OptimiseGraphs(Command):
    """Rewrite the graphs of the model repository so that they run faster with the same outputs."""

    images: Path = Field(default=Path("samples"), description="folder of PNG files to compare the outputs on")

    def run(self, context: Context) -> None:
        from training.export.optimisation import optimise_repository

        changed = 0
        for graph in optimise_repository(context.repository, sorted(self.images.glob("*.png"))):
            print(graph.sentence(), flush=True)
            changed += 1
        print(f"{changed} graphs of {context.repository} changed")
