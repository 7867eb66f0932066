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


VotingMethod = Literal["soft_vote", "weighted_vote", "majority_vote"]
FusionMethod = Literal["weighted_box_fusion", "non_maximum_suppression", "soft_non_maximum_suppression"]


class Ensemble(Document):
    """How the models of one task decide together, fitted on validation data. The same in the card of every member."""

    method: VotingMethod | FusionMethod
    members: dict[str, float] = Field(min_length=1, description="weight by model name; equal but for `weighted_vote`")
    temperature: float = Field(default=1.0, gt=0, description="classifiers: of the ensemble's own probabilities")
    decision_threshold: float = Field(ge=0, le=1, description="as a model's own, for the ensemble's answer")
    overlap: float | None = Field(
        default=None, gt=0, description="detectors: intersection over union from which boxes are one; Soft-NMS: sigma"
    )
    member_threshold: float = Field(
        default=0.0, ge=0, le=1, description="detectors: lowest score of a member's box that joins the fusion"
    )
    metrics: dict[str, Metric]


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
    ensemble: Ensemble | None = None
    training_data: str
    training_minutes: float | None = Field(default=None, ge=0, description="of all its epochs, on the machine it had")
    data_sha256: str
    code_sha256: str
    licence: str
    date: date
    limits: list[str] = Field(description="what the model must not be used for, and what is known to be weak")
