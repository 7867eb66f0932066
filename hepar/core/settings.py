"""The base of every service's settings, read once from the environment. A wrong or unknown variable stops the start."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Self, TypeVar

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

SECRETS_FOLDER = Path("/run/secrets")
_COMPONENT_PREFIXES = tuple(f"HEPAR_{name}_" for name in ("AUTH", "CLASSIFY", "DETECT", "GATEWAY", "STUDY", "TRITON"))
"""Each component checks the variables of its own prefix."""
_TOOL_VARIABLES = frozenset(
    f"HEPAR_{name}"
    for name in (
        "ADMIN_PASSWORD",
        "CLIENT_ID",
        "CLIENT_SECRET",
        "EMAIL",
        "MAKE_STARTED",
        "PASSWORD",
        "REGISTRY",
        "STAND_INS",
        "URL",
        "VERSION",
    )
)
"""Read by command-line tools and scripts, whose environment a service may inherit."""


class ServiceSettings(BaseSettings):
    """Base of each service's settings class; subclasses set `env_prefix`."""

    model_config = SettingsConfigDict(extra="ignore", protected_namespaces=())

    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8080, ge=1, le=65535, description="each service has a default of its own")
    hosts: list[str] = Field(
        default=["127.0.0.1", "localhost", "[::1]"], description="names accepted in the Host header (a JSON list)"
    )
    concurrent_max: int = Field(default=64, ge=1, description="requests in flight; one more is answered 503")
    connections_max: int = Field(default=1024, ge=1, description="open connections; one more is closed at once")
    production: bool = Field(
        default=False,
        description="refuses what is for development only: debug logs, documentation pages, own secrets",
    )
    docs: bool = Field(default=True, description="the pages /docs and /redoc; the document itself is always there")
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    metrics_port: int = Field(default=0, ge=0, le=65535, description="where Prometheus reads; 0: nowhere")
    drain_timeout_s: int = Field(default=25, ge=1, description="for requests in flight at SIGTERM")
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


AnySettings = TypeVar("AnySettings", bound=BaseSettings)


def load_settings(settings_class: type[AnySettings]) -> AnySettings:
    """Reads the environment, and files named like its variables in /run/secrets, where containers keep secrets.

    A wrong variable ends the process with its name and what it must be; an unknown one with the nearest known name.
    """
    _exit_on_unknown_variables(settings_class, os.environ)
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


def _exit_on_unknown_variables(settings_class: type[BaseSettings], variables: Iterable[str]) -> None:
    prefix = str(settings_class.model_config.get("env_prefix", ""))
    own = {prefix + name.upper() for name in settings_class.model_fields}
    foreign = tuple(other for other in _COMPONENT_PREFIXES if other != prefix)
    unknown = sorted(
        name
        for name in map(str.upper, variables)
        if name.startswith("HEPAR_") and name not in own | _TOOL_VARIABLES and not name.startswith(foreign)
    )
    for name in unknown:
        nearest = difflib.get_close_matches(name, sorted(own | _TOOL_VARIABLES), n=1, cutoff=0.0)
        print(f"{name}: there is no such variable; the nearest known one is {nearest[0]}", file=sys.stderr)  # noqa: T201
    if unknown:
        raise SystemExit(2)
