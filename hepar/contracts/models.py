"""The list of models: their cards, versions and availability."""

from typing import Literal

from pydantic import Field

from .base import RESEARCH_USE_NOTICE, Document, example_of, with_example
from .cards import ModelCard, Versions


class ServedModel(Document):
    """One model of the ensemble."""

    model_config = with_example({"card": example_of(ModelCard), "serving": True})

    card: ModelCard = Field(description="the model card")
    serving: bool = Field(description="whether it answers now")
    versions: Versions | None = Field(default=None, description="which of its versions answer; null: only the newest")


class ModelList(Document):
    """Classifiers, detectors and the input check."""

    model_config = with_example(
        {"models": [example_of(ServedModel)], "missing_tasks": [], "notice": RESEARCH_USE_NOTICE}
    )

    models: list[ServedModel] = Field(description="sorted by name")
    missing_tasks: list[Literal["classification", "detection"]] = Field(
        default=[], description="tasks whose models are not listed because their service did not answer"
    )
    notice: str = Field(default=RESEARCH_USE_NOTICE, description="show it wherever a result is shown")
