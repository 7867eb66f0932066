"""What was measured when a model was evaluated: figures with their uncertainty, and curves."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from .base import Document


class Metric(Document):
    """One figure on held-out patients with its 95 % confidence interval."""

    value: float = Field(description="measured on all held-out patients")
    low: float = Field(description="lower end of the 95 % interval")
    high: float = Field(description="upper end of the 95 % interval")


Share = Annotated[float, Field(ge=0, le=1)]


class ConfusionMatrix(Document):
    """Counts of predicted labels by true label."""

    rows: list[str] = Field(min_length=1, description="true labels")
    columns: list[str] = Field(min_length=1, description="predicted labels")
    counts: list[list[Annotated[int, Field(ge=0)]]] = Field(
        description="by row and column: number of images, or of lesions"
    )

    @model_validator(mode="after")
    def _rectangular(self) -> Self:
        if len(self.counts) != len(self.rows) or any(len(row) != len(self.columns) for row in self.counts):
            raise ValueError(f"counts are not {len(self.rows)} rows of {len(self.columns)}")
        return self


class Curve(Document):
    """Points of a curve, in order."""

    x: list[Annotated[float, Field(ge=0)]] = Field(
        description="values on the first axis named in the field that holds the curve"
    )
    y: list[Share] = Field(description="values on the second axis, one for each x")

    @model_validator(mode="after")
    def _paired(self) -> Self:
        if len(self.x) != len(self.y):
            raise ValueError(f"{len(self.x)} values of x, but {len(self.y)} of y")
        return self


class ReliabilityBin(Document):
    """One bar of a reliability diagram (DeGroot and Fienberg, The Statistician 32, 1983)."""

    confidence: Share = Field(description="mean probability of the predicted label")
    accuracy: Share = Field(description="share of the predictions that were correct")
    images: int = Field(ge=1, description="number of images")


class Curves(Document):
    """Data of a model's graphs, measured on the held-out patients. A curve has at most 40 points."""

    confusion: ConfusionMatrix = Field(
        description="classifiers: of the most probable label; detectors: at the decision threshold, overlap 0.5"
    )
    roc: dict[str, Curve] = Field(
        default_factory=dict,
        description="classifiers, by label: false and true positive rate, one label against the others",
    )
    reliability: list[ReliabilityBin] = Field(
        default_factory=list, description="classifiers, by tenths of the confidence; bins without images are left out"
    )
    froc: Curve | None = Field(
        default=None, description="detectors: false positives per image and sensitivity, by decreasing threshold"
    )
    precision_recall: Curve | None = Field(
        default=None, description="detectors: recall and precision at an overlap of 0.5"
    )
