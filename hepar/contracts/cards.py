"""The model card: what a model in triton_models/ says of itself."""

import datetime
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from hepar.contracts.base import Document


class Metric(Document):
    """One figure on held-out patients with its 95 % confidence interval."""

    value: float = Field(description="on all of them")
    low: float = Field(description="lower end of the 95 % interval")
    high: float = Field(description="upper end of the 95 % interval")


Share = Annotated[float, Field(ge=0, le=1)]


class ConfusionMatrix(Document):
    """How often which label was said of which."""

    rows: list[str] = Field(min_length=1, description="what is true")
    columns: list[str] = Field(min_length=1, description="what was said")
    counts: list[list[Annotated[int, Field(ge=0)]]] = Field(description="by row and column; images, or lesions")

    @model_validator(mode="after")
    def _rectangular(self) -> Self:
        if len(self.counts) != len(self.rows) or any(len(row) != len(self.columns) for row in self.counts):
            raise ValueError(f"counts are not {len(self.rows)} rows of {len(self.columns)}")
        return self


class Curve(Document):
    """Points of a line, in order."""

    x: list[Annotated[float, Field(ge=0)]] = Field(description="along the first axis that is named")
    y: list[Share] = Field(description="along the second, as many")

    @model_validator(mode="after")
    def _paired(self) -> Self:
        if len(self.x) != len(self.y):
            raise ValueError(f"{len(self.x)} values of x, but {len(self.y)} of y")
        return self


class ReliabilityBin(Document):
    """One bar of a reliability diagram (DeGroot and Fienberg, The Statistician 32, 1983)."""

    confidence: Share = Field(description="mean probability of the label that was said")
    accuracy: Share = Field(description="share of them that were right")
    images: int = Field(ge=1, description="how many")


class Curves(Document):
    """What a model's graphs are drawn from, on the held-out patients of its figures. A curve has 40 points at most."""

    confusion: ConfusionMatrix = Field(
        description="classifiers: of the likeliest label; detectors: at the decision threshold and an overlap of 0.5"
    )
    roc: dict[str, Curve] = Field(
        default_factory=dict, description="classifiers, by label: false and true positive rate, label against the rest"
    )
    reliability: list[ReliabilityBin] = Field(
        default_factory=list, description="classifiers, by tenths of the confidence that have images"
    )
    froc: Curve | None = Field(
        default=None, description="detectors: false positives an image and sensitivity, by falling threshold"
    )
    precision_recall: Curve | None = Field(
        default=None, description="detectors: recall and precision at an overlap of 0.5"
    )


class InputSize(Document):
    height: int = Field(gt=0, description="pixels")
    width: int = Field(gt=0, description="pixels")


class Window(Document):
    """The grey levels 0..255 of the model's input span this range, in Hounsfield units."""

    low_hu: float = Field(description="Hounsfield units shown black")
    high_hu: float = Field(description="Hounsfield units shown white")


Task = Literal["classification", "detection", "input_check"]
VotingMethod = Literal["soft_vote", "weighted_vote", "majority_vote"]
FusionMethod = Literal["weighted_box_fusion", "non_maximum_suppression", "soft_non_maximum_suppression"]

_METHODS: dict[Task, tuple[str, ...]] = {
    "classification": get_args(VotingMethod),
    "detection": get_args(FusionMethod),
    "input_check": (),
}


class Ensemble(Document):
    """One way for the models of a task to decide together, fitted on validation data."""

    method: VotingMethod | FusionMethod = Field(description="its name")
    members: dict[str, float] = Field(min_length=1, description="weight by model name")
    temperature: float = Field(default=1.0, gt=0, description="classifiers: of the ensemble's own probabilities")
    decision_threshold: float = Field(ge=0, le=1, description="as a model's own, for the ensemble's answer")
    overlap: float | None = Field(
        default=None, gt=0, description="detectors: intersection over union from which boxes are one; Soft-NMS: sigma"
    )
    member_threshold: float = Field(
        default=0.0, ge=0, le=1, description="detectors: lowest score of a member's box that joins the fusion"
    )
    metrics: dict[str, Metric] = Field(description="on held-out patients, by name")
    curves: Curves | None = Field(default=None, description="null where it was not measured")


VersionNumber = Annotated[str, Field(pattern="^[1-9][0-9]*$")]


class Versions(Document):
    """`versions.json` beside a card: which versions of the model answer. Without it the newest one does."""

    serving: dict[VersionNumber, Annotated[float, Field(gt=0)]] = Field(
        min_length=1, description="by version, how often it is asked, relative to the others"
    )
    shadow: list[VersionNumber] = Field(
        default_factory=list, description="asked beside and measured; nobody is given their answers"
    )

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if both := set(self.serving) & set(self.shadow):
            raise ValueError(f"version {', '.join(sorted(both))} cannot serve and be a shadow")
        return self


class Distribution(Document):
    """Of one signal over the held-out images, by bins: what later images are compared with."""

    edges: list[float] = Field(min_length=1, description="between the bins, ascending; a value on an edge is above it")
    shares: list[Share] = Field(description="of each bin, one more than edges; together 1")

    @model_validator(mode="after")
    def _one_bin_more(self) -> Self:
        if len(self.shares) != len(self.edges) + 1 or self.edges != sorted(self.edges):
            raise ValueError(f"{len(self.edges)} ascending edges need {len(self.edges) + 1} shares")
        return self


class Ensembles(Document):
    """Every way, and the one that serves where the caller asks for none. The same in the card of every member."""

    default: VotingMethod | FusionMethod = Field(description="the one that serves where the caller asks for none")
    ways: dict[VotingMethod | FusionMethod, Ensemble] = Field(description="by method")
    reference: dict[str, Distribution] = Field(
        default_factory=dict,
        description="of the default way's answers and of the images, by signal: see docs/operations",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.default not in self.ways:
            raise ValueError(f"there is no way {self.default}")
        if any(way.method != method for method, way in self.ways.items()):
            raise ValueError("a way stands under another method's name")
        if len({frozenset(way.members) for way in self.ways.values()}) != 1:
            raise ValueError("the ways have different members")
        return self

    @property
    def members(self) -> set[str]:
        return set(self.ways[self.default].members)


class ModelCard(Document):
    """`card.json` beside a model's `config.pbtxt`."""

    name: str = Field(description="the model's name")
    task: Task = Field(description="what it does")
    architecture: str = Field(description="in words")
    size: Literal["compact", "full"] = Field(description="`compact` for two CPU cores, `full` for a GPU")
    labels: list[str] = Field(min_length=1, description="in the order of the model's outputs")
    input: InputSize
    window: Window
    temperature: float = Field(gt=0, description="logits are divided by it before the softmax; 1 for detectors")
    decision_threshold: float = Field(
        ge=0,
        le=1,
        description="classifiers: below this probability the answer is indeterminate; "
        "detectors: boxes below this score are left out; "
        "an input check: below this typicality an image is out of scope",
    )
    metrics: dict[str, Metric] = Field(description="on held-out patients, by name")
    curves: Curves | None = Field(default=None, description="null where they were not measured, or mean nothing")
    ensemble: Ensembles | None = Field(
        default=None, description="how it decides together with others; null where it was not fitted"
    )
    training_data: str = Field(description="what it learnt from, with licences")
    training_minutes: float | None = Field(default=None, ge=0, description="of all its epochs, on the machine it had")
    data_sha256: str = Field(description="fingerprint of that data")
    code_sha256: str = Field(description="fingerprint of the training code")
    licence: str = Field(description="of the weights, as an SPDX identifier")
    date: datetime.date = Field(description="when it was exported")
    limits: list[str] = Field(description="what the model must not be used for, and what is known to be weak")

    @model_validator(mode="after")
    def _of_its_task(self) -> Self:
        methods = _METHODS[self.task]
        if self.ensemble is not None and not set(self.ensemble.ways) <= set(methods):
            raise ValueError(f"an ensemble for {self.task} decides by {', '.join(methods) or 'nothing'}")
        return self
