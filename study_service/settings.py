"""Settings of study_service: of its API and of its workers."""

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from hepar.core.networks import Network, NetworkList, parsed_networks
from hepar.core.settings import ServiceSettings
from study_service.destinations.configuration import ConfiguredDestination
from study_service.dicom_settings import AETitle, ListenPeer

_GIGABYTE = 1024**3


class StudySettings(ServiceSettings):
    """Read from HEPAR_STUDY_*."""

    model_config = SettingsConfigDict(env_prefix="HEPAR_STUDY_", extra="ignore", protected_namespaces=())

    port: int = Field(default=8104, ge=1, le=65535)
    auth_url: str = Field(
        default="http://127.0.0.1:8101", pattern="^https?://", description="auth_service, for its public keys"
    )
    classify_url: str = Field(default="http://127.0.0.1:8102", pattern="^https?://")
    detect_url: str = Field(default="http://127.0.0.1:8103", pattern="^https?://")
    issuer: str = "hepar-auth"
    audience: str = "hepar"
    database_url: str = Field(
        default="sqlite+aiosqlite:///var/study/studies.sqlite3",
        description="studies and jobs; SQLite keeps the steps of jobs in a second file in the same folder",
        pattern=r"^(sqlite\+aiosqlite|postgresql\+asyncpg)://",
        repr=False,
    )
    migrate_at_start: bool = Field(
        default=True, description="false: run `python -m study_service migrate` before the start"
    )
    objects_url: str = Field(
        default="var/study/objects",
        description="a folder, or s3://BUCKET/PREFIX, az://CONTAINER/PREFIX, gs://BUCKET/PREFIX",
    )
    key_file: Path = Field(
        default=Path("var/study/keys"),
        description="keys of the encryption at rest, mode 600, created at first start: `NAME 64 HEX DIGITS` per line",
    )
    spool_folder: Path = Field(
        default=Path("var/study/spool"),
        description="where an upload is kept, readable by this user only, until it is checked and stored encrypted",
    )
    upload_bytes_max: int = Field(default=_GIGABYTE, ge=1, description="bytes of one upload")
    upload_s: float = Field(default=1800, gt=0, le=86400, description="longest time that an upload may take")
    images_max: int = Field(default=4000, ge=1, description="images of one study")
    quiet_s: float = Field(
        default=60,
        ge=0,
        le=86400,
        description="after the last image by STOW-RS or C-STORE before a study counts as complete and is analysed",
    )
    account_bytes_max: int = Field(default=100 * _GIGABYTE, ge=1, description="bytes of all studies of one account")
    account_studies_max: int = Field(default=10_000, ge=1, description="studies of one account")
    retention_days: int = Field(
        default=0, ge=0, description="studies are deleted this long after their last change; 0: never"
    )
    worker_secret: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="the secret by which workers sign in: HEPAR_AUTH_STUDY_WORKER_SECRET",
        repr=False,
    )
    worker_metrics_port: int = Field(
        default=0, ge=0, le=65535, description="where Prometheus reads the worker; 0: nowhere"
    )
    jobs_max: int = Field(default=1, ge=1, le=16, description="studies that one worker analyses at the same time")
    batch_slices: int = Field(default=8, ge=1, le=64, description="slices of one request to a model service")
    batch_timeout_s: float = Field(
        default=120, gt=0, le=600, description="time limit of one request to a model service"
    )
    load_timeout_s: float = Field(default=300, gt=0, description="processor time for reading one study")
    tries_max: int = Field(default=3, ge=1, le=10, description="failed or broken-off tries before a study has failed")
    retry_s: float = Field(default=5, ge=0, description="before the second try; each further wait is four times longer")
    lease_s: float = Field(
        default=15, ge=1, description="after this time without a sign of life, another worker takes over its studies"
    )
    uid_root: str = Field(
        default="2.25",
        max_length=32,
        pattern=r"^[0-2](\.(0|[1-9]\d*))+$",
        description="root of the UIDs of DICOM objects that we make; 2.25: UIDs derived from UUIDs",
    )
    poll_s: float = Field(default=2, gt=0, le=60, description="longest time between two looks for a study")

    proxies: NetworkList = Field(
        default=["127.0.0.1", "::1"],
        description="addresses or networks of the gateway, whose X-Forwarded-For is believed",
    )
    webhook_hosts: list[str] = Field(
        default=[], description="hosts that webhooks may call: NAME or NAME:PORT (a JSON list); none by default"
    )
    webhook_networks: NetworkList = Field(
        default=[], description="private networks in which these hosts may be (a JSON list); none by default"
    )

    listen_host: str = Field(default="127.0.0.1", description="address of the DICOM listener")
    listen_port: int = Field(default=11112, ge=1, le=65535)
    listen_ae_title: AETitle = Field(default="HEPAR", description="AE title of the DICOM listener")
    listen_peers: list[ListenPeer] = Field(
        default=[], description="who may send studies by DICOM (a JSON list); nobody by default"
    )
    listen_certificate_file: Path | None = Field(default=None, description="PEM; with a certificate, only TLS")
    listen_key_file: Path | None = Field(default=None, description="private key of the certificate, PEM")
    listen_ca_file: Path | None = Field(default=None, description="with it, peers need a certificate signed by it, PEM")
    listen_associations_max: int = Field(default=16, ge=1, le=256, description="associations at the same time")
    listen_association_s: float = Field(default=3600, gt=0, description="longest time of an association")
    listen_idle_s: float = Field(default=60, gt=0, description="longest silence of a peer, also within a PDU")
    listen_object_bytes_max: int = Field(default=256 * 1024**2, ge=1, description="bytes of one received object")
    listen_stored_bytes_max: int = Field(
        default=20 * _GIGABYTE, ge=1, description="bytes received that are not studies yet; more is refused for now"
    )
    listen_metrics_port: int = Field(
        default=0, ge=0, le=65535, description="where Prometheus reads the listener; 0: nowhere"
    )

    destinations: list[ConfiguredDestination] = Field(
        default=[],
        description="archives and record systems that results are sent to (a JSON list); nothing is sent elsewhere",
        repr=False,
    )

    @model_validator(mode="after")
    def _tls_of_the_listener(self) -> Self:
        if (self.listen_certificate_file is None) != (self.listen_key_file is None):
            raise ValueError("HEPAR_STUDY_LISTEN_CERTIFICATE_FILE and HEPAR_STUDY_LISTEN_KEY_FILE belong together")
        if self.listen_ca_file and not self.listen_certificate_file:
            raise ValueError("HEPAR_STUDY_LISTEN_CA_FILE needs HEPAR_STUDY_LISTEN_CERTIFICATE_FILE")
        return self

    @model_validator(mode="after")
    def _destinations_have_names_of_their_own(self) -> Self:
        names = [destination.name for destination in self.destinations]
        if len(set(names)) != len(names):
            raise ValueError("two destinations have the same name")
        return self

    def automatic_destinations(self, owner: str) -> list[str]:
        """Names of those that studies of this account are sent to as soon as they are finished."""
        return [item.name for item in self.destinations if item.is_automatic_for(owner)]

    @model_validator(mode="after")
    def _fit_for_production_storage(self) -> Self:
        """In production no key is generated: each replica would generate its own."""
        if self.production and not self.key_file.is_file():
            raise ValueError(f"production generates no key: there is no file {self.key_file}")
        if self.production and self.database_url.startswith("sqlite"):
            raise ValueError("production keeps studies in PostgreSQL: set HEPAR_STUDY_DATABASE_URL")
        return self

    @property
    def proxy_networks(self) -> list[Network]:
        return parsed_networks(self.proxies)
