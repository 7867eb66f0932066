"""One server with one analysed study, for all tests of DICOMweb."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.dicomweb import DicomWebServer, analysed_study, dicomweb_server
from tests.support.tokens import TokenAuthority


@pytest.fixture(scope="package")
def web(authority: TokenAuthority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DicomWebServer]:
    with dicomweb_server(tmp_path_factory.mktemp("dicomweb"), authority) as running:
        yield running


@pytest.fixture(scope="package")
def files(web: DicomWebServer) -> list[bytes]:
    """Of Ann's analysed study."""
    return analysed_study(web)
