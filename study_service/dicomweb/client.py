"""Calls to DICOMweb services of others, as the operator configured them: their sign-in, certificates and limits."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx

from study_service.destinations.configuration import DicomWebDestination

_TIMEOUT_S = 60.0
_CONNECT_S = 10.0


class DicomWebClient:
    """Follows no redirect and reads no proxy from the environment: nothing goes anywhere but to the configured URL."""

    def __init__(self, archive: DicomWebDestination) -> None:
        """Raises OSError for certificates that cannot be used."""
        self._url = archive.url.rstrip("/")
        self._headers = archive.authorization()
        self._tls = ssl.create_default_context(cafile=str(archive.ca_file) if archive.ca_file else None)
        if archive.certificate_file is not None and archive.key_file is not None:
            self._tls.load_cert_chain(archive.certificate_file, archive.key_file)

    @asynccontextmanager
    async def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        content: AsyncIterator[bytes] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """An answer whose body is still to be read. path: below the configured URL. Raises httpx.HTTPError."""
        timeout = httpx.Timeout(_TIMEOUT_S, connect=_CONNECT_S)
        async with httpx.AsyncClient(
            verify=self._tls, follow_redirects=False, trust_env=False, timeout=timeout
        ) as client:
            sent = self._headers | dict(headers)
            url = f"{self._url}{path}"
            async with client.stream(method, url, headers=sent, content=content, params=params) as answer:
                yield answer
