"""Addresses of DICOMweb resources, as the caller reaches them."""

from __future__ import annotations

from fastapi import Request

from hepar.contracts.studies import DICOMWEB_PATH
from hepar.web.client_address import public_address


def studies_url(request: Request) -> str:
    settings = request.app.state.dependencies.settings
    return f"{public_address(request, settings.proxy_networks)}{DICOMWEB_PATH}"


def series_url(studies: str, study_uid: str, series_uid: str) -> str:
    return f"{studies}/{study_uid}/series/{series_uid}"


def instance_url(studies: str, study_uid: str, series_uid: str, instance_uid: str) -> str:
    return f"{series_url(studies, study_uid, series_uid)}/instances/{instance_uid}"
