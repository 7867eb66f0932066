"""Settings of auth_service."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from hepar.service.settings import ServiceSettings


class AuthSettings(ServiceSettings):
    """Read from HEPAR_AUTH_*."""

    model_config = SettingsConfigDict(env_prefix="HEPAR_AUTH_", extra="ignore", protected_namespaces=())

    port: int = Field(default=8101, ge=1, le=65535)
    database_url: str = Field(
        default="sqlite+aiosqlite:///var/auth/accounts.sqlite3", description="SQLAlchemy URL with an async driver"
    )
    signing_key_file: Path = Field(
        default=Path("var/auth/signing_key.pem"),
        description="EC P-256 private key, PEM; made at first start, mode 600",
    )
    issuer: str = "hepar-auth"
    audience: str = "hepar"
    access_token_s: int = Field(default=600, ge=30, le=3600, description="seconds that a token counts")
