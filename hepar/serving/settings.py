"""Settings of a model service."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from hepar.core.settings import ServiceSettings


class ModelServiceSettings(ServiceSettings):
    """Base of the settings of the services that call models on Triton."""

    auth_url: str = Field(
        default="http://127.0.0.1:8101", pattern="^https?://", description="auth_service, for its public keys"
    )
    issuer: str = "hepar-auth"
    audience: str = "hepar"
    triton: str = Field(default="127.0.0.1:8001", description="Triton's gRPC address, host:port")
    model_repository: Path = Field(default=Path("triton_models"), description="folder of the models and their cards")
    quorum: int = Field(default=1, ge=1, description="models that must answer; with fewer, the response is 503")
    deadline_s: float = Field(default=20, gt=0, le=120, description="time limit of a request")
    batch_deadline_s: float = Field(default=110, gt=0, le=600, description="time limit of a batch")
    upload_bytes_max: int = Field(default=64 * 1024 * 1024, ge=1, description="bytes of one image")
    batch_bytes_max: int = Field(default=64 * 1024 * 1024, ge=1, description="bytes of all images of a batch")
    batch_images_max: int = Field(default=32, ge=2, description="images of a batch")
