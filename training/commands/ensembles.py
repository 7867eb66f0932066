"""Commands for the shipped models together: fitting ensembles, the report, and whole volumes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field

from training.commands.context import Command, Context, formatted
from training.versions import write_card


class FitEnsembles(Command):
    """Fit the ensembles of the shipped models, and write them to their cards."""

    pages: Path = Field(default=Path("docs/model-cards"), description="folder of the model cards for people")
    keep_fusions: bool = Field(
        default=False, description="measure the fusions and gates on the cards instead of fitting new ones"
    )

    def run(self, context: Context) -> None:
        from training.evaluation.ensembles import fit_ensembles
        from training.evaluation.shipped_models import segmenter_of
        from training.export.model_card import write_model_card

        models = context.require_models_of_this_data()
        fitted_for = fit_ensembles(
            models, context.run.data, segmenter_of(context.repository), keep_fusions=self.keep_fusions
        )
        for item in fitted_for.models:
            curves = fitted_for.curves.get(item.card.name)
            update = {"ensemble": fitted_for.ensembles.get(item.card.task), "curves": curves}
            card = item.card.model_copy(update=update)
            write_card(context.repository / card.name, card)
            print(write_model_card(card, item.model, self.pages))
        for task, fitted in fitted_for.ensembles.items():
            for method, ensemble in fitted.methods.items():
                members = ", ".join(f"{name} {weight:g}" for name, weight in ensemble.members.items())
                print(f"{task}: {method}{' (default)' if method == fitted.default else ''} of {members}")
                for name, metric in ensemble.metrics.items():
                    print(f"  {name:<28} {formatted(metric)}")


class WriteReport(Command):
    """Compare every shipped model with every ensemble, with graphs."""

    out: Path | None = Field(default=None, description="output folder; report/ in the run's folder by default")

    def run(self, context: Context) -> None:
        from training.evaluation.comparison import compare
        from training.evaluation.report import write_report
        from training.evaluation.shipped_models import segmenter_of

        models = context.require_models_of_this_data()
        report = compare(models, context.run.data, segmenter_of(context.repository))
        print(write_report(report, self.out or context.run.folder / "report"))


class EvaluateVolumes(Command):
    """Evaluate the shipped ensembles on whole volumes, slice by slice."""

    volume: list[str] = Field(
        description="IMAGE or IMAGE=LABELS: a DICOM folder or a NIfTI file, and a NIfTI file; may be repeated"
    )
    out: Path | None = Field(default=None, description="JSON file for the results")

    def run(self, context: Context) -> None:
        from training.evaluation.shipped_models import segmenter_of
        from training.evaluation.volumes import evaluate_volume

        models = context.require_models()
        rows = []
        for text in self.volume:
            image, _, labels = text.partition("=")
            evaluation = evaluate_volume(
                models, Path(image), Path(labels) if labels else None, segmenter_of(context.repository)
            )
            print(evaluation.sentence(), flush=True)
            rows.append(evaluation.plain())
        if self.out:
            self.out.parent.mkdir(parents=True, exist_ok=True)
            self.out.write_text(json.dumps(rows, indent=1) + "\n")


class MeasureScale(Command):
    """Measure the shipped models on files with other fields of view: with and without the training scale."""

    every_nth: int = Field(default=1, ge=1, description="of the validation images")

    def run(self, context: Context) -> None:
        from training.evaluation.physical_scale import HEADER, Repository, organ_widths_mm, scale_rows

        context.require_data()
        low, median, high = np.percentile(organ_widths_mm(context.run.data), (5, 50, 95))
        print(f"width of the organs in training images: median {median:.0f} mm, 5 % {low:.0f} mm, 95 % {high:.0f} mm")
        print(HEADER)
        for row in scale_rows(Repository.read(context.repository), context.run.data, self.every_nth):
            print(row.line(), flush=True)


class JudgeRealPatients(Command):
    """Measure the shipped models on real patients, compared with the models of another repository."""

    run_name: ClassVar[str | None] = "segmenter"
    previous: Path | None = Field(default=None, description="repository of the models that were shipped before")
    series: list[Path] = Field(default=[], description="DICOM folder of one more patient; may be repeated")
    out: Path = Field(default=Path("docs/evaluation/real.md"), description="Markdown file for the page")

    def run(self, context: Context) -> None:
        from training.evaluation.judged_slices import judge, real_slices, window_of
        from training.evaluation.real_page import write_page
        from training.evaluation.shipped_models import segmenter_of

        context.require_data()
        segmenter = context.require_segmenter()
        slices = real_slices(context.run.data, self.series, window_of(context.repository))
        judged = [judge("shipped", context.repository, segmenter, slices)]
        if self.previous is not None:
            judged.append(judge("before", self.previous, segmenter_of(self.previous) or segmenter, slices))
        print(write_page(slices, judged, self.out))
