"""The command that runs the teacher of the classifiers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from training.commands.context import Command, Context, MissingPrerequisite, formatted

if TYPE_CHECKING:
    from pathlib import Path

    from training.teacher.teach import Teacher


class Teach(Command):
    """Run the configured teacher on the training images, for the training of the classifiers."""

    def run(self, context: Context) -> None:
        from training.evaluation.gate_fitting import liver_masks
        from training.evaluation.shipped_models import segmenter_of
        from training.teacher.lessons import write_lessons
        from training.teacher.teach import teach

        context.require_data()
        configuration, data = context.run.configuration, context.run.data
        if configuration.classifier.teacher is None:
            raise MissingPrerequisite(f"the configuration {context.configuration} has no [classifier.teacher]")
        segmenter = segmenter_of(context.repository)
        find_livers = None if segmenter is None else partial(liver_masks, segmenter)
        teacher = teach(configuration, data, find_livers, context.run.folder / "teacher")
        print(write_lessons(teacher.lessons, context.run.folder))
        _print_validation(teacher, data)


def _print_validation(teacher: Teacher, data: Path) -> None:
    """The metrics of the teacher on the validation patients, which chose its regularisation."""
    from hepar.ensemble.voting import Thresholds
    from training.metrics.classification import classification_metrics
    from training.prepared.dataset import label_indices, largest_lesion_sizes, read_manifest

    examples = read_manifest(data, "validation")
    patients, sizes = [example.patient for example in examples], largest_lesion_sizes(examples)
    labels, everything = label_indices(examples), Thresholds(0, 0)
    print(f"the teacher on validation patients, regularisation {teacher.regularisation:g}")
    for name, metric in classification_metrics(teacher.validation, labels, patients, everything, sizes).items():
        print(f"  {name:<28} {formatted(metric)}")


def run_teacher_if_needed(context: Context) -> None:
    """Runs the teacher in a process of its own, since torch and TensorFlow conflict, if its file is missing."""
    from training.teacher.lessons import FILE

    if context.run.configuration.classifier.teacher is None or (context.run.folder / FILE).is_file():
        return
    if not context.run_in_new_process("teach"):
        raise MissingPrerequisite("the teacher failed; the same command continues there")
