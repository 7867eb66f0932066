"""Settings of detect_service."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from hepar.serving.settings import ModelServiceSettings


class DetectSettings(ModelServiceSettings):
    """Read from HEPAR_DETECT_*."""

    model_config = SettingsConfigDict(env_prefix="HEPAR_DETECT_", extra="ignore", protected_namespaces=())

    port: int = Field(default=8103, ge=1, le=65535)
    fusion_overlap: float = Field(
        default=0.55,
        gt=0,
        lt=1,
        description="without a fitted ensemble: two boxes with a higher intersection over union are one lesion",
    )
