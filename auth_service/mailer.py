"""Sending e-mail by SMTP (RFC 5321), with the standard library in a thread of its own."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid

from auth_service.email_settings import EmailSettings

_TIMEOUT_S = 10.0


class EmailNotSent(Exception):
    """The mail server cannot be reached or refused the message."""


class Mailer:
    """Plain texts, one recipient each."""

    def __init__(self, settings: EmailSettings) -> None:
        self._settings = settings
        self._sender = str(settings.email_sender)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="smtp")

    async def send(self, recipient: str, subject: str, text: str) -> None:
        """Raises EmailNotSent."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._pool, self._send, recipient, subject, text)
        except (OSError, smtplib.SMTPException, ValueError) as error:  # ValueError: what cannot be encoded for SMTP
            raise EmailNotSent(type(error).__name__) from error

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    @property
    def _domain(self) -> str:
        return self._sender.rpartition("@")[2]

    def _send(self, recipient: str, subject: str, text: str) -> None:
        message = EmailMessage(policy=SMTP)
        message["From"], message["To"], message["Subject"] = self._sender, recipient, subject
        message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain=self._domain)
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office replies
        message.set_content(text)
        with self._connected() as server:
            if self._settings.smtp_password is not None:
                server.login(self._settings.smtp_user, self._settings.smtp_password.get_secret_value())
            server.send_message(message)

    def _connected(self) -> smtplib.SMTP:
        """Certificates are verified against the system's authorities (or SSL_CERT_FILE)."""
        host, port = self._settings.smtp_host, self._settings.smtp_port
        context = ssl.create_default_context()
        if self._settings.smtp_security == "tls":
            return smtplib.SMTP_SSL(host, port, self._domain, timeout=_TIMEOUT_S, context=context)
        server = smtplib.SMTP(host, port, self._domain, timeout=_TIMEOUT_S)
        if self._settings.smtp_security == "starttls":
            try:
                server.starttls(context=context)
            except BaseException:
                server.close()
                raise
        return server
