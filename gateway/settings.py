"""Settings of the gateway."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from hepar.core.networks import NetworkList
from hepar.core.settings import ServiceSettings


class GatewaySettings(ServiceSettings):
    """Read from HEPAR_GATEWAY_*."""

    model_config = SettingsConfigDict(env_prefix="HEPAR_GATEWAY_", extra="ignore", protected_namespaces=())

    port: int = Field(default=8080, ge=1, le=65535)
    auth_url: str = Field(default="http://127.0.0.1:8101", pattern="^https?://")
    classify_url: str = Field(default="http://127.0.0.1:8102", pattern="^https?://")
    detect_url: str = Field(default="http://127.0.0.1:8103", pattern="^https?://")
    study_url: str = Field(default="http://127.0.0.1:8104", pattern="^https?://")
    issuer: str = "hepar-auth"
    audience: str = "hepar"
    deadline_s: float = Field(default=25, gt=0, le=120, description="longest a request may take")
    batch_deadline_s: float = Field(default=115, gt=0, le=600, description="longest a batch may take")
    account_deadline_s: float = Field(default=10, gt=0, le=60, description="longest a sign-up or sign-in may take")
    study_deadline_s: float = Field(
        default=30, gt=0, le=120, description="longest time until the first byte of an answer about a study"
    )
    study_upload_s: float = Field(
        default=1800, gt=0, le=86400, description="longest time that sending a study may take"
    )
    account_per_minute: int = Field(default=600, ge=1, description="requests of one account")
    address_per_minute: int = Field(default=1200, ge=1, description="requests of one network address")
    address_connections_max: int = Field(
        default=256, ge=1, description="open connections of one network address that is not a trusted proxy"
    )
    database_url: str = Field(
        default="sqlite+aiosqlite:///var/gateway/state.sqlite3",
        description="state that all gateways share: request counts, and encrypted responses for Idempotency-Key",
        pattern=r"^(sqlite\+aiosqlite|postgresql\+asyncpg)://",
        repr=False,
    )
    web_folder: Path = Field(default=Path("web/dist"), description="the built browser client; an API alone without it")
    cors_origins: list[str] = Field(default=[], description="other sites whose pages may call this API (a JSON list)")
    trusted_proxies: NetworkList = Field(
        default=[],
        description="addresses or networks whose X-Forwarded-For and X-Forwarded-Proto are believed (a JSON list)",
    )
    upload_bytes_max: int = Field(default=64 * 1024 * 1024, ge=1, description="bytes of one image or one batch")
    study_bytes_max: int = Field(default=1024 * 1024 * 1024, ge=1, description="bytes of one study")
    study_uploads_max: int = Field(
        default=16, ge=1, description="studies that are being sent at the same time; one account has a quarter of it"
    )
    stored_account_bytes_max: int = Field(
        default=64 * 1024 * 1024, ge=1, description="bytes of the responses stored for Idempotency-Keys of one account"
    )
    stored_bytes_max: int = Field(
        default=512 * 1024 * 1024, ge=1, description="bytes of the responses stored for Idempotency-Keys in total"
    )

    @model_validator(mode="after")
    def _shared_in_production(self) -> Self:
        if self.production and self.database_url.startswith("sqlite"):
            raise ValueError("in production all gateways share a PostgreSQL database: set HEPAR_GATEWAY_DATABASE_URL")
        return self
