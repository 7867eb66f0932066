from __future__ import annotations

from collections.abc import Iterator

import pytest

from auth_service.settings import AuthSettings
from tests.support.auth_client import AuthTestClient
from tests.support.email_links import running
from tests.support.mail_server import MailServer, mail_server, mail_settings


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture
def mailing(auth_settings: AuthSettings, mail: MailServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[AuthTestClient]:
    """Sends its e-mails to `mail`."""
    monkeypatch.setattr("auth_service.app._DELIVERY_S", 0.05)
    with running(auth_settings, **mail_settings(mail.port)) as client:
        yield client
