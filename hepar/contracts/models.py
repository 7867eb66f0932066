"""Which models there are, what they say of themselves, and which answer now."""

from pydantic import Field

from hepar.contracts.base import RESEARCH_USE_NOTICE, Document
from hepar.contracts.cards import ModelCard, Versions


class ServedModel(Document):
    """One model of the ensemble."""

    card: ModelCard = Field(description="what the model says of itself")
    serving: bool = Field(description="does it answer now?")
    versions: Versions | None = Field(default=None, description="which of its versions answer; null: the newest")


class ModelList(Document):
    """Classifiers, detectors and the input check."""

    models: list[ServedModel] = Field(description="in name order")
    missing: list[str] = Field(
        default=[], description="parts of the system that could not be asked: `classification`, `detection`"
    )
    notice: str = Field(default=RESEARCH_USE_NOTICE, description="show it wherever a result is shown")
