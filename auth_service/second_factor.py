"""The second factor: time-based one-time passwords (RFC 6238) and recovery codes."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime

from pyotp import random_base32
from pyotp.totp import TOTP

ISSUER = "Hepar"
RECOVERY_CODES = 10
_INTERVAL_S = 30
_CODE_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def fresh_secret() -> str:
    """160 bits, base32."""
    return random_base32()


def provisioning_uri(secret: str, email: str) -> str:
    """The otpauth URI that authenticator applications read from a QR code."""
    return TOTP(secret).provisioning_uri(name=email, issuer_name=ISSUER)


def accepted_step(secret: str, code: str, now: datetime, last_step: int | None) -> int | None:
    """The 30 s time step of the code: the current one or a neighbour. None for a wrong or already used code."""
    totp = TOTP(secret)
    present = int(now.timestamp()) // _INTERVAL_S
    for step in (present, present - 1, present + 1):
        fresh = last_step is None or step > last_step
        if fresh and hmac.compare_digest(totp.at(step * _INTERVAL_S).encode(), code.encode(errors="replace")):
            return step
    return None


def fresh_recovery_codes() -> list[str]:
    """80 bits each, in four groups of four characters."""
    codes = ["".join(secrets.choice(_CODE_ALPHABET) for _ in range(16)) for _ in range(RECOVERY_CODES)]
    return ["-".join(code[start : start + 4] for start in range(0, 16, 4)) for code in codes]


def recovery_hash(code: str) -> str:
    """SHA-256; spaces, dashes and case are ignored."""
    plain = "".join(character for character in code.upper() if character.isalnum())
    return hashlib.sha256(plain.encode(errors="replace")).hexdigest()
