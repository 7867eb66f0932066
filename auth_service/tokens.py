"""Issuing access tokens: ES256, short-lived, RFC 9068."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jose import jwk, jwt

from hepar.contracts.accounts import PublicKey
from hepar.service.tokens import ALGORITHM, TOKEN_TYPE

SCOPE = "analyses account"


class BadSigningKey(Exception):
    """The key file is not an EC P-256 private key of ours alone; the message says what is wrong."""


@dataclass(frozen=True)
class TokenIssuer:
    """Signs tokens with one key."""

    pem: str
    public_key: PublicKey
    issuer: str
    audience: str
    lifetime_s: int

    def issue(self, subject: str, scope: str = SCOPE) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": subject,
            "jti": uuid.uuid4().hex,
            "scope": scope,
            "iat": now,
            "nbf": now,
            "exp": now + self.lifetime_s,
        }
        headers = {"kid": self.public_key.kid, "typ": TOKEN_TYPE}
        return jwt.encode(claims, self.pem, algorithm=ALGORITHM, headers=headers)


def load_signing_key(file: Path) -> str:
    """The PEM of the signing key, made where there is none: written whole, mode 600, or not at all.

    Raises BadSigningKey for a file that others may read or that holds no EC P-256 private key.
    """
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        draft = file.with_suffix(f".{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as output:
            output.write(pem)
            output.flush()
            os.fsync(output.fileno())
        draft.replace(file)
    if file.stat().st_mode & 0o077:
        raise BadSigningKey(f"{file} may be read by others than its owner: chmod 600 it")
    pem = file.read_bytes()
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except ValueError as error:
        raise BadSigningKey(f"{file} is not a private key in PEM") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BadSigningKey(f"{file} is not an EC P-256 key")
    return pem.decode()


def public_key_of(pem: str) -> PublicKey:
    """The verification key, its id the first half of its RFC 7638 thumbprint."""
    values = jwk.construct(pem, ALGORITHM).public_key().to_dict()
    coordinates = {name: _text(values[name]) for name in ("crv", "kty", "x", "y")}
    thumbprint = hashlib.sha256(json.dumps(coordinates, sort_keys=True, separators=(",", ":")).encode())
    kid = base64.urlsafe_b64encode(thumbprint.digest()[:16]).rstrip(b"=").decode()
    return PublicKey.model_validate(coordinates | {"kid": kid, "alg": ALGORITHM, "use": "sig"})


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
