"""Keys that sign access tokens."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from auth_service.keys import BadSigningKey, KeyRing, SigningKey


def test_the_signing_key_is_created_once_with_private_permissions(tmp_path: Path) -> None:
    folder = tmp_path / "deep"
    pem = KeyRing(folder, 600).signing().pem
    assert KeyRing(folder, 600).signing().pem == pem
    (file,) = folder.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert SigningKey.from_pem(pem.encode(), "it").public.model_dump()["kty"] == "EC"


def test_a_key_of_another_curve_is_refused() -> None:
    other = ec.generate_private_key(ec.SECP384R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(BadSigningKey, match="it is not an EC P-256 key"):
        SigningKey.from_pem(other, "it")
