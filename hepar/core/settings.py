"""What every service's settings have in common, and how a wrong one is reported."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Self, TypeVar

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

SECRETS_FOLDER = Path("/run/secrets")


class ServiceSettings(BaseSettings):
    """Base of each service's one settings class; subclasses set `env_prefix`."""

    model_config = SettingsConfigDict(extra="ignore", protected_namespaces=())

    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8080, ge=1, le=65535, description="each service has a default of its own")
    hosts: list[str] = Field(
        default=["127.0.0.1", "localhost", "[::1]"], description="names accepted in the Host header (a JSON list)"
    )
    concurrent_max: int = Field(default=64, ge=1, description="requests under way; one more is answered 503")
    production: bool = Field(
        default=False,
        description="refuses what is for development only: debug logs, documentation pages, own secrets",
    )
    docs: bool = Field(default=True, description="the pages /docs and /redoc; the document itself is always there")
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    metrics_port: int = Field(default=0, ge=0, le=65535, description="where Prometheus reads; 0: nowhere")
    drain_timeout_s: int = Field(default=25, ge=1, description="for requests under way at SIGTERM")
    drain_delay_s: float = Field(
        default=0, ge=0, le=60, description="between SIGTERM, which turns readiness off, and the end of new connections"
    )
    keep_alive_s: int = Field(default=75, ge=1, description="an idle connection stays open: longer than a proxy's 60 s")

    @model_validator(mode="after")
    def _fit_for_production(self) -> Self:
        if self.production and self.docs:
            raise ValueError("production has no documentation pages: set HEPAR_..._DOCS=false")
        if self.production and self.log_level == "DEBUG":
            raise ValueError("production writes no debug logs: set HEPAR_..._LOG_LEVEL to INFO or higher")
        return self


AnySettings = TypeVar("AnySettings", bound=ServiceSettings)


def load_settings(settings_class: type[AnySettings]) -> AnySettings:
    """Reads the environment, and files named like its variables in /run/secrets, where containers have their secrets.

    A wrong variable ends the process with its name and what it must be.
    """
    secrets = SECRETS_FOLDER if SECRETS_FOLDER.is_dir() else None
    try:
        return settings_class(_secrets_dir=secrets)  # pyright: ignore[reportCallIssue]
    except ValidationError as error:
        prefix = settings_class.model_config.get("env_prefix", "")
        for fault in error.errors():
            if not fault["loc"]:  # of several variables together; their values may be secrets
                print(f"{prefix}*: {fault['msg']}", file=sys.stderr)  # noqa: T201
                continue
            variable = prefix + str(fault["loc"][0]).upper()
            field = settings_class.model_fields.get(str(fault["loc"][0]))
            given = f" (given: {fault['input']!r})" if field is None or field.repr else ""  # repr=False: it is a secret
            print(f"{variable}: {fault['msg']}{given}", file=sys.stderr)  # noqa: T201
        raise SystemExit(2) from None
