"""The model card: what a model in triton_models/ says of itself."""

from datetime import date
from typing import Literal

from pydantic import Field

from hepar.contracts.base import Document


class Metric(Document):
    """One figure on held-out patients with its 95 % confidence interval."""

    value: float
    low: float
    high: float


class InputSize(Document):
    height: int = Field(gt=0, description="pixels")
    width: int = Field(gt=0, description="pixels")


class Window(Document):
    """The grey levels 0..255 of the model's input span this range, in Hounsfield units."""

    low_hu: float
    high_hu: float


class ModelCard(Document):
    """`card.json` beside a model's `config.pbtxt`."""

    name: str
    task: Literal["classification", "detection"]
    architecture: str
    size: Literal["compact", "full"]
    labels: list[str] = Field(min_length=1, description="in the order of the model's outputs")
    input: InputSize
    window: Window
    temperature: float = Field(gt=0, description="logits are divided by it before the softmax; 1 for detectors")
    decision_threshold: float = Field(
        ge=0,
        le=1,
        description="classifiers: below this probability the answer is indeterminate; "
        "detectors: boxes below this score are left out",
    )
    metrics: dict[str, Metric]
    training_data: str
    data_sha256: str
    code_sha256: str
    licence: str
    date: date
    limits: list[str] = Field(description="what the model must not be used for, and what is known to be weak")
