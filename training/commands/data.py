"""Commands that collect and prepare data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from hepar.imaging.ct_image import Window
from training.commands.context import Command, Context
from training.datasets.records import ReadOptions
from training.prepared.dataset import CLASS_LABELS
from training.prepared.synthesis import prepare
from training.sources import choose_source


def parse_fold(text: str) -> tuple[int, int]:
    """Parses I/K, the I-th of K folds. Raises ValueError."""
    number, separator, count = text.partition("/")
    if not (separator and number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise ValueError(f"{text!r} is not I/K, the I-th of K folds")
    return int(number), int(count)


def _fold(text: str) -> str:
    parse_fold(text)
    return text


class Explore(Command):
    """Join datasets into one collection and write a report on it."""

    source: list[str] = Field(description="KIND=FOLDER of a dataset; may be repeated")
    every_nth: int = Field(default=5, ge=1, description="keep every n-th slice without a lesion")
    phase: str | None = Field(default=None, description="contrast phase; the portal-venous one by default")
    split: Path | None = Field(default=None, description="split file to check: leakage between its parts is an error")

    def run(self, context: Context) -> None:
        from training.datasets.collection import Source, collect
        from training.datasets.report import find_duplicates, write_report
        from training.datasets.splitting import find_leaks, read_split, require_no_leakage

        configuration, out = context.run.configuration, context.collection
        sources = [Source.parse(text) for text in self.source]
        window = Window(configuration.data.window_low_hu, configuration.data.window_high_hu)
        options = ReadOptions(window, self.every_nth, self.phase)
        records, faults = collect(sources, options, configuration.label_map, out, print)
        for fault in faults:
            print(f"  {fault.source}: {fault.origin}: {fault.reason}")
        if self.split is None:
            print(write_report(records, faults, out))
            return
        labelled = [record for record in records if record.label in CLASS_LABELS]
        split, duplicates = read_split(self.split, labelled), find_duplicates(labelled, out)
        print(write_report(records, faults, out, split, find_leaks(labelled, split, duplicates)))
        require_no_leakage(labelled, split, duplicates)


class Prepare(Command):
    """Split the data by patient; without a collection, also synthesise lesions."""

    data: Path | None = Field(default=None, description="the folder msd-liver-slices; phantoms only without it")
    collection: bool = Field(default=False, description="use what `explore` collected, with its own labels")
    split: Path | None = Field(default=None, description="file that maps each patient to train, validation or test")
    fold: Annotated[str, AfterValidator(_fold)] | None = Field(
        default=None, description="I/K: the I-th of K cross-validation folds, grouped by patient"
    )
    leave_out: str | None = Field(default=None, description="dataset of the collection that is the whole test part")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if sum(option is not None for option in (self.split, self.fold, self.leave_out)) > 1:
            raise ValueError("--split, --fold and --leave-out exclude each other")
        if not self.collection and (self.split or self.leave_out):
            raise ValueError("--split and --leave-out need --collection")
        return self

    def run(self, context: Context) -> None:
        run, fold = context.run, None if self.fold is None else parse_fold(self.fold)
        if self.collection:
            count = self._prepare_collection(context, fold)
        else:
            data = run.configuration.data
            count = prepare(choose_source(self.data, data), data, run.data, fold=fold)
        print(f"{count} images in {run.data}")

    def _prepare_collection(self, context: Context, fold: tuple[int, int] | None) -> int:
        from training.datasets.preparation import SplitChoice, prepare_collection

        context.require_collection()
        choice = SplitChoice(self.split, fold, self.leave_out)
        data = context.run.configuration.data
        count, unused = prepare_collection(context.collection, data, context.run.data, choice)
        for item in unused:
            print(f"  not used: {item.path}: {item.reason}")
        return count
