"""The model card: `card.json` of a model in triton_models/."""

import datetime
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from .base import Document, with_example
from .figures import Curves, Metric, Share
from .views import FIELD_MM, View


class InputSize(Document):
    """Size of the image that a network takes, and the part of the patient that it shows."""

    height: int = Field(gt=0, description="pixels")
    width: int = Field(gt=0, description="pixels")
    field_mm: float = Field(
        default=FIELD_MM,
        ge=200,
        le=FIELD_MM,
        description="millimetres that fill the shorter side; more where the body is larger. Without a pixel spacing "
        f"the same share of the image as of {FIELD_MM:g} mm. Detectors alone may have less than {FIELD_MM:g} mm",
    )

    @property
    def view(self) -> View:
        return View(self.height, self.width, self.field_mm)


class Window(Document):
    """The range of Hounsfield units that the grey levels 0 to 255 of the model's input span."""

    low_hu: float = Field(description="Hounsfield units displayed as black")
    high_hu: float = Field(description="Hounsfield units displayed as white")


Task = Literal["classification", "detection", "input_check", "segmentation"]
VotingMethod = Literal["soft_vote", "weighted_vote", "majority_vote"]
FusionMethod = Literal["weighted_box_fusion", "non_maximum_suppression", "soft_non_maximum_suppression"]

_METHODS: dict[Task, tuple[str, ...]] = {
    "classification": get_args(VotingMethod),
    "detection": get_args(FusionMethod),
    "input_check": (),
    "segmentation": (),
}


class LiverGate(Document):
    """Detectors: which boxes are left out where the segmenter's mask of the liver is known."""

    minimum_share: Share = Field(description="boxes with less of their area inside the liver are left out")
    decision_threshold: Share = Field(
        description="takes the place of the ensemble's threshold for boxes inside the liver"
    )


class LiverPooling(Document):
    """Classifiers: how the logits come from the activation map where the segmenter's mask of the liver is known."""

    sharpness: float = Field(
        gt=0, description="the map of each label is pooled over the liver by a log-mean-exp of this sharpness"
    )
    weights: list[list[float]] = Field(
        min_length=1, description="the network's last layer: by label of the logits, then by label of the map"
    )
    bias: list[float] = Field(min_length=1, description="the same layer: by label of the logits")
    temperature: float = Field(gt=0, description="takes the place of the card's temperature")

    @model_validator(mode="after")
    def _square(self) -> Self:
        labels = len(self.bias)
        if len(self.weights) != labels or any(len(row) != labels for row in self.weights):
            raise ValueError(f"weights are not {labels} rows of {labels}")
        return self


class LiverVote(Document):
    """Classifiers: takes the place of an ensemble's values of the same names where all votes are from the liver."""

    temperature: float = Field(default=1.0, gt=0, description="as that of the ensemble")
    decision_threshold: Share = Field(description="as that of the ensemble")
    type_threshold: Share | None = Field(default=None, description="as that of the ensemble")


class Ensemble(Document):
    """A decision method for the models of one task, with its parameters fitted on validation data."""

    method: VotingMethod | FusionMethod = Field(description="name of the method")
    members: dict[str, float] = Field(min_length=1, description="weight by model name")
    temperature: float = Field(
        default=1.0, gt=0, description="classifiers: applied to the logarithm of the combined probabilities"
    )
    decision_threshold: float = Field(
        ge=0,
        le=1,
        description="classifiers: below this probability it is open whether there is a tumour; "
        "detectors: boxes below this score are left out",
    )
    type_threshold: Share | None = Field(
        default=None,
        description="classifiers: below this probability of the most probable type, given a tumour, the type is "
        "undecided; null: the decision threshold applies",
    )
    overlap: float | None = Field(
        default=None,
        gt=0,
        description="weighted box fusion and non-maximum suppression: two boxes with a higher intersection over union "
        "are the same lesion",
    )
    sigma: float | None = Field(
        default=None, gt=0, description="soft non-maximum suppression: width of the Gaussian penalty"
    )
    member_threshold: float = Field(
        default=0.0, ge=0, le=1, description="detectors: boxes of a member below this score are not fused"
    )
    liver_gate: LiverGate | None = Field(
        default=None, description="detectors: null where none was fitted; boxes are then marked, none is left out"
    )
    in_liver: LiverVote | None = Field(
        default=None, description="classifiers: null where no votes from the liver alone were fitted"
    )
    metrics: dict[str, Metric] = Field(description="on held-out patients, by name")
    curves: Curves | None = Field(default=None, description="null where they were not measured")

    @property
    def of_liver_votes(self) -> Self:
        """The ensemble with the values of `in_liver`; itself where there are none."""
        return self if self.in_liver is None else self.model_copy(update=dict(self.in_liver))

    @model_validator(mode="after")
    def _parameters_of_its_method(self) -> Self:
        if self.overlap is not None and self.method not in ("weighted_box_fusion", "non_maximum_suppression"):
            raise ValueError(f"{self.method} has no parameter `overlap`")
        if self.sigma is not None and self.method != "soft_non_maximum_suppression":
            raise ValueError(f"{self.method} has no parameter `sigma`")
        return self


VersionNumber = Annotated[str, Field(pattern="^[1-9][0-9]*$")]


class Versions(Document):
    """`versions.json` in a model's folder: which versions answer. Without it, the newest does."""

    serving: dict[VersionNumber, Annotated[float, Field(gt=0)]] = Field(
        min_length=1, description="by version: its share of the requests, relative to the others"
    )
    shadow: list[VersionNumber] = Field(
        default_factory=list,
        description="versions that get a copy of each request; their results are measured and not returned",
    )

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if both := set(self.serving) & set(self.shadow):
            raise ValueError(f"version {', '.join(sorted(both))} cannot serve and be a shadow")
        return self


class Distribution(Document):
    """Histogram of one signal over the held-out images: the reference for input drift."""

    edges: list[float] = Field(
        min_length=1, description="edges between the bins, ascending; a value on an edge belongs to the bin above"
    )
    shares: list[Share] = Field(description="share of each bin, one more than there are edges; they sum to 1")

    @model_validator(mode="after")
    def _one_bin_more(self) -> Self:
        if len(self.shares) != len(self.edges) + 1 or self.edges != sorted(self.edges):
            raise ValueError(f"{len(self.edges)} ascending edges need {len(self.edges) + 1} shares")
        return self


class Ensembles(Document):
    """All decision methods of an ensemble. The cards of all its members hold the same."""

    default: VotingMethod | FusionMethod = Field(description="the method used where the caller does not choose one")
    methods: dict[VotingMethod | FusionMethod, Ensemble] = Field(description="by method")
    reference: dict[str, Distribution] = Field(
        default_factory=dict,
        description="by signal: distribution over the held-out images, for the default method; see docs/operations",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.default not in self.methods:
            raise ValueError(f"the default method {self.default} is not among the methods")
        if any(ensemble.method != method for method, ensemble in self.methods.items()):
            raise ValueError("a method is listed under another method's name")
        if len({frozenset(ensemble.members) for ensemble in self.methods.values()}) != 1:
            raise ValueError("the methods have different members")
        return self

    @property
    def members(self) -> set[str]:
        """Names of the models that decide together."""
        return set(self.methods[self.default].members)


class ModelCard(Document):
    """`card.json`, in the same folder as a model's `config.pbtxt`."""

    model_config = with_example(
        {
            "name": "classify_resnet",
            "task": "classification",
            "architecture": "ResNet",
            "size": "compact",
            "labels": ["cholangiocarcinoma", "metastasis", "no_tumour"],
            "input": {"height": 256, "width": 256},
            "window": {"low_hu": 0, "high_hu": 250},
            "temperature": 1.1,
            "decision_threshold": 0.5,
            "metrics": {"accuracy": {"value": 0.5, "low": 0.4, "high": 0.6}},
            "training_data": "an example, not a real model card",
            "data_sha256": "0" * 64,
            "code_sha256": "0" * 64,
            "licence": "AGPL-3.0-or-later",
            "date": "2026-11-25",
            "limits": ["Research software, not a medical device: not for diagnosis or treatment decisions."],
        }
    )

    name: str = Field(description="the model's name")
    task: Task = Field(description="what the model does")
    architecture: str = Field(description="name of the network architecture")
    size: Literal["compact", "full"] = Field(description="`compact` for two CPU cores, `full` for a GPU")
    labels: list[str] = Field(min_length=1, description="in the order of the model's outputs")
    input: InputSize
    window: Window
    temperature: float = Field(gt=0, description="logits are divided by it before the softmax; 1 for detectors")
    decision_threshold: float = Field(
        ge=0,
        le=1,
        description="classifiers: below this probability the outcome is indeterminate; "
        "detectors: boxes below this score are left out; "
        "an input check: below this typicality an image is out of scope",
    )
    liver_pooling: LiverPooling | None = Field(
        default=None, description="classifiers: null where the logits always are those of the whole image"
    )
    metrics: dict[str, Metric] = Field(description="on held-out patients, by name")
    curves: Curves | None = Field(default=None, description="null where they were not measured or do not apply")
    ensemble: Ensembles | None = Field(
        default=None, description="decision methods together with other models; null where none was fitted"
    )
    training_data: str = Field(description="the training data and its licences")
    training_minutes: float | None = Field(
        default=None, ge=0, description="training time in minutes, on the machine used"
    )
    data_sha256: str = Field(description="SHA-256 over the training data")
    evaluation_sha256: str | None = Field(
        default=None, description="SHA-256 over the data of the metrics; null where it is the training data"
    )
    code_sha256: str = Field(description="SHA-256 over the training code")
    licence: str = Field(description="licence of the weights, as an SPDX identifier")
    date: datetime.date = Field(description="date of the export")
    limits: list[str] = Field(description="uses that are excluded, and known weaknesses")

    @property
    def measured_on_sha256(self) -> str:
        """SHA-256 over the prepared data whose held-out patients the metrics are of."""
        return self.evaluation_sha256 or self.data_sha256

    @model_validator(mode="after")
    def _methods_of_its_task(self) -> Self:
        methods = _METHODS[self.task]
        if self.ensemble is not None and not set(self.ensemble.methods) <= set(methods):
            raise ValueError(f"methods of an ensemble for {self.task}: {', '.join(methods) or 'none'}")
        if self.input.field_mm != FIELD_MM and self.task != "detection":
            raise ValueError(f"only detectors may see another field than {FIELD_MM:g} mm")
        if self.liver_pooling is not None and len(self.liver_pooling.bias) != len(self.labels):
            raise ValueError(f"the pooling in the liver is not for {len(self.labels)} labels")
        return self
