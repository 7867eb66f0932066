"""The command that compares votes on validation patients."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from training.commands.context import Command, Context
from training.networks import NETWORKS


class CompareVotes(Command):
    """Compare the shipped classifiers with those of the run on validation patients, before anything is shipped."""

    evaluation: Path = Field(description="prepared data with the same split: that of the shipped models")
    real: Path = Field(description="data of `segmenter prepare`, for real slices of validation patients")

    def run(self, context: Context) -> None:
        from training.classifier.fit import BEST_WEIGHTS
        from training.evaluation.judged_slices import real_slices, window_of
        from training.evaluation.shipped_models import models_of_task, shipped_models
        from training.evaluation.validation_votes import (
            VOTE_COLUMNS,
            choices,
            member,
            perturbed_images,
            scores,
            validation_images,
        )
        from training.prepared.dataset import require_same_split

        context.require_data()
        require_same_split(context.run.data, self.evaluation)
        segmenter = context.require_segmenter()
        slices = real_slices(self.real, (), window_of(context.repository))
        known = validation_images(self.evaluation, slices, segmenter)
        perturbed = perturbed_images(known, segmenter)
        shipped = {
            item.card.name: member(item.model, known, perturbed)
            for item in models_of_task(shipped_models(context.repository), "classification")
        }
        trained = {
            name: member(NETWORKS[name].graph(context.run).SerializeToString(), known, perturbed)
            for name in shipped
            if (context.run.network_folder(name) / BEST_WEIGHTS).is_file()
        }
        votes = {"shipped: vote": shipped, "with those of the run: vote": shipped | trained}
        for name, new in trained.items():
            votes |= {f"shipped: {name}": {name: shipped[name]}, f"of the run: {name}": {name: new}}
        votes |= choices(shipped, trained)
        print(f"| networks | {' | '.join(VOTE_COLUMNS)} |")
        print(f"|{'---|' * (len(VOTE_COLUMNS) + 1)}")
        for row, members in votes.items():
            print(f"| {row} | {' | '.join(f'{value:.3f}' for value in scores(members, known))} |")
