"""One TOML file says everything a training run may vary; both sizes of every network are such files."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

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
    phantoms: int = Field(ge=0, le=1000, description="phantoms beside real slices, for training only")
    validation_share: Share
    test_share: Share


class ClassifierConfiguration(_Section):
    widths: list[int] = Field(min_length=2, description="channels of each stage")
    blocks_per_stage: int = Field(ge=1)
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    label_smoothing: float = Field(ge=0, lt=0.5)
    rotation_turns: float = Field(ge=0, lt=0.5, description="largest rotation, in turns")
    translation: float = Field(ge=0, lt=0.5, description="largest shift, as a share of the side")
    zoom: float = Field(ge=0, lt=0.5)
    shear: float = Field(ge=0, lt=0.5)
    brightness: float = Field(ge=0, lt=0.5, description="largest shift, as a share of the grey range")
    contrast: float = Field(ge=0, lt=0.5)
    horizontal_flip: bool


class DetectorConfiguration(_Section):
    architecture: Literal["yolov5n.yaml", "yolov5s.yaml"]
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    rotation_degrees: float = Field(ge=0, lt=90)
    translation: float = Field(ge=0, lt=0.5)
    scale: float = Field(ge=0, lt=1)
    mosaic: float = Field(ge=0, le=1, description="probability")
    horizontal_flip: bool


OurLabel = Literal["cholangiocarcinoma", "metastasis", "no_tumour", "other"]
LABEL_MAP: dict[str, OurLabel] = {
    "ICC": "cholangiocarcinoma",
    "CRLM": "metastasis",
    "BCLM": "metastasis",
    "cholangiocarcinoma": "cholangiocarcinoma",
    "metastasis": "metastasis",
    "none": "no_tumour",
}


class Configuration(_Section):
    label_map: dict[str, OurLabel] = Field(
        default=LABEL_MAP, description="a dataset's own word for a tumour type to our label; others are left out"
    )
    data: DataConfiguration
    classifier: ClassifierConfiguration
    detector: DetectorConfiguration


def load_configuration(name: str) -> Configuration:
    """Reads `training/configs/<name>.toml`, or the file itself where `name` is a path.

    Raises FileNotFoundError naming the known configurations, and pydantic.ValidationError.
    """
    path = Path(name) if name.endswith(".toml") else CONFIGURATIONS / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in CONFIGURATIONS.glob("*.toml")))
        raise FileNotFoundError(f"no configuration {name!r}; known: {known}")
    return Configuration.model_validate(tomllib.loads(path.read_text()))


def code_fingerprint() -> str:
    """SHA-256 over the training code and its configurations: what made the weights."""
    digest = hashlib.sha256()
    root = Path(__file__).parent
    for file in sorted([*root.rglob("*.py"), *root.rglob("*.toml")]):
        digest.update(str(file.relative_to(root)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()
