"""The command line of `python -m training`."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, CliSubCommand, PydanticBaseSettingsSource, SettingsConfigDict

from training.commands.aims import MeasureLearningCurve, WriteAims
from training.commands.data import Explore, Prepare
from training.commands.ensembles import EvaluateVolumes, FitEnsembles, JudgeRealPatients, MeasureScale, WriteReport
from training.commands.models import Average, CrossValidate, Evaluate, Export, OptimiseGraphs, Train
from training.commands.pictures import MeasureRealism, WriteAugmentationSheet, WriteLesionSheet, WriteSamples
from training.commands.reduction import ReduceDetector
from training.commands.segmenter import SegmenterCommands
from training.commands.studies import EvaluateStudies
from training.commands.teacher import Teach
from training.commands.versions import Promote, RollBack
from training.commands.votes import CompareVotes


class CommandLine(BaseSettings):
    """Prepare data; train, export and evaluate networks; draw pictures of the training data."""

    model_config = SettingsConfigDict(
        cli_prog_name="python -m training",
        cli_kebab_case=True,
        cli_implicit_flags="toggle",
        cli_hide_none_type=True,
        cli_avoid_json=True,
        cli_enforce_required=True,
        frozen=True,
    )

    configuration: str = Field(default="compact", description="a name of training/configs, or a .toml file")
    folder: Path | None = Field(default=None, description="of the training run; var/training/<configuration> if unset")
    repository: Path = Field(default=Path("triton_models"), description="the model repository")
    explore: CliSubCommand[Explore] = Field(description=Explore.__doc__)
    prepare: CliSubCommand[Prepare] = Field(description=Prepare.__doc__)
    teach: CliSubCommand[Teach] = Field(description=Teach.__doc__)
    train: CliSubCommand[Train] = Field(description=Train.__doc__)
    average: CliSubCommand[Average] = Field(description=Average.__doc__)
    export: CliSubCommand[Export] = Field(description=Export.__doc__)
    evaluate: CliSubCommand[Evaluate] = Field(description=Evaluate.__doc__)
    cross_validate: CliSubCommand[CrossValidate] = Field(description=CrossValidate.__doc__)
    ensemble: CliSubCommand[FitEnsembles] = Field(description=FitEnsembles.__doc__)
    compare_votes: CliSubCommand[CompareVotes] = Field(description=CompareVotes.__doc__)
    optimise_graphs: CliSubCommand[OptimiseGraphs] = Field(description=OptimiseGraphs.__doc__)
    reduce: CliSubCommand[ReduceDetector] = Field(description=ReduceDetector.__doc__)
    report: CliSubCommand[WriteReport] = Field(description=WriteReport.__doc__)
    judge: CliSubCommand[JudgeRealPatients] = Field(description=JudgeRealPatients.__doc__)
    aims: CliSubCommand[WriteAims] = Field(description=WriteAims.__doc__)
    learning_curve: CliSubCommand[MeasureLearningCurve] = Field(description=MeasureLearningCurve.__doc__)
    scale: CliSubCommand[MeasureScale] = Field(description=MeasureScale.__doc__)
    promote: CliSubCommand[Promote] = Field(description=Promote.__doc__)
    rollback: CliSubCommand[RollBack] = Field(description=RollBack.__doc__)
    studies: CliSubCommand[EvaluateStudies] = Field(description=EvaluateStudies.__doc__)
    volumes: CliSubCommand[EvaluateVolumes] = Field(description=EvaluateVolumes.__doc__)
    realism: CliSubCommand[MeasureRealism] = Field(description=MeasureRealism.__doc__)
    lesion_sheet: CliSubCommand[WriteLesionSheet] = Field(description=WriteLesionSheet.__doc__)
    augmentation_sheet: CliSubCommand[WriteAugmentationSheet] = Field(description=WriteAugmentationSheet.__doc__)
    segmenter: CliSubCommand[SegmenterCommands] = Field(description=SegmenterCommands.__doc__)
    samples: CliSubCommand[WriteSamples] = Field(description=WriteSamples.__doc__)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The command line only: an environment variable named `folder` must not change where a run is stored."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)
