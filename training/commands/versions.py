"""Commands that change which version of a model serves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_settings import CliPositionalArg

from training.commands.context import Command, Context
from training.promotion import add_better_version, roll_back, serve_version, shadow_version
from training.versions import existing_versions

ModelFolder = Annotated[str, Field(description="folder of the model in the repository")]
VersionNumber = Annotated[str, Field(pattern="^[1-9][0-9]*$", description="version number: 1, 2, ...")]


class Promote(Command):
    """Serve a version; a new one must beat the served version first."""

    model: CliPositionalArg[ModelFolder]
    version: CliPositionalArg[VersionNumber]
    candidate: Path | None = Field(default=None, description="exported folder of a version that does not exist yet")
    weight: float = Field(default=1.0, gt=0, le=1, description="share of the requests, for a canary release")
    shadow: bool = Field(default=False, description="send it a copy of the requests and discard its answers")

    @model_validator(mode="after")
    def _one_kind_of_traffic(self) -> Self:
        if self.shadow and "weight" in self.model_fields_set:
            raise ValueError("--weight and --shadow exclude each other")
        return self

    def run(self, context: Context) -> None:
        folder = context.repository / self.model
        if self.candidate is not None and self.version not in existing_versions(folder):
            print(add_better_version(folder, self.version, self.candidate, context.run.data), flush=True)
        if self.shadow:
            versions = shadow_version(folder, self.version)
        else:
            versions = serve_version(folder, self.version, self.weight)
        print(f"{folder}: {versions.model_dump_json()}; the services use it once Triton has loaded it")


class RollBack(Command):
    """Serve one existing version only, within seconds."""

    model: CliPositionalArg[ModelFolder]
    version: CliPositionalArg[VersionNumber]

    def run(self, context: Context) -> None:
        folder = context.repository / self.model
        roll_back(folder, self.version)
        print(f"{folder}: version {self.version} serves all requests; the services use it within two seconds")
