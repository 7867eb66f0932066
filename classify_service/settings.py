"""Settings of classify_service."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from hepar.serving.settings import ModelServiceSettings


class ClassifySettings(ModelServiceSettings):
    """Read from HEPAR_CLASSIFY_*."""

    model_config = SettingsConfigDict(env_prefix="HEPAR_CLASSIFY_", extra="ignore", protected_namespaces=())

    port: int = Field(default=8102, ge=1, le=65535)
