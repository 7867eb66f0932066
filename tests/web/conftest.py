from __future__ import annotations

import pytest

from auth_service.tokens import TokenIssuer
from tests.support.tokens import new_issuer


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> TokenIssuer:
    return new_issuer(tmp_path_factory.mktemp("keys"))
