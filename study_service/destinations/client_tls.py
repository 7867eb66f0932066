"""TLS to a destination, with its own authority and a certificate of ours where it asks for one."""

from __future__ import annotations

import ssl
from pathlib import Path


def client_tls(ca_file: Path | None, certificate_file: Path | None, key_file: Path | None) -> ssl.SSLContext:
    """The archive's certificate must name its host. Raises OSError (ssl.SSLError) for files that do not fit."""
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate_file is not None:
        context.load_cert_chain(certificate_file, key_file)
    return context
