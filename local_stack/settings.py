"""Ports of the local stack, and the environment variables that pass them to its processes."""

from __future__ import annotations

import os
import secrets
import socket
import sys
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

LOOPBACK = "127.0.0.1"
Port = Annotated[int, Field(ge=1, le=65535)]


class StackSettings(BaseSettings):
    """Read from the variables of the processes themselves, such as HEPAR_GATEWAY_PORT."""

    model_config = SettingsConfigDict(env_prefix="HEPAR_", extra="ignore", protected_namespaces=())

    gateway_port: Port = 8080
    auth_port: Port = 8101
    classify_port: Port = 8102
    detect_port: Port = 8103
    gateway_metrics_port: Port = 9180
    auth_metrics_port: Port = 9101
    classify_metrics_port: Port = 9102
    detect_metrics_port: Port = 9103
    triton_grpc_port: Port = 8001
    triton_metrics_port: Port = 8002
    triton_model_repository: Path = Path("triton_models")
    triton_environment: Path = Path(".venv-triton")
    study_worker_secret: SecretStr = Field(
        default_factory=lambda: SecretStr(secrets.token_urlsafe(32)), min_length=32, repr=False
    )

    @property
    def gateway_url(self) -> str:
        return f"http://{LOOPBACK}:{self.gateway_port}"

    def ports(self) -> dict[str, int]:
        """Ports by environment variable."""
        return {f"HEPAR_{name.upper()}": port for name, port in self.model_dump().items() if name.endswith("_port")}

    def environment(self) -> dict[str, str]:
        """The environment of the Procfile's processes: this Python first on PATH, and all addresses."""
        auth = f"http://{LOOPBACK}:{self.auth_port}"
        triton = f"{LOOPBACK}:{self.triton_grpc_port}"
        repository = str(self.triton_model_repository)
        return os.environ | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}",
            "PYTHONUNBUFFERED": "1",
            "HEPAR_TRITON_MODEL_REPOSITORY": repository,
            "HEPAR_CLASSIFY_MODEL_REPOSITORY": repository,
            "HEPAR_DETECT_MODEL_REPOSITORY": repository,
            "HEPAR_CLASSIFY_AUTH_URL": auth,
            "HEPAR_DETECT_AUTH_URL": auth,
            "HEPAR_CLASSIFY_TRITON": triton,
            "HEPAR_DETECT_TRITON": triton,
            "HEPAR_GATEWAY_AUTH_URL": auth,
            "HEPAR_GATEWAY_CLASSIFY_URL": f"http://{LOOPBACK}:{self.classify_port}",
            "HEPAR_GATEWAY_DETECT_URL": f"http://{LOOPBACK}:{self.detect_port}",
            "HEPAR_AUTH_STUDY_WORKER_SECRET": self.study_worker_secret.get_secret_value(),
            "HEPAR_STUDY_WORKER_SECRET": self.study_worker_secret.get_secret_value(),
            **{name: str(port) for name, port in self.ports().items()},
        }


def on_free_ports() -> StackSettings:
    """The settings of the environment with ports that are free now."""
    names = [name for name in StackSettings.model_fields if name.endswith("_port")]
    sockets = [socket.socket() for _ in names]
    try:
        for one in sockets:
            one.bind((LOOPBACK, 0))
        ports = {name: one.getsockname()[1] for name, one in zip(names, sockets, strict=True)}
    finally:
        for one in sockets:
            one.close()
    return StackSettings(**ports)
