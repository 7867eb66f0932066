"""Settings of auth_service."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from auth_service.email_settings import EmailSettings
from hepar.core.networks import Network, NetworkList, parsed_networks


class AuthSettings(EmailSettings):
    """Read from HEPAR_AUTH_*."""

    model_config = SettingsConfigDict(env_prefix="HEPAR_AUTH_", extra="ignore", protected_namespaces=())

    port: int = Field(default=8101, ge=1, le=65535)
    database_url: str = Field(
        default="sqlite+aiosqlite:///var/auth/accounts.sqlite3",
        description="SQLAlchemy URL with an async driver: sqlite+aiosqlite or postgresql+asyncpg",
        pattern=r"^(sqlite\+aiosqlite|postgresql\+asyncpg)://",
        repr=False,
    )
    migrate_at_start: bool = Field(
        default=True, description="false: run `python -m auth_service migrate` before the start"
    )
    keys_folder: Path = Field(
        default=Path("var/auth/keys"), description="EC P-256 private keys, PEM, mode 600; the first is created at start"
    )
    signing_key: SecretStr | None = Field(
        default=None, description="a private key in PEM, instead of the folder", repr=False
    )
    secret_key_file: Path = Field(
        default=Path("var/auth/secret.key"),
        description="at least 32 random bytes, mode 600, created at first start: protects second factors and the audit",
    )
    issuer: str = "hepar-auth"
    audience: str = "hepar"
    public_url: str = Field(
        default="http://127.0.0.1:8080", pattern="^https?://", description="public address of the gateway"
    )
    access_token_s: int = Field(default=600, ge=30, le=3600, description="seconds that an access token is valid")
    session_s: int = Field(default=30 * 86400, ge=60, description="longest lifetime of a session")
    session_idle_s: int = Field(
        default=86400, ge=60, description="a session that is not refreshed ends after this time"
    )
    refresh_grace_s: int = Field(
        default=10, ge=0, le=60, description="how long parallel requests with one refresh token do not end the session"
    )
    secret_overlap_s: int = Field(
        default=7 * 86400, ge=0, description="how long a client's older secrets stay valid after a new one is created"
    )
    study_worker_secret: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="the secret by which study workers sign in; without it, none can",
        repr=False,
    )
    signup: Literal["open", "approval", "closed"] = "open"
    signup_role: Literal["clinician", "researcher", "integrator"] = Field(
        default="researcher", description="role of accounts created by sign-up"
    )
    signup_burst: int = Field(
        default=50,
        ge=1,
        description="sign-ups from one network before each further one has to wait up to a minute",
    )
    proxies: NetworkList = Field(
        default=["127.0.0.1", "::1"],
        description="addresses or networks of the gateway, whose X-Forwarded-For is believed",
    )

    @model_validator(mode="after")
    def _secrets_in_production(self) -> Self:
        """In production no secret is generated: each replica would generate its own."""
        if self.production and not self.secret_key_file.is_file():
            raise ValueError(f"production generates no secret: there is no file {self.secret_key_file}")
        if self.production and self.database_url.startswith("sqlite"):
            raise ValueError("production keeps accounts in PostgreSQL: set HEPAR_AUTH_DATABASE_URL")
        if self.production and self.smtp_host and not self.public_url.startswith("https://"):
            raise ValueError("links in e-mails lead to https: set HEPAR_AUTH_PUBLIC_URL")
        return self

    @property
    def proxy_networks(self) -> list[Network]:
        return parsed_networks(self.proxies)
