"""The public keys of auth_service, over HTTP."""

from __future__ import annotations

from hepar.contracts.tokens import PublicKeys
from hepar.core.deadlines import Deadline
from hepar.web.access_tokens import KeyCache
from hepar.web.upstream import Upstream

_FETCH_S = 3.0


def public_key_cache(auth: Upstream) -> KeyCache:
    """Empty until the first token or the first refresh."""

    async def fetch() -> PublicKeys:
        return await auth.call(PublicKeys, "GET", "/.well-known/jwks.json", Deadline.after(_FETCH_S))

    return KeyCache(fetch)
