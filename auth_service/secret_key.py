"""One secret of this installation, from which the key of each purpose is derived."""

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
    """The secret is missing, too short, or may be read by others; the message says which."""


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

    def sealed(self, text: str) -> str:
        """Encrypted and authenticated (Fernet)."""
        return self._box().encrypt(text.encode()).decode()

    def opened(self, sealed: str) -> str:
        """Raises BadSecretKey for what another key sealed."""
        try:
            return self._box().decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise BadSecretKey("the secret key is not the one that the database was written with") from error

    def _box(self) -> Fernet:
        return Fernet(base64.urlsafe_b64encode(self.derived("sealed columns")))


def load_secret_key(file: Path) -> SecretKey:
    """Made where there is none: 32 random bytes, mode 600. Raises BadSecretKey."""
    if not file.exists():
        write_private(file, os.urandom(_BYTES))
    require_private(file, BadSecretKey)
    return SecretKey(file.read_bytes())


def write_private(file: Path, content: bytes) -> None:
    """Whole, mode 600, or not at all; whoever comes second leaves what the first one wrote."""
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
    """Raises `error` where others than its owner may read the file.

    Where it is given to us by somebody else, as Kubernetes gives a Secret to a pod's group, the group may read it too.
    """
    facts = file.stat()
    others = 0o037 if facts.st_uid != os.getuid() else 0o077
    if facts.st_mode & others:
        raise error(f"{file} may be read by others than its owner: chmod 600 it")
