"""Settings of the Triton runtime."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class TritonSettings(BaseSettings):
    """Read from HEPAR_TRITON_*."""

    model_config = SettingsConfigDict(env_prefix="HEPAR_TRITON_", extra="ignore", protected_namespaces=())

    address: str = Field(default="127.0.0.1", description="never public: only the model services may reach Triton")
    metrics_address: str = Field(default="127.0.0.1", description="for Prometheus; nothing else listens there")
    grpc_port: int = Field(default=8001, ge=1, le=65535)
    metrics_port: int = Field(default=8002, ge=1, le=65535)
    model_repository: Path = Path("triton_models")
    environment: Path = Field(default=Path(".venv-triton"), description="virtual environment with nvidia-pytriton")
    state_folder: Path = Field(default=Path("var/triton"), description="the assembled backend directory")
    log_file: Path = Path("var/log/triton.log")
    model_configuration: str = Field(
        default="", description="name of the configs/<name>.pbtxt to prefer; none by default"
    )
    combine: bool = Field(default=True, description="one more model that runs the input check and all classifiers")
    trace_url: str = Field(default="", description="OTLP over HTTP, .../v1/traces: where Triton sends its own spans")
    stop_timeout_s: float = Field(default=15, gt=0, description="between asking Triton to stop and killing it")
    restart_delay_s: float = Field(default=1, gt=0, description="before Triton is restarted; doubles up to 30 s")
