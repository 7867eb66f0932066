"""The installation's secret, from which a key for each purpose is derived."""

from __future__ import annotations

import base64
import os
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hepar.core.private_files import require_private, write_private

_BYTES = 32
_DIFFERENT_BYTES_MIN = 10  # 32 random bytes have fewer with a chance below 1e-20


class BadSecretKey(Exception):
    """The secret is missing, too short, or readable by others; the message names the reason."""


class SecretKey:
    """Derives keys by purpose (HKDF, RFC 5869)."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) < _BYTES:
            raise BadSecretKey(f"the secret key has {len(secret)} bytes, fewer than {_BYTES}")
        if len(set(secret)) < _DIFFERENT_BYTES_MIN:
            raise BadSecretKey("the secret key is a sample, not random bytes")
        self._secret = secret

    def derived(self, purpose: str) -> bytes:
        """32 bytes, the same for the same purpose."""
        return HKDF(hashes.SHA256(), _BYTES, None, purpose.encode()).derive(self._secret)

    def encrypt(self, text: str) -> str:
        """Encrypted and authenticated (Fernet)."""
        return self._box().encrypt(text.encode()).decode()

    def decrypt(self, token: str) -> str:
        """Raises BadSecretKey for a value that another key encrypted."""
        try:
            return self._box().decrypt(token.encode()).decode()
        except InvalidToken as error:
            raise BadSecretKey("the secret key is not the one that the database was written with") from error

    def _box(self) -> Fernet:
        return Fernet(base64.urlsafe_b64encode(self.derived("sealed columns")))


def load_secret_key(file: Path) -> SecretKey:
    """Creates it where there is none: 32 random bytes, mode 600. Raises BadSecretKey."""
    if not file.exists():
        write_private(file, os.urandom(_BYTES))
    require_private(file, BadSecretKey)
    return SecretKey(file.read_bytes())
