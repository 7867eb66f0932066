"""Commands of the segmenter, which has its own data set because it is trained on masks of the liver."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field
from pydantic_settings import CliSubCommand, get_subcommand

from training.commands.context import Command, Context, MissingPrerequisite, formatted
from training.networks import Segmenter
from training.training_run import average, train
from training.versions import write_card

OUTLINES = "outlines"
"""Folder in that of the run."""
OUTLINE_WEIGHTS = Path("var/outline-weights")


class OutlineLesions(Command):
    """Outline the boxed lesions of training patients by a network that was trained elsewhere, and draw contact sheets.

    The verdicts belong in training/segmenter/outline_review.csv.
    """

    data: Path = Field(description="the folder msd-liver-slices")
    weights: Path | None = Field(
        default=None, description="a folder with the wheel that holds the weights; without it it is downloaded"
    )

    def run(self, context: Context) -> None:
        from training.packages import require_packages
        from training.pictures.outline_sheet import outline_sheets
        from training.segmenter.lesion_network import lesion_probabilities, read_weights
        from training.segmenter.outlines import OUTLINED_BY, boxed_slices, outlines_in_boxes, write_outlines

        source, data = self.weights or OUTLINE_WEIGHTS, context.run.configuration.data
        require_packages(source, [OUTLINED_BY], download=self.weights is None)
        weights, outlined = read_weights(source), []
        for item in boxed_slices(self.data, data):
            probabilities = lesion_probabilities(weights, item.hu, item.liver_mask, data.pixel_spacing_mm)
            outlined += [(item, outline) for outline in outlines_in_boxes(item, probabilities)]
        folder = context.run.folder / OUTLINES
        write_outlines((outline for _, outline in outlined), folder)
        for sheet in outline_sheets(outlined, folder):
            print(sheet)
        print(f"{len(outlined)} lesions outlined in {folder}")


class PrepareSegmenter(Command):
    """Write the data set of the segmenter."""

    data: Path = Field(description="the folder msd-liver-slices")
    volumes: Path | None = Field(default=None, description="folder with ct-abdomen-pelvis and crlm-volume as NIfTI")
    lits: Path | None = Field(default=None, description="data folder of the package liver-ct-segmentation-package")
    outlines: bool = Field(default=False, description="use the outlines of `outline` that the review accepted")

    def run(self, context: Context) -> None:
        from training.segmenter.outlines import accepted_outlines
        from training.segmenter.prepare import Sources, prepare_segmentation

        outlines = accepted_outlines(context.run.folder / OUTLINES) if self.outlines else {}
        sources = Sources(self.data, self.volumes, self.lits, outlines)
        count = prepare_segmentation(sources, context.run.configuration.data, context.run.data)
        print(f"{count} slices in {context.run.data}")


class TrainSegmenter(Command):
    """Train the segmenter, or resume its training."""

    def run(self, context: Context) -> None:
        context.require_data()
        train(Segmenter(), context.run)


class AverageSegmenter(Command):
    """Write the mean of the weights of trainings that continued the same one, as the training of this run."""

    of: list[Path] = Field(min_length=2, description="folder of the run of one of them; repeated for each")

    def run(self, context: Context) -> None:
        context.require_data()
        average(Segmenter(), context.run, self.of)


class EvaluateSegmenter(Command):
    """Measure the segmenter on held-out patients and on volumes of other scanners."""

    shipped: bool = Field(default=False, description="evaluate the model of the repository, not the last weights")

    def run(self, context: Context) -> None:
        from training.evaluation.segmentation import domain_metrics, evaluate_segmenter

        context.require_data()
        source = context.require_segmenter() if self.shipped else Segmenter().graph(context.run).SerializeToString()
        threshold, metrics = evaluate_segmenter(source, context.run.data)
        print("validation and test patients of the slices, thresholds fitted on the former:")
        for name, metric in metrics.items():
            print(f"  {name:<36} {formatted(metric)}")
        for domain, values in domain_metrics(source, context.run.data, threshold).items():
            print(f"{domain}: " + ", ".join(f"{name} {value:g}" for name, value in values.items()))


class MeasureGate(Command):
    """Measure what a gate by the liver mask of the shipped segmenter does to the shipped detectors."""

    fit: bool = Field(default=False, description="fit the gate on validation patients and write it to the cards")
    pages: Path = Field(default=Path("docs/model-cards"), description="folder of the model cards for people")

    def run(self, context: Context) -> None:
        from training.evaluation.liver_gate import measure_gate

        context.require_data()
        model = context.require_segmenter()
        if self.fit:
            self._fit(context, model)
            return
        for row in measure_gate(model, context.repository, context.run.data):
            print(row.sentence())

    def _fit(self, context: Context, segmenter: Path) -> None:
        from training.evaluation.gate_fitting import fit_gates
        from training.evaluation.shipped_models import models_of_task
        from training.export.model_card import write_model_card

        detectors = models_of_task(context.require_models(), "detection")
        ensembles = detectors[0].card.ensemble if detectors else None
        if ensembles is None:
            raise MissingPrerequisite(f"{context.repository} has no fused detectors: run `python -m training ensemble`")
        gated = fit_gates(ensembles, detectors, segmenter, context.run.data)
        for item in detectors:
            card = item.card.model_copy(update={"ensemble": gated})
            write_card(context.repository / card.name, card)
            write_model_card(card, item.model, self.pages)
        for method, ensemble in gated.methods.items():
            if ensemble.liver_gate is not None:
                gate = ensemble.liver_gate
                print(
                    f"{method}: boxes with {gate.minimum_share:g} of their area in the liver, "
                    f"score threshold {gate.decision_threshold:g} instead of {ensemble.decision_threshold:g}"
                )


class ExportSegmenter(Command):
    """Write the segmenter and its card to the model repository."""

    pages: Path = Field(default=Path("docs/model-cards"), description="folder of the model cards for people")

    def run(self, context: Context) -> None:
        from training.export.model_card import write_model_card
        from training.model_export import export

        context.require_data()
        card = export(Segmenter(), context.run, context.repository)
        print(write_model_card(card, context.repository / card.name / "1" / "model.onnx", self.pages))


class SegmenterCommands(Command):
    """Outline, prepare, train, average, evaluate and export the segmenter; measure a gate by its liver mask."""

    run_name: ClassVar[str | None] = "segmenter"
    outline: CliSubCommand[OutlineLesions] = Field(description=OutlineLesions.__doc__)
    prepare: CliSubCommand[PrepareSegmenter] = Field(description=PrepareSegmenter.__doc__)
    train: CliSubCommand[TrainSegmenter] = Field(description=TrainSegmenter.__doc__)
    average: CliSubCommand[AverageSegmenter] = Field(description=AverageSegmenter.__doc__)
    evaluate: CliSubCommand[EvaluateSegmenter] = Field(description=EvaluateSegmenter.__doc__)
    gate: CliSubCommand[MeasureGate] = Field(description=MeasureGate.__doc__)
    export: CliSubCommand[ExportSegmenter] = Field(description=ExportSegmenter.__doc__)

    def run(self, context: Context) -> None:
        command = get_subcommand(self)
        if isinstance(command, Command):
            command.run(context)
