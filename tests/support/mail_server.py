"""A real SMTP server that keeps what it receives, optionally with TLS and sign-in."""

from __future__ import annotations

import datetime
import email
import ipaddress
import re
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from local_stack.settings import on_free_ports

HOST = "127.0.0.1"
USER, SMTP_PASSWORD = "hepar", "mail secret"
SENDER = "hepar@hospital.example"


@dataclass
class MailServer:
    """signed_in: of the sender of each message.  refusing: answers every message with a temporary failure."""

    port: int = field(default_factory=lambda: on_free_ports().auth_port)
    received: list[EmailMessage] = field(default_factory=list)
    signed_in: list[bool] = field(default_factory=list)
    refusing: bool = False
    attempts: int = 0

    async def handle_DATA(self, _server: object, session: Any, envelope: Any) -> str:  # noqa: ANN401, N802
        self.attempts += 1
        if self.refusing:
            return "451 4.3.0 try again later"
        message = email.message_from_bytes(envelope.content, policy=default)
        assert envelope.rcpt_tos == [message["To"]]
        self.received.append(message)
        self.signed_in.append(bool(session.authenticated))
        return "250 OK"

    def to(self, address: str) -> list[EmailMessage]:
        return [message for message in self.received if message["To"] == address]

    def wait_for(self, address: str, count: int = 1, within_s: float = 60) -> EmailMessage:
        """The newest message to an address, once there are `count` of them."""
        deadline = time.monotonic() + within_s
        while len(self.to(address)) < count:
            assert time.monotonic() < deadline, f"{len(self.to(address))} of {count} messages arrived"
            time.sleep(0.05)
        return self.to(address)[-1]


def token_in(message: EmailMessage) -> str:
    """Of its one link, which is there in each language."""
    links = set(re.findall(r"https?://\S+#(\S+)", message.get_content()))
    assert len(links) == 1
    return str(links.pop())


def mail_settings(port: int, **changes: object) -> dict[str, Any]:
    """Of auth_service, for the server on this port."""
    return {"smtp_host": HOST, "smtp_port": port, "smtp_security": "none", "email_sender": SENDER} | changes


def mail_variables(port: int, **changes: str) -> dict[str, str]:
    """The same as environment variables."""
    return {f"HEPAR_AUTH_{name.upper()}": str(value) for name, value in mail_settings(port, **changes).items()}


@contextmanager
def mail_server(**options: Any) -> Iterator[MailServer]:  # noqa: ANN401
    """options: of aiosmtpd."""
    server = MailServer()
    controller = Controller(server, hostname=HOST, port=server.port, ready_timeout=60, **options)
    controller.start()
    try:
        yield server
    finally:
        controller.stop()


def signing_in(_server: object, _session: object, _envelope: object, _mechanism: str, data: object) -> AuthResult:
    """The `authenticator` of aiosmtpd."""
    right = LoginPassword(USER.encode(), SMTP_PASSWORD.encode())
    return AuthResult(success=data == right)


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A self-signed certificate for HOST, and the server's context."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file, key_file = folder / "certificate.pem", folder / "key.pem"
    file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key_file)
    return file, context
