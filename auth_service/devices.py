"""Device tokens: what lets a known device sign in while others guess the account's password.

After OWASP, "Slow down online guessing attacks with device cookies". A token is a random number and its HMAC with the
account's id. Nothing is stored. It is no credential: it only gives the device a count of failures of its own.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

TOKENS_MAX = 8
_NUMBER_BYTES = 16


class DeviceTokens:
    """key: secret, of this purpose only."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def issue(self, account_id: str) -> str:
        number = secrets.token_hex(_NUMBER_BYTES)
        return f"{number}.{self._mac(number, account_id)}"

    def find(self, tokens: str | None, account_id: str) -> str | None:
        """The first of the tokens, separated by spaces, that was issued for the account; None where there is none."""
        for token in (tokens or "").split()[:TOKENS_MAX]:
            number, _, mac = token.partition(".")
            if hmac.compare_digest(mac.encode(errors="replace"), self._mac(number, account_id).encode()):
                return token
        return None

    def _mac(self, number: str, account_id: str) -> str:
        return hmac.new(self._key, f"{account_id}.{number}".encode(errors="replace"), hashlib.sha256).hexdigest()
