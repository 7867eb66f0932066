"""Commands that show what the networks are trained on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from training.commands.context import Command, Context
from training.pictures.lesion_sheet import lesion_sheet
from training.pictures.sample_study import write_sample_study
from training.pictures.samples import write_samples
from training.sources import LiverSlice, msd_liver_slices

if TYPE_CHECKING:
    from training.configuration import DataConfiguration


class WriteSamples(Command):
    """Write the sample images and the sample study: phantoms with lesions."""

    out: Path = Field(default=Path("samples"), description="output folder")

    def run(self, context: Context) -> None:
        for path in [*write_samples(context.run.configuration.data, self.out), *write_sample_study(self.out)]:
            print(path)


class WriteLesionSheet(Command):
    """Draw a contact sheet of synthesised lesions."""

    data: Path | None = Field(
        default=None, description="the folder msd-liver-slices, for real livers; phantoms only if it does not exist"
    )
    out: Path = Field(default=Path("var/lesion-sheet.png"), description="output file")

    def run(self, context: Context) -> None:
        folder = self.data if self.data is not None and self.data.is_dir() else None
        print(lesion_sheet(context.run.configuration.data, folder, self.out))


class WriteAugmentationSheet(Command):
    """Draw a contact sheet of every augmentation."""

    out: Path = Field(default=Path("var/augmentation-sheet.png"), description="output file")

    def run(self, context: Context) -> None:
        from training.pictures.augmentation_sheet import augmentation_sheet

        print(augmentation_sheet(context.run.configuration, self.out))


class MeasureRealism(Command):
    """Compare synthesised lesions with the reviewed real ones."""

    data: Path = Field(description="the folder msd-liver-slices")
    tables: Path | None = Field(default=None, description="the folder mct-ltdiag, to compare sizes and shapes by type")

    def run(self, context: Context) -> None:
        from training.evaluation import realism

        data = context.run.configuration.data
        slices = list(msd_liver_slices(self.data, data))
        healthy = [item for item in slices if item.tumour_free]
        comparison = realism.compare(
            realism.real_specimens(slices, data),
            realism.synthesised_specimens(healthy[::2], data),
        )
        print(f"{comparison.real} real lesions, {comparison.synthesised} synthesised ones of similar size; quartiles")
        for name, (real, synthesised) in comparison.table.items():
            print(f"  {name:<16} real {_quartiles(real)}   synthesised {_quartiles(synthesised)}")
        print(f"area under the curve of a classifier that distinguishes them: {comparison.auc:.3f}")
        if self.tables is not None:
            _print_traits(self.tables, healthy, data)


def _print_traits(tables: Path, healthy: list[LiverSlice], data: DataConfiguration) -> None:
    from training.evaluation.realism import published_traits, synthesised_traits

    published, synthesised = published_traits(tables), synthesised_traits(healthy, data)
    print("by type: largest diameter in mm at 10, 25, 50, 75, 90 %; lesions per patient (MCT-LTDiag) or per slice")
    for label in published:
        for source, traits in (("MCT-LTDiag", published[label]), ("synthesised", synthesised[label])):
            diameters = " ".join(f"{value:4.0f}" for value in traits.diameters_mm)
            print(
                f"  {label:<18} {source:<11} {diameters}  lesions {traits.lesions:.1f}  "
                f"rim {traits.rim:4.0%}  lobulated {traits.lobulated:4.0%}"
            )


def _quartiles(values: Iterable[float]) -> str:
    return " ".join(f"{value:7.1f}" for value in values)
