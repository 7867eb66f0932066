"""Signatures of calls, as Standard Webhooks 1.0.0 defines them (standardwebhooks.com)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os

_PREFIX = "whsec_"
_SECRET_BYTES = 32


def new_secret() -> str:
    """256 random bits."""
    return _PREFIX + base64.b64encode(os.urandom(_SECRET_BYTES)).decode()


def signed_headers(secret: str, message_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """timestamp_s: Unix time of this attempt. The receiver refuses old ones: a recorded call cannot be repeated."""
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    content = f"{message_id}.{timestamp_s}.".encode() + body
    signature = base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
    return {"webhook-id": message_id, "webhook-timestamp": str(timestamp_s), "webhook-signature": f"v1,{signature}"}
