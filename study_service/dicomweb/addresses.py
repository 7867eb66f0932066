"""Addresses of DICOMweb resources, as the caller reaches them."""

from __future__ import annotations

import re

from fastapi import Request

from hepar.contracts.studies import DICOMWEB_PATH

_FORWARDED = re.compile(r'proto=(https?);host="([A-Za-z0-9.:\[\]-]{1,255})"')


def studies_url(request: Request) -> str:
    """The gateway names itself in `Forwarded` (RFC 7239)."""
    found = _FORWARDED.fullmatch(request.headers.get("forwarded", ""))
    base = f"{found[1]}://{found[2]}" if found else str(request.base_url).rstrip("/")
    return f"{base}{DICOMWEB_PATH}"


def series_url(studies: str, study_uid: str, series_uid: str) -> str:
    return f"{studies}/{study_uid}/series/{series_uid}"


def instance_url(studies: str, study_uid: str, series_uid: str, instance_uid: str) -> str:
    return f"{series_url(studies, study_uid, series_uid)}/instances/{instance_uid}"
