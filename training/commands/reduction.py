"""The command that makes detectors cheaper."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import CliPositionalArg

from training.commands.context import Command, Context, print_metrics
from training.networks import DETECTORS
from training.versions import leading_version, read_versions

if TYPE_CHECKING:
    import onnx


def _known_detector(name: str) -> str:
    if name not in DETECTORS:
        raise ValueError(f"unknown detector {name!r}; known: {', '.join(sorted(DETECTORS))}")
    return name


class ReduceDetector(Command):
    """Compare cheaper variants of a shipped detector on validation patients; write one with --write."""

    network: CliPositionalArg[Annotated[str, AfterValidator(_known_detector)]] = Field(
        description=f"one of {', '.join(sorted(DETECTORS))}"
    )
    energy: list[float] = Field(default=[0.999, 0.99, 0.98], description="kept share of the variance; may be repeated")
    int8: bool = Field(default=False, description="also measure each variant in int8")
    runs: int = Field(default=20, ge=1, description="runs of each graph, in turns, for its time")
    write: bool = Field(default=False, description="ship the variant of docs/decisions/0076; measure nothing else")

    def run(self, context: Context) -> None:
        from training.export.reduction import KEPT_ENERGY, calibration_images, reduced
        from training.export.weights import store_weights_as_float16
        from training.model_export import exported_again

        context.require_models_of_this_data()
        folder = context.repository / self.network
        shipped = folder / leading_version(read_versions(folder)) / "model.onnx"
        graph = exported_again(DETECTORS[self.network], context.run, shipped)
        if not self.write:
            self._compare(context, graph)
            return
        energy = KEPT_ENERGY.get(self.network)
        images = calibration_images(context.run.data)
        self._ship(context, reduced(graph, images, energy) if energy else store_weights_as_float16(graph))

    def _compare(self, context: Context, graph: onnx.ModelProto) -> None:
        from training.evaluation.reduction import HEADER, Comparison, alternating_cpu_ms
        from training.evaluation.shipped_models import models_of_task
        from training.export.reduction import calibration_images, variants

        detectors = models_of_task(context.require_models(), "detection")
        (shipped,) = [item.model for item in detectors if item.card.name == self.network]
        images = calibration_images(context.run.data)
        graphs = {"shipped": shipped.read_bytes()} | dict(variants(graph, images, self.energy, int8=self.int8))
        comparison = Comparison(detectors, self.network, context.run.data)
        times = alternating_cpu_ms(list(graphs.values()), comparison.image, self.runs)
        print(*HEADER, sep="\n")
        for (name, model), cpu_ms in zip(graphs.items(), times, strict=True):
            print(comparison.figures(name, model, cpu_ms).row(), flush=True)

    def _ship(self, context: Context, graph: onnx.ModelProto) -> None:
        from hepar.contracts.cards import ModelCard
        from training.evaluation.model_evaluation import evaluate_model
        from training.export.repository import write_model

        file = context.repository / self.network / "card.json"
        card = ModelCard.model_validate_json(file.read_bytes())
        measured = evaluate_model(card.task, graph.SerializeToString(), context.run.data, None, None)
        update = {"decision_threshold": measured.decision_threshold, "metrics": measured.metrics}
        card = card.model_copy(update=update)
        write_model(context.repository, graph, card)
        print_metrics(card)
