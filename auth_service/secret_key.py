"""The installation's secret, from which a key for each purpose is derived."""

from __future__ import annotations

import base64
import os
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

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


def write_private(file: Path, content: bytes) -> None:
    """Writes the file atomically with mode 600; an existing file is left as it is."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(f".{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as output:
            output.write(content)
            output.flush()
            os.fsync(output.fileno())
        try:
            os.link(draft, file)
        except FileExistsError:
            return
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        draft.unlink()


def require_private(file: Path, error: type[Exception]) -> None:
    """Raises `error` where anyone but the owner may read the file.

    The group may read it too where another user owns it, as with a Kubernetes Secret that is mounted for a pod's group.
    """
    facts = file.stat()
    others = 0o037 if facts.st_uid != os.getuid() else 0o077
    if facts.st_mode & others:
        raise error(f"{file} can be read by others than its owner: run chmod 600 on it")
