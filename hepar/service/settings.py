"""What every service's settings have in common, and how a wrong one is reported."""

from __future__ import annotations

import sys
from typing import TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """Base of each service's one settings class; subclasses set `env_prefix`."""

    model_config = SettingsConfigDict(extra="ignore", protected_namespaces=())

    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8080, ge=1, le=65535, description="each service has a default of its own")
    hosts: list[str] = Field(
        default=["127.0.0.1", "localhost", "[::1]"], description="names accepted in the Host header (a JSON list)"
    )
    concurrent_max: int = Field(default=64, ge=1, description="requests under way; one more is answered 503")
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    metrics_port: int = Field(default=0, ge=0, le=65535, description="where Prometheus reads; 0: nowhere")
    drain_timeout_s: int = Field(default=25, ge=1, description="for requests under way at SIGTERM")
    drain_delay_s: float = Field(
        default=0, ge=0, le=60, description="between SIGTERM, which turns readiness off, and the end of new connections"
    )
    keep_alive_s: int = Field(default=75, ge=1, description="an idle connection stays open: longer than a proxy's 60 s")


AnySettings = TypeVar("AnySettings", bound=ServiceSettings)


def load_settings(settings_class: type[AnySettings]) -> AnySettings:
    """Reads the environment; a wrong variable ends the process with its name and what it must be."""
    try:
        return settings_class()
    except ValidationError as error:
        prefix = settings_class.model_config.get("env_prefix", "")
        for fault in error.errors():
            variable = prefix + "_".join(str(part) for part in fault["loc"][:1]).upper()
            print(f"{variable}: {fault['msg']} (given: {fault['input']!r})", file=sys.stderr)  # noqa: T201
        raise SystemExit(2) from None
