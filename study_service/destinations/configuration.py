"""Destinations as the operator configures them in HEPAR_STUDY_DESTINATIONS: nothing is ever sent anywhere else."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from hepar.contracts.destinations import DestinationName
from hepar.contracts.study_files import DICOM_FILES, FileName, Language
from study_service.dicom_settings import AETitle

EVERY_OWNER = "*"
_OF_ARCHIVES: tuple[FileName, ...] = tuple(name for name in DICOM_FILES if name != "measurements-2d.dcm")


class _Destination(BaseModel):
    """name: in requests.  title: for people.  files: that are sent, as far as a study has them.

    language: of the report and of key images.  automatic_for: accounts and hospital systems, by id, whose studies are
    sent as soon as they are finished; `*` for all.  ca_file: certificates to trust, PEM; the system's by default.
    certificate_file, key_file: a client certificate, PEM.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: DestinationName
    title: str = Field(default="", max_length=80)
    files: tuple[FileName, ...] = Field(min_length=1)
    language: Language = "en"
    automatic_for: tuple[str, ...] = ()
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None

    @model_validator(mode="after")
    def _files_exist(self) -> Self:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file belong together")
        for file in (self.ca_file, self.certificate_file, self.key_file):
            if file is not None and not file.is_file():
                raise ValueError(f"there is no file {file}")
        return self

    def is_automatic_for(self, owner: str) -> bool:
        return EVERY_OWNER in self.automatic_for or owner in self.automatic_for


class DicomDestination(_Destination):
    """An archive that takes C-STORE. ae_title: of the archive.  calling_ae_title: ours."""

    kind: Literal["dicom"] = "dicom"
    host: str = Field(min_length=1, max_length=253)
    port: int = Field(default=104, ge=1, le=65535)
    ae_title: AETitle
    calling_ae_title: AETitle = "HEPAR"
    tls: bool = False
    files: tuple[FileName, ...] = Field(default=_OF_ARCHIVES, min_length=1)

    @model_validator(mode="after")
    def _only_dicom(self) -> Self:
        if wrong := [name for name in self.files if name not in DICOM_FILES]:
            raise ValueError(f"an archive takes DICOM files only, not {', '.join(wrong)}")
        if not self.tls and (self.ca_file or self.certificate_file):
            raise ValueError("certificates need tls")
        return self


class _HttpDestination(_Destination):
    """url: the base of the service.  username and password, or token (a bearer token)."""

    url: str = Field(pattern=r"^https?://[^\s@]+$", max_length=500)
    username: str | None = None
    password: SecretStr | None = None
    token: SecretStr | None = None

    @model_validator(mode="after")
    def _one_sign_in(self) -> Self:
        if (self.username is None) != (self.password is None) or (self.username and self.token):
            raise ValueError("give username and password, or token, or none of them")
        return self

    def authorization(self) -> dict[str, str]:
        """The header that signs in; none without a sign-in."""
        if self.token is not None:
            return {"authorization": f"Bearer {self.token.get_secret_value()}"}
        if self.username is None or self.password is None:
            return {}
        pair = f"{self.username}:{self.password.get_secret_value()}".encode()
        return {"authorization": f"Basic {base64.b64encode(pair).decode()}"}


class DicomWebDestination(_HttpDestination):
    """An archive that takes STOW-RS. url: such as https://pacs.example.org/dicom-web.

    fetch_for: accounts and hospital systems, by id, that may fetch any study from it by WADO-RS; `*` for all.
    """

    kind: Literal["dicomweb"] = "dicomweb"
    files: tuple[FileName, ...] = Field(default=_OF_ARCHIVES, min_length=1)
    fetch_for: tuple[str, ...] = ()

    def may_fetch(self, owner: str) -> bool:
        return EVERY_OWNER in self.fetch_for or owner in self.fetch_for


class FhirDestination(_HttpDestination):
    """A FHIR R4 server. url: its base, such as https://ehr.example.org/fhir."""

    kind: Literal["fhir"] = "fhir"
    files: tuple[FileName, ...] = Field(default=("report.fhir.json",), min_length=1)


ConfiguredDestination = Annotated[DicomDestination | DicomWebDestination | FhirDestination, Field(discriminator="kind")]
