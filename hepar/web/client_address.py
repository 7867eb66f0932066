"""Whose request it is: the network address of the client, which the gateway forwards to the services behind it."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from starlette.requests import Request

from hepar.core.networks import Network

CLIENT_HEADER = "x-forwarded-for"
_HOST_HEADER, _SCHEME_HEADER = "x-forwarded-host", "x-forwarded-proto"
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def client_address(request: Request, gateways: Sequence[Network]) -> str | None:
    """The peer's address, or the one that the peer forwards where the peer is in one of these networks."""
    peer = _peer(request)
    forwarded = request.headers.get(CLIENT_HEADER)
    if forwarded and _is_in(peer, gateways):
        peer = _address(forwarded.rsplit(",", 1)[-1].strip())
    return str(peer) if peer else None


def public_address(request: Request, gateways: Sequence[Network]) -> str:
    """Under which the client reached us, such as `https://hepar.example.org`, as the gateway forwards it."""
    host, scheme = request.headers.get(_HOST_HEADER), request.headers.get(_SCHEME_HEADER)
    if host and scheme in ("http", "https") and _is_in(_peer(request), gateways):
        return f"{scheme}://{host}"
    return str(request.base_url).rstrip("/")


def forwarded_client(request: Request) -> dict[str, str]:
    """The header that tells the next service the client's address."""
    return {CLIENT_HEADER: request.client.host} if request.client is not None else {}


def forwarded_address(request: Request) -> dict[str, str]:
    """The headers that tell the next service `public_address`. The host was checked before (hepar.web.guard)."""
    return {_HOST_HEADER: request.headers["host"], _SCHEME_HEADER: request.url.scheme}


def _peer(request: Request) -> _Address | None:
    return _address(request.client.host if request.client else "")


def _is_in(address: _Address | None, networks: Sequence[Network]) -> bool:
    return address is not None and any(address in network for network in networks)


def _address(text: str) -> _Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
