"""The keys that sign access tokens: one signs; its predecessors stay published until their tokens have expired.

<folder>/<time>-<kid>.pem    EC P-256 private keys, mode 600; the newest signs
<folder>/<time>-<kid>.json   public key of a retired one, with the time
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jose import jwk

from hepar.contracts.tokens import PublicKey
from hepar.core.private_files import require_private, write_private
from hepar.web.access_tokens import ALGORITHM, LEEWAY_S


class BadSigningKey(Exception):
    """The key is not an EC P-256 private key that only its owner can read; the message names the reason."""


@dataclass(frozen=True)
class SigningKey:
    """pem: PKCS 8."""

    pem: str
    public: PublicKey

    @classmethod
    def from_pem(cls, pem: bytes, origin: str) -> SigningKey:
        """Raises BadSigningKey naming `origin`."""
        try:
            key = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError) as error:
            raise BadSigningKey(f"{origin} is not a private key in PEM") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise BadSigningKey(f"{origin} is not an EC P-256 key")
        return cls(pem.decode(), _public_key_of(pem.decode()))

    @classmethod
    def fresh(cls) -> SigningKey:
        pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return cls.from_pem(pem, "a fresh key")


class KeyRing:
    """Keys in a folder, read again when it changes; or one key from the environment, which is not rotated here."""

    def __init__(self, folder: Path, access_token_s: int, pem: str | None = None) -> None:
        """Creates the first key where there is none. Raises BadSigningKey."""
        self._folder = folder
        self._access_token_s = access_token_s
        self._given = SigningKey.from_pem(pem.encode(), "HEPAR_AUTH_SIGNING_KEY") if pem else None
        self._seen: int | None = None
        self._signing: SigningKey | None = None
        self._retired: list[tuple[PublicKey, float]] = []
        if self._given is None and not self._private_files():
            self._write(SigningKey.fresh())
        self.signing()

    def signing(self) -> SigningKey:
        """The current key. Raises BadSigningKey where the folder is unusable."""
        if self._given is not None:
            return self._given
        changed = self._folder.stat().st_mtime_ns
        if self._signing is None or changed != self._seen:
            self._signing, self._retired = self._read()
            self._seen = changed
        return self._signing

    def published(self, now: float | None = None) -> list[PublicKey]:
        """The current key first, then those whose tokens may still be valid. now: seconds since 1970."""
        moment = time.time() if now is None else now
        signing = self.signing().public
        return [signing, *(key for key, until in self._retired if until > moment and key.kid != signing.kid)]

    def rotate(self) -> PublicKey:
        """Creates a new current key and deletes the private part of its predecessor.

        Raises BadSigningKey where the key comes from the environment.
        """
        if self._given is not None:
            raise BadSigningKey("the key comes from HEPAR_AUTH_SIGNING_KEY: change it there")
        before = self._private_files()
        fresh = SigningKey.fresh()
        self._write(fresh)
        for file in before:
            public = SigningKey.from_pem(file.read_bytes(), str(file)).public
            retired = {"public_key": public.model_dump(), "retired_at": time.time()}
            write_private(file.with_suffix(".json"), json.dumps(retired).encode())
            file.unlink()
        return fresh.public

    def _write(self, key: SigningKey) -> None:
        write_private(self._folder / f"{time.time_ns():020d}-{key.public.kid}.pem", key.pem.encode())

    def _private_files(self) -> list[Path]:
        return sorted(self._folder.glob("*.pem"))

    def _read(self) -> tuple[SigningKey, list[tuple[PublicKey, float]]]:
        files = self._private_files()
        if not files:
            raise BadSigningKey(f"{self._folder} contains no key")
        keys = []
        for file in files:
            require_private(file, BadSigningKey)
            keys.append(SigningKey.from_pem(file.read_bytes(), str(file)))
        # Two private keys exist during a rotation: the older one stays published as long as it is there.
        retired = [(key.public, float("inf")) for key in keys[:-1]]
        for file in sorted(self._folder.glob("*.json")):
            row = json.loads(file.read_bytes())
            until = float(row["retired_at"]) + self._access_token_s + LEEWAY_S
            retired.append((PublicKey.model_validate(row["public_key"]), until))
        return keys[-1], retired


def _public_key_of(pem: str) -> PublicKey:
    """The verification key, its id the first half of its RFC 7638 thumbprint."""
    values = jwk.construct(pem, ALGORITHM).public_key().to_dict()
    coordinates = {name: _text(values[name]) for name in ("crv", "kty", "x", "y")}
    thumbprint = hashlib.sha256(json.dumps(coordinates, sort_keys=True, separators=(",", ":")).encode())
    kid = base64.urlsafe_b64encode(thumbprint.digest()[:16]).rstrip(b"=").decode()
    return PublicKey.model_validate(coordinates | {"kid": kid, "alg": ALGORITHM, "use": "sig"})


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
