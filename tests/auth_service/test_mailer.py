"""Sending e-mail: encrypted, with sign-in, and only with complete settings."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from auth_service.mailer import EmailNotSent, Mailer
from auth_service.settings import AuthSettings
from tests.support.auth_client import EMAIL
from tests.support.mail_server import (
    SMTP_PASSWORD,
    USER,
    certificate,
    mail_server,
    mail_settings,
    signing_in,
)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_e_mail_is_sent_encrypted_to_a_server_with_sign_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, security: str
) -> None:
    file, context = certificate(tmp_path)
    options = {"tls_context": context, "require_starttls": True} if security == "starttls" else {"ssl_context": context}
    sign_in = {"authenticator": signing_in, "auth_require_tls": security == "starttls"}
    with mail_server(**options, **sign_in) as server:
        changes = mail_settings(server.port, smtp_security=security, smtp_user=USER, smtp_password=SMTP_PASSWORD)
        mailer = Mailer(AuthSettings.model_validate(changes))
        with pytest.raises(EmailNotSent, match="SSLCertVerificationError"):
            asyncio.run(mailer.send(EMAIL, "Grüße", "text"))
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        asyncio.run(mailer.send(EMAIL, "Grüße", "text"))
        (message,) = server.received
        assert message["Subject"] == "Grüße"
        assert server.signed_in == [True]
        wrong = Mailer(AuthSettings.model_validate(changes | {"smtp_password": "wrong"}))
        with pytest.raises(EmailNotSent, match=r"SMTPAuthenticationError|SMTPServerDisconnected"):
            asyncio.run(wrong.send(EMAIL, "Grüße", "text"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"smtp_host": "mail.example"}, "HEPAR_AUTH_EMAIL_SENDER"),
        ({"email_verification": True}, "HEPAR_AUTH_SMTP_HOST"),
        ({"smtp_user": "hepar"}, "HEPAR_AUTH_SMTP_PASSWORD"),
        (mail_settings(25) | {"production": True, "docs": False}, "HEPAR_AUTH_SMTP_SECURITY"),
    ],
)
def test_incomplete_settings_stop_the_start(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(message)):
        AuthSettings.model_validate(changes)


def test_links_of_a_production_server_lead_to_https(auth_settings: AuthSettings, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.touch()
    production = {"production": True, "docs": False, "secret_key_file": key, "smtp_security": "tls"}
    production |= {"database_url": "postgresql+asyncpg://u@h/d"}
    with pytest.raises(ValidationError, match="HEPAR_AUTH_PUBLIC_URL"):
        AuthSettings.model_validate(mail_settings(25) | production)
    assert AuthSettings.model_validate(mail_settings(25) | production | {"public_url": "https://hepar.example"})
