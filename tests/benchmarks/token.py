"""The cost of verifying an access token per request, compared with the bare signature check: `make bench-token`."""

from __future__ import annotations

import asyncio
import base64
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from auth_service.keys import KeyRing
from auth_service.tokens import TokenIssuer
from hepar.contracts.tokens import PublicKeys
from hepar.web.access_tokens import KeyCache, TokenRules

ROUNDS = 2000


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        keys = KeyRing(Path(folder), 600)
        tokens = [
            TokenIssuer(keys, "hepar-auth", "hepar", 600).issue(f"somebody {number}", "analyses account")
            for number in range(ROUNDS)
        ]

        async def fetch() -> PublicKeys:
            return PublicKeys(keys=keys.published())

        cache, rules = KeyCache(fetch), TokenRules("hepar-auth", "hepar")
        await cache.refresh()
        bare = _bare(keys.signing().pem)
        whole_s, signature_s = [], []
        for token in tokens:  # in turns, so that both meet the same noise
            started = time.perf_counter()
            await cache.principal(token, rules)
            between = time.perf_counter()
            bare(token)
            whole_s.append(between - started)
            signature_s.append(time.perf_counter() - between)
    whole, signature = statistics.median(whole_s), statistics.median(signature_s)
    print(f"checking a token: {whole * 1e3:.3f} ms at the median of {ROUNDS}")  # noqa: T201
    print(f"the signature alone: {signature * 1e3:.3f} ms; ratio {whole / signature:.2f}")  # noqa: T201


def _bare(pem: str) -> Callable[[str], None]:
    private = serialization.load_pem_private_key(pem.encode(), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    public = private.public_key()

    def check(token: str) -> None:
        message, _, signature = token.rpartition(".")
        raw = base64.urlsafe_b64decode(signature + "==")
        pair = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
        public.verify(pair, message.encode(), ec.ECDSA(hashes.SHA256()))

    return check


if __name__ == "__main__":
    asyncio.run(main())
